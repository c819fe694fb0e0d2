// A stale PID file becomes a new one, which nobody else has had in their hands; and nobody who reads
// the old one keeps a daemon from starting.
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PidFile, ping, send } from '../../';
import { caught } from '../support/caught';
import { directory, pidFile } from '../support/each_test';
import type { FixtureOptions } from '../support/fixture';
import { HeldSession, holdingCalls } from '../support/held_calls';
import { locksOf, startReader } from '../support/locks';
import { AS_NOBODY, NOBODY, asRoot } from '../support/nobody';
import { contentHeldBy } from '../support/pid_file';
import { onLinux, onUnix, withTools } from '../support/platform';
import { FIXTURES } from '../support/runtime';
import { Session } from '../support/session';

const START = '(kept.handler = new SignalHandler1($0).start(), true)';
const STOP = 'kept.handler.stop()';
const STALE = '2147483647\n';

onUnix('on Unix', () => {
  test.each([
    ['a stale file', STALE],
    ['an empty file', ''],
    ['a marked one', contentHeldBy(2147483647)],
  ])(
    '%s that others may write, with a second link, is replaced by one with our mode',
    (_, content) => {
      writeFileSync(pidFile, content);
      chmodSync(pidFile, 0o666);
      const link = join(directory, 'link');
      linkSync(pidFile, link);
      const claim = PidFile.acquire(pidFile);
      const { mode, nlink, uid } = lstatSync(pidFile);
      expect([mode & 0o7777, nlink, uid]).toEqual([0o644, 1, process.getuid?.()]);
      expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(process.pid));
      send(pidFile, 0);
      // Its other name has nothing of us.
      expect(readFileSync(link, 'utf8')).toBe(content);
      claim.release();
      expect(readdirSync(directory)).toEqual(['link']);
    },
  );

  test('the file of a daemon that is alive is not replaced', async () => {
    const holder = await Session.start();
    await holder.value(START, pidFile);
    const { ino } = lstatSync(pidFile);
    expect(caught(() => PidFile.acquire(pidFile))).toMatchObject({ code: 'ERR_PID_FILE_LOCKED' });
    expect(lstatSync(pidFile).ino).toBe(ino);
    expect(readdirSync(directory)).toHaveLength(1);
  });
});

