// What each call does when the system has no descriptor or no thread left to give: its work, or a
// clear error with everything as before. Never half of it.
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { directory, pidFile } from '../support/each_test';
import { Fixture } from '../support/fixture';
import { AS_NOBODY, NOBODY, asRoot } from '../support/nobody';
import { startReader } from '../support/locks';
import { contentHeldBy } from '../support/pid_file';
import { onNodeOnLinux, withTools } from '../support/platform';
import { Session } from '../support/session';

const START = '(kept.handler = new SignalHandler1($0).start(), true)';

// Enough for every call to succeed, and to fail at each of its steps.
const MOST_LEFT = 8;

/** A process that can be left with so many descriptors. */
class Scarce {
  private constructor(readonly session: Session) {}

  static async start(): Promise<Scarce> {
    const wrapper = ['sh', '-c', 'ulimit -n 64; exec "$@"', 'sh'];
    const session = await Session.start({ wrapper });
    await session.value('(kept.fs = require("node:fs"), kept.open = [], true)');
    return new Scarce(session);
  }

  async leave(count: number): Promise<void> {
    await this.session.value(
      `(() => {
        try {
          for (;;) kept.open.push(kept.fs.openSync('/dev/null'));
        } catch {}
        for (let left = 0; left < $0; left++) kept.fs.closeSync(kept.open.pop());
      })()`,
      count,
    );
  }

  async leaveAll(): Promise<void> {
    await this.session.value('kept.open.splice(0).forEach((fd) => kept.fs.closeSync(fd))');
  }
}