asRoot('with other users', () => {
  test("another user's stale file is replaced by root's, which root's send() trusts", async () => {
    chmodSync(directory, 0o755);
    writeFileSync(pidFile, STALE);
    chownSync(pidFile, NOBODY.uid, NOBODY.gid);
    chmodSync(pidFile, 0o666);
    const daemon = await Session.start();
    await daemon.value(START, pidFile);
    expect(statSync(pidFile)).toMatchObject({ uid: 0, gid: 0 });
    send(pidFile, 0);
  });

  test("root's stale file in a directory of its own keeps no user's daemon from starting", async () => {
    chmodSync(directory, 0o755);
    const home = join(directory, 'home');
    mkdirSync(home);
    chownSync(home, NOBODY.uid, NOBODY.gid);
    const path = join(home, 'test.pid');
    writeFileSync(path, STALE);
    const daemon = await Session.start(AS_NOBODY);
    await daemon.value(START, path);
    expect(statSync(path).uid).toBe(NOBODY.uid);
    expect(readFileSync(path, 'utf8')).toBe(contentHeldBy(daemon.pid));
    expect(locksOf(daemon.pid, path)).toHaveLength(1);
    await daemon.value(STOP);
    expect(readdirSync(home)).toEqual([]);
  });

  test("another user's stale file in a directory like /tmp is EACCES, and is untouched", async () => {
    chmodSync(directory, 0o1777);
    writeFileSync(pidFile, STALE);
    const daemon = await Session.start(AS_NOBODY);
    expect(await daemon.error(START, pidFile)).toMatchObject({ code: 'EACCES', syscall: 'open' });
    expect(readFileSync(pidFile, 'utf8')).toBe(STALE);
    expect(readdirSync(directory)).toEqual(['test.pid']);
  });

  withTools('unshare', 'mount')('a file that is mounted alone, as into a container', () => {
    test('is taken in place, and emptied by stop()', async () => {
      const outside = join(directory, 'outside.pid');
      writeFileSync(outside, STALE);
      writeFileSync(pidFile, '');
      const { ino } = statSync(outside);
      const inside = await Session.start({
        wrapper: [
          ...['unshare', '--mount', 'sh', '-c'],
          'mount --bind "$0" "$1" && shift && exec "$@"',
          ...[outside, pidFile],
        ],
      });
      await inside.value(START, pidFile);
      expect(readFileSync(outside, 'utf8')).toBe(contentHeldBy(inside.pid));
      expect(statSync(outside).ino).toBe(ino);
      expect(locksOf(inside.pid, outside)).toHaveLength(1);
      expect(ping(outside)).toBe(true);
      expect(await inside.value(STOP)).toBe(undefined);
      expect(readFileSync(outside, 'utf8')).toBe('');
      expect(readdirSync(directory).sort()).toEqual(['outside.pid', 'test.pid']);
    });
  });

  withTools(
    'unshare',
    'mount',
    'python3',
  )('such a file that somebody reads under a lock', () => {
    test('is left as it is, as nobody could tell who is first', async () => {
      const outside = join(directory, 'outside.pid');
      writeFileSync(outside, STALE);
      writeFileSync(pidFile, '');
      await (
        await startReader(outside)
      )();
      const inside = await Session.start({
        wrapper: [
          ...['unshare', '--mount', 'sh', '-c'],
          'mount --bind "$0" "$1" && shift && exec "$@"',
          ...[outside, pidFile],
        ],
      });
      expect(await inside.error(START, pidFile)).toMatchObject({
        code: 'ERR_PID_FILE_LOCKED',
        pid: null,
      });
      expect(readFileSync(outside, 'utf8')).toBe(STALE);
      expect(readdirSync(directory).sort()).toEqual(['outside.pid', 'test.pid']);
    });
  });

  withTools('unshare', 'mount')('on a full disk', () => {
    test('a stale file stays as it is', async () => {
      const daemon = await Session.start({
        wrapper: [
          ...['unshare', '--mount', 'sh', '-c'],
          'mount -t tmpfs -o size=8k tmpfs "$0" && exec "$@"',
          directory,
        ],
      });
      const fill = `(() => {
        const fs = require('node:fs');
        fs.writeFileSync($0, $1);
        fs.writeFileSync($0 + '.full', 'x'.repeat(4096));
      })()`;
      await daemon.value(fill, pidFile, STALE);
      expect(await daemon.error(START, pidFile)).toMatchObject({
        code: 'ENOSPC',
        syscall: 'write',
        path: pidFile,
      });
      expect(await daemon.value('require("fs").readFileSync($0, "utf8")', pidFile)).toBe(STALE);
      expect(await daemon.value('require("fs").readdirSync($0).sort()', directory)).toEqual([
        'test.pid',
        'test.pid.full',
      ]);
    });
  });
});

onLinux('on Linux', () => {
  // NFS, for example; or an old seccomp filter.
  withTools('python3')('where files cannot change places', () => {
    test.each(['EINVAL', 'ENOSYS', 'EPERM'])(
      '(%s) a stale file is replaced all the same',
      async (error) => {
        writeFileSync(pidFile, STALE);
        chmodSync(pidFile, 0o666);
        linkSync(pidFile, join(directory, 'link'));
        const wrapper = ['python3', join(FIXTURES, 'refuse.py'), `renameat2=${error}`, '--'];
        const daemon = await Session.start({ wrapper });
        await daemon.value(START, pidFile);
        expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(daemon.pid));
        expect(lstatSync(pidFile)).toMatchObject({ nlink: 1 });
        expect(lstatSync(pidFile).mode & 0o7777).toBe(0o644);
        expect(locksOf(daemon.pid, pidFile)).toHaveLength(1);
        await daemon.value(STOP);
        expect(readdirSync(directory)).toEqual(['link']);
      },
    );
  });

  withTools('python3')('while somebody reads the file under a lock', () => {
    test('a daemon starts, and holds a file of its own', async () => {
      writeFileSync(pidFile, STALE);
      await (
        await startReader(pidFile)
      )();
      const daemon = await Session.start();
      await daemon.value(START, pidFile);
      expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(daemon.pid));
      expect(locksOf(daemon.pid, pidFile)).toEqual([
        expect.stringMatching(/OFDLCK +ADVISORY +WRITE/) as unknown,
      ]);
      expect(ping(pidFile)).toBe(true);
      await daemon.value(STOP);
      expect(readdirSync(directory)).toEqual([]);
    });

    test('a daemon that takes no locks and is alive is still seen', async () => {
      const holder = await Session.start();
      writeFileSync(pidFile, `${holder.pid}\n`);
      await (
        await startReader(pidFile)
      )();
      expect(caught(() => PidFile.acquire(pidFile))).toMatchObject({
        code: 'ERR_PID_FILE_LOCKED',
        pid: holder.pid,
      });
    });

    test('of eight daemons that start at the same time exactly one wins, 200 times', async () => {
      const lock = await startReader(pidFile);
      await race({ rounds: 200, prepare: lock });
    });
  });

  withTools('python3')('where files cannot change places', () => {
    test('of eight daemons that start at the same time exactly one wins', async () => {
      const wrapper = ['python3', join(FIXTURES, 'refuse.py'), 'renameat2=EINVAL', '--'];
      await race({ rounds: 50, options: { wrapper } });
    });
  });

  asRoot('in a directory that they may not write', () => {
    test('of eight daemons that start at the same time exactly one wins', async () => {
      chmodSync(directory, 0o755);
      writeFileSync(pidFile, '');
      chownSync(pidFile, NOBODY.uid, NOBODY.gid);
      await race({ rounds: 50, options: AS_NOBODY, inPlace: true });
    });
  });

  holdingCalls('somebody who is faster, or slower, than others', () => {
    test('a file that a reader locks before the daemon that has created it: that one holds another', async () => {
      const lock = await startReader(pidFile);
      const slow = await HeldSession.start('fcntl:37');
      // So that the first attempt is the last.
      const start = '(kept.handler = new SignalHandler1($0)).start({ wait: 0 }).then(() => true)';
      const started = slow.session.value(start, pidFile);
      await slow.arrives();
      expect(readFileSync(pidFile, 'utf8')).toBe('');
      await lock();
      slow.letAllGo();
      expect(await started).toBe(true);
      expectToHold(slow.session);
      expect(readdirSync(directory)).toEqual(['test.pid']);
    });

    test('a daemon that comes late does not even touch the file of the winner', async () => {
      writeFileSync(pidFile, STALE);
      await (
        await startReader(pidFile)
      )();
      const late = await HeldSession.start('fcntl:37');
      const start = `new SignalHandler1($0).start({ wait: 0 })
        .catch((error) => [error.code, error.pid])`;
      const result = late.session.value(start, pidFile);
      await late.arrives(); // about to lock the stale file
      late.letGo();
      await late.arrives(); // about to lock the one that is to take its place
      const winner = await Session.start();
      await winner.value(START, pidFile);
      // Renaming a file changes this time of it.
      const { ctimeNs } = lstatSync(pidFile, { bigint: true });
      late.letAllGo();
      expect(await result).toEqual(['ERR_PID_FILE_LOCKED', winner.pid]);
      expect(lstatSync(pidFile, { bigint: true }).ctimeNs).toBe(ctimeNs);
      expectToHold(winner);
      expect(readdirSync(directory)).toEqual(['test.pid']);
    });

    const CLAIM = `(() => {
      try {
        kept.claim = PidFile.acquire($0);
        return 'won';
      } catch (error) {
        return [error.code, error.pid];
      }
    })()`;

    /**
     * Three daemons that replace a file which somebody reads under a lock. The first has won. The second
     * has put its file in the place of that, and has it to put back; the third has done so with the
     * second's.
     */
    async function entangled() {
      writeFileSync(pidFile, STALE);
      await (
        await startReader(pidFile)
      )();
      const starters: HeldSession[] = [];
      const results: Promise<unknown>[] = [];
      for (let count = 0; count < 3; count++) {
        const starter = await HeldSession.start('renameat2');
        results.push(starter.session.value(CLAIM, pidFile));
        await starter.arrives();
        starters.push(starter);
      }
      const [first, second, third] = starters as [HeldSession, HeldSession, HeldSession];
      first.letGo();
      expect(await results[0]).toBe('won');
      for (const loser of [second, third]) {
        loser.letGo();
        await loser.arrives();
      }
      expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(third.session.pid));
      const refused = ['ERR_PID_FILE_LOCKED', first.session.pid];
      return { first, second, third, results, refused };
    }

    test('those who lose put the file of the winner back, however long one of them takes', async () => {
      const { first, second, third, results, refused } = await entangled();
      // It cannot finish while the third has its file.
      for (let turn = 0; turn < 5; turn++) {
        second.letGo();
        await second.arrives();
      }
      third.letAllGo();
      second.letAllGo();
      expect(await Promise.all(results)).toEqual(['won', refused, refused]);
      expectToHold(first.session);
      expect(readdirSync(directory)).toEqual(['test.pid']);
    });

    test('the same when another one who loses is killed in the middle of that', async () => {
      const { first, second, third, results, refused } = await entangled();
      results[2]?.catch(() => undefined); // there is no answer
      third.session.fixture.kill('SIGKILL');
      await third.session.fixture.end();
      const begun = performance.now();
      second.letAllGo();
      expect(await results[1]).toEqual(refused);
      // It waits ten seconds for one that lives.
      expect(performance.now() - begun).toBeLessThan(9000);
      expectToHold(first.session);
    });
  });
});