onNodeOnLinux('with few descriptors left', () => {
  /**
   * What the expression does with 0, 1, 2 … descriptors left: "EMFILE" or what it returns. Every call
   * leaves as many open as there were before.
   */
  async function outcomes(expression: string, after = async (): Promise<void> => {}) {
    const scarce = await Scarce.start();
    const { session } = scarce;
    // Whatever the first call opens for good.
    await session.value('(ping($0), true)', `${directory}/none`);
    const seen: unknown[] = [];
    for (let left = 0; left <= MOST_LEFT; left++) {
      const count = 'kept.fs.readdirSync("/proc/self/fd").length';
      const before = await session.value(count);
      await scarce.leave(left);
      const outcome = await session.value(
        `(async () => {
          try {
            return await (${expression});
          } catch (error) {
            return error.code;
          }
        })()`,
        pidFile,
      );
      await scarce.leaveAll();
      await after();
      expect(await session.value(count)).toBe(before);
      seen.push(outcome);
    }
    // Every call needs one.
    expect(seen[0]).toBe('EMFILE');
    return seen;
  }

  /** EMFILE some times, then this. */
  function expectTo(outcome: unknown, seen: readonly unknown[]): void {
    const failures = seen.filter((one) => one === 'EMFILE').length;
    expect(seen).toEqual([
      ...Array<unknown>(failures).fill('EMFILE'),
      ...Array<unknown>(seen.length - failures).fill(outcome),
    ]);
    expect(failures).toBeLessThan(seen.length);
  }

  test('send() signals a daemon that holds its lock, or says EMFILE', async () => {
    const daemon = await Session.start();
    await daemon.value(
      '(new SignalHandler1($0, { sigterm: () => say("handled") }).start(), true)',
      pidFile,
    );
    expectTo('sent', await outcomes('(send($0, "SIGTERM"), "sent")'));
    await daemon.fixture.hears('handled');
  });

  test('send() signals a daemon that holds no lock, or says EMFILE', async () => {
    const daemon = await Session.start();
    writeFileSync(pidFile, `${daemon.pid}\n`);
    expectTo('sent', await outcomes('(send($0, 0), "sent")'));
  });

  test('ping() says that the daemon runs, or EMFILE', async () => {
    const daemon = await Session.start();
    await daemon.value(START, pidFile);
    expectTo(true, await outcomes('ping($0)'));
  });

  test('a file is acquired, or left as it was', async () => {
    const scarce = await Scarce.start();
    const { session } = scarce;
    for (let left = 0; left <= MOST_LEFT; left++) {
      await scarce.leave(left);
      const error = await session.value(
        '(() => { try { kept.file = PidFile.acquire($0) } catch (error) { return error.code } })()',
        pidFile,
      );
      await scarce.leaveAll();
      expect(error).toBe(existsSync(pidFile) ? undefined : 'EMFILE');
      if (existsSync(pidFile))
        expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(session.pid));
      if (error === undefined) await session.value('(kept.file.release(), true)');
      expect(existsSync(pidFile)).toBe(false);
    }
  });

  withTools('python3')('a stale file that somebody reads under a lock', () => {
    test('is replaced, or it is EMFILE: nobody is said to hold it', async () => {
      const lock = await startReader(pidFile);
      const prepare = async (): Promise<void> => {
        writeFileSync(pidFile, '2147483647\n');
        await lock();
      };
      await prepare();
      expectTo('ran', await outcomes('(PidFile.acquire($0).release(), "ran")', prepare));
    });
  });

  test('the file of a daemon that holds no lock is never taken', async () => {
    const daemon = await Session.start();
    writeFileSync(pidFile, `${daemon.pid}\n`);
    expectTo('ERR_PID_FILE_LOCKED', await outcomes('(PidFile.acquire($0), "taken")'));
    expect(readFileSync(pidFile, 'utf8')).toBe(`${daemon.pid}\n`);
  });

  test('a handler starts, or everything is as before', async () => {
    const started = '(kept.handler = new SignalHandler1($0).start(), kept.handler.stop(), "ran")';
    expectTo(
      'ran',
      await outcomes(started, async () => {
        expect(existsSync(pidFile)).toBe(false);
        return Promise.resolve();
      }),
    );
  });

  test('terminate() ends nobody that it cannot wait for', async () => {
    let daemon = await Session.start();
    writeFileSync(pidFile, `${daemon.pid}\n`);
    const seen = await outcomes(
      'terminate($0, { signal: 0, timeout: 0 }).then(({ outcome }) => outcome)',
    );
    expectTo('timeout', seen);
    daemon.fixture.kill('SIGTERM');
    await daemon.fixture.end();
    daemon = await Session.start();
    writeFileSync(pidFile, `${daemon.pid}\n`);
    const scarce = await Scarce.start();
    await scarce.leave(seen.lastIndexOf('EMFILE'));
    expect(await scarce.session.error('terminate($0)', pidFile)).toMatchObject({ code: 'EMFILE' });
    expect(await daemon.value('"alive"')).toBe('alive');
  });
});

asRoot('with no thread left', () => {
  withTools('prlimit')('for a user', () => {
    /** A process that may not have one more. */
    async function withoutThreads(): Promise<Session> {
      const session = await Session.start(AS_NOBODY);
      await new Fixture(['prlimit', `--pid=${session.pid}`, '--nproc=1:1'], NOBODY).end();
      return session;
    }

    onNodeOnLinux.test('terminate() is EAGAIN and signals nobody', async () => {
      chmodSync(directory, 0o777);
      const daemon = await Session.start(AS_NOBODY);
      await daemon.value(START, pidFile);
      const session = await withoutThreads();
      expect(await session.error('terminate($0)', pidFile)).toMatchObject({
        name: 'SignalError',
        code: 'EAGAIN',
      });
      expect(await daemon.value('kept.handler.received')).toBeNull();
    });

    onNodeOnLinux.test('exitWithin() is EAGAIN, and nothing is ended', async () => {
      const session = await withoutThreads();
      expect(await session.error('new SignalHandler1(null).exitWithin($0)', 1000)).toMatchObject({
        name: 'SignalError',
        code: 'EAGAIN',
      });
      expect(await session.value('"alive"')).toBe('alive');
    });
  });
});