function expectToHold(daemon: Session): void {
  expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(daemon.pid));
  expect(locksOf(daemon.pid, pidFile)).toHaveLength(1);
  expect(ping(pidFile)).toBe(true);
}

interface Race {
  readonly rounds: number;
  readonly options?: FixtureOptions;
  /** When the stale file is there. */
  readonly prepare?: () => Promise<void>;
  /** The file is not replaced, but written and emptied. */
  readonly inPlace?: boolean;
}

/** Eight processes claim a stale file at the same moment: each time one gets it. */
async function race({ rounds, options, prepare, inPlace = false }: Race): Promise<void> {
  const starters = await Promise.all(Array.from({ length: 8 }, async () => Session.start(options)));
  const CLAIM = `(() => {
    while (Date.now() < $1);
    try {
      kept.claim = PidFile.acquire($0);
      return 'won';
    } catch (error) {
      return error.code;
    }
  })()`;
  for (let round = 0; round < rounds; round++) {
    writeFileSync(pidFile, round % 2 === 0 ? STALE : contentHeldBy(2147483647));
    const { ino } = lstatSync(pidFile);
    await prepare?.();
    const moment = Date.now() + 4;
    const results = await Promise.all(
      starters.map(async (starter) => starter.value(CLAIM, pidFile, moment)),
    );
    const others = Array<string>(7).fill('ERR_PID_FILE_LOCKED');
    expect([...results].sort()).toEqual([...others, 'won']);
    const winner = starters[results.indexOf('won')] as Session;
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(winner.pid));
    expect(locksOf(winner.pid, pidFile)).toHaveLength(1);
    expect(readdirSync(directory)).toEqual(['test.pid']);
    expect(lstatSync(pidFile).ino === ino).toBe(inPlace);
    await winner.value('kept.claim.release()');
    expect(existsSync(pidFile) && readFileSync(pidFile, 'utf8')).toBe(inPlace ? '' : false);
  }
}
