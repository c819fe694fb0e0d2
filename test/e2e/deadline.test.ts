import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as timePasses } from 'node:timers/promises';
import { SIGABRT, SIGINT, SIGTERM, send } from '../../';
import { hangingWritePath } from '../support/addon';
import { directory, pidFile } from '../support/each_test';
import { deathBy } from '../support/endings';
import { Fixture, SOON_MS, start, type FixtureOptions } from '../support/fixture';
import { onLinux, onNodeOnUnix, onUnix, withCommand, withPreload } from '../support/platform';

/** A process that has begun to run `code`. */
async function begin(code: string, settings: object, options?: FixtureOptions): Promise<Fixture> {
  const fixture = start('blocked', [pidFile, JSON.stringify(settings), code], options);
  await fixture.hears('begins');
  return fixture;
}

const UNSHARE = ['unshare', '--pid', '--fork', '--mount-proc'] as const;

describe('a blocked event loop', () => {
  test.each([
    ['SIGTERM', SIGTERM],
    ['SIGINT', SIGINT],
    ['SIGABRT', SIGABRT],
  ] as const)('ends the process by %s itself, at the deadline', async (name, signal) => {
    const fixture = await begin('stuckForEver()', { deadline: 300 });
    const sent = performance.now();
    send(pidFile, signal);

    const { code, signal: seen, stderr } = await fixture.end();

    const took = performance.now() - sent;
    expect({ code, signal: seen }).toEqual(deathBy(name));
    expect(took).toBeGreaterThanOrEqual(299);
    expect(took).toBeLessThan(SOON_MS); // the benchmark measures; this machine may be busy
    expect(stderr).toMatch(
      new RegExp(
        `^daemoniker: ${name} from pid ${process.pid}.* was not handled within its deadline: ` +
          'the event loop has been blocked for [0-9]+ ms; ending the process$',
        'm',
      ),
    );
  });

  test('that only waits is blocked as well', async () => {
    const code = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)';
    const fixture = await begin(code, { deadline: 100 });
    send(pidFile, SIGTERM);
    expect(await fixture.end()).toMatchObject(deathBy('SIGTERM'));
  });

  test('inside a handler counts for the next signal', async () => {
    const code = "handler.sigint = () => { say('stuck'); stuckForEver(); }; liveOn()";
    const fixture = await begin(code, { deadline: 100 });
    send(pidFile, SIGINT);
    await fixture.hears('stuck');
    send(pidFile, SIGTERM);
    expect(await fixture.end()).toMatchObject(deathBy('SIGTERM'));
  });

  test('on a busy machine is no excuse', async () => {
    const load = [1, 2, 3, 4].map(() => start('script', ["say('runs'); while (true);"]));
    for (const one of load) await one.hears('runs');
    const fixture = await begin('stuckForEver()', { deadline: 300 });
    send(pidFile, SIGTERM);
    expect(await fixture.end()).toMatchObject(deathBy('SIGTERM'));
  });

  test('of a default handler ends the process as well', async () => {
    const fixture = await begin('stuckForEver()', { deadline: 100, sigterm: 'raise' });
    send(pidFile, SIGTERM);
    expect(await fixture.end()).toMatchObject(deathBy('SIGTERM'));
  });

  // pid_namespaces(7): the kernel takes no default action for PID 1.
  withCommand(...UNSHARE, 'true').test('ends PID 1 of a container with 128 + signum', async () => {
    const fixture = await begin(
      "process.kill(1, 'SIGTERM'); stuckForEver()",
      { deadline: 100 },
      { wrapper: [...UNSHARE, '--kill-child'] },
    );
    expect(await fixture.end()).toMatchObject({ code: 143, signal: null });
  });

  /**
   * What the end of a process that is stuck says of the place. It waits for the main thread's answer
   * for some milliseconds only, in which a busy machine may have no time for that thread: so several
   * processes end, until one has said it.
   */
  async function messageWithPlace(code: string): Promise<string> {
    for (let round = 0; round < 20; round++) {
      const fixture = await begin(code, { deadline: 100 });
      send(pidFile, SIGTERM);
      const { stderr, ...ending } = await fixture.end();
      expect(ending).toMatchObject(deathBy('SIGTERM'));
      if (stderr.includes('stuckForEver')) return stderr;
    }
    throw new Error('none has said where it was stuck');
  }

  onNodeOnUnix.test('says where it is stuck', async () => {
    expect(await messageWithPlace('stuckForEver()')).toMatch(
      /ending the process\n {4}at .*stuckForEver \(.*blocked\.cjs:\d+:\d+\)\n/,
    );
  });

  // Whoever overrides this may run anything: that must not happen in the middle of other code.
  onNodeOnUnix.test('says so without running any JavaScript', async () => {
    await messageWithPlace('Error.prepareStackTrace = () => { process.exit(9); }; stuckForEver();');
  });
});

describe('a stderr that nobody reads', () => {
  const fill = `
    const { writeSync } = require('node:fs');
    const text = 'x'.repeat(65536);
    while (true) try { writeSync(2, text); } catch {}
  `;

  test('does not delay the end', async () => {
    const fixture = start('blocked', [pidFile, JSON.stringify({ deadline: 300 }), fill]);
    fixture.child.stderr?.pause();
    const exited = once(fixture.child, 'exit');
    await fixture.hears('begins');
    send(pidFile, SIGTERM);
    await exited; // before anybody has read
    fixture.child.stderr?.resume();
    expect(await fixture.end()).toMatchObject(deathBy('SIGTERM'));
  });

  onUnix.test('does not either when it is a pipe', async () => {
    const fifo = join(directory, 'fifo');
    spawnSync('mkfifo', [fifo]);
    const end = openSync(fifo, 'r+');
    try {
      const fixture = await begin(
        fill,
        { deadline: 300 },
        { stdio: ['pipe', 'pipe', end] as const as FixtureOptions['stdio'] },
      );
      send(pidFile, SIGTERM);
      expect(await fixture.end()).toMatchObject(deathBy('SIGTERM'));
    } finally {
      closeSync(end);
    }
  });
});

describe('nothing is ended', () => {
  /** Where something must happen before the deadline, a busy machine is given time for it. */
  const AMPLE = 1000;
  const blockPast = (deadline: number): string =>
    `blockFor(${deadline + 300}); say('free'); process.exit(5)`;

  test('by a signal that was handled in time', async () => {
    const fixture = await begin(
      `handler.sigint = () => { ${blockPast(AMPLE)} }; liveOn(); say('set');`,
      { deadline: AMPLE },
    );
    await fixture.hears('set');
    send(pidFile, SIGTERM);
    await fixture.hears('handled');
    send(pidFile, SIGINT);
    expect(await fixture.end()).toMatchObject({ code: 5, signal: null, stderr: '' });
  });

  test('by a signal that is ignored', async () => {
    const settings = { deadline: 100, sigterm: 'ignore' };
    const fixture = await begin(blockPast(100), settings);
    send(pidFile, SIGTERM);
    expect(await fixture.end()).toMatchObject({ code: 5, signal: null, stderr: '' });
  });

  test('by a signal that is ignored by now', async () => {
    const code = `handler.sigterm = daemoniker.IGNORE_SIGNAL; ${blockPast(AMPLE)}`;
    const fixture = await begin(code, { deadline: AMPLE });
    send(pidFile, SIGTERM);
    expect(await fixture.end()).toMatchObject({ code: 5, signal: null, stderr: '' });
  });

  test('without a deadline', async () => {
    const fixture = await begin(blockPast(0), {});
    send(pidFile, SIGTERM);
    expect(await fixture.end()).toMatchObject({ code: 5, signal: null, stderr: '' });
  });

  // On Windows nothing is left that could receive it.
  onUnix.test('once the handler is stopped', async () => {
    const code = `
      process.on('SIGTERM', () => undefined);
      blockFor(20);
      handler.stop();
      say('stopped');
      ${blockPast(200)}
    `;
    const fixture = await begin(code, { deadline: 200 });
    await fixture.hears('stopped');
    fixture.kill('SIGTERM');
    expect(await fixture.end()).toMatchObject({ code: 5, signal: null, stderr: '' });
  });

  // start() calls listeners of others before the new handler's deadline is set. The watcher lives on
  // in between, for exitWithin().
  onNodeOnUnix.test("by a stopped handler's deadline, while the next one starts", async () => {
    const code = `
      handler.exitWithin(60000);
      handler.stop();
      process.on('newListener', (name) => {
        if (name !== 'SIGTERM') return;
        process.kill(process.pid, 'SIGINT'); // which is taken already
        blockFor(${AMPLE + 300});
      });
      const sigint = () => process.exit(5);
      new daemoniker.SignalHandler1(null, { sigint, sigterm: sigint, deadline: null }).start();
      liveOn();
    `;
    const fixture = await begin(code, { deadline: AMPLE });
    expect(await fixture.end()).toMatchObject({ code: 5, signal: null, stderr: '' });
  });

  // What waits then is dropped. The watcher lives on, for exitWithin().
  test("by a signal that came during 'exit', once the handler is stopped", async () => {
    const code = `
      handler.exitWithin(60000);
      process.prependListener('exit', () => daemoniker.send(handler.pidFile, 'SIGTERM'));
      // After ours, so it runs when the handler has been stopped.
      process.on('exit', () => { blockFor(${AMPLE + 300}); say('cleaned'); });
      process.exit(5);
    `;
    const fixture = await begin(code, { deadline: AMPLE });
    await fixture.hears('cleaned');
    expect(await fixture.end()).toMatchObject({ code: 5, signal: null, stderr: '' });
  });

  test('by what arrived before there was a deadline', async () => {
    const sent = join(directory, 'sent');
    const code = `
      const { existsSync } = require('node:fs');
      while (!existsSync(${JSON.stringify(sent)}));
      blockFor(${AMPLE + 300});
      handler.sigterm = (signum) => { say('handled', { signum }); process.exit(5); };
      blockFor(100);
    `;
    const fixture = await begin(code, { deadline: AMPLE, sigterm: 'ignore' });
    send(pidFile, SIGTERM);
    writeFileSync(sent, '');
    await fixture.hears('handled');
    expect(await fixture.end()).toMatchObject({ code: 5, signal: null, stderr: '' });
  });

  // Stopped is not blocked: the loop is free as soon as the process runs again.
  onLinux.test('while the process is stopped', async () => {
    const flag = join(directory, 'flag');
    const code = `
      const { existsSync } = require('node:fs');
      while (!existsSync(${JSON.stringify(flag)}));
      liveOn();
    `;
    const fixture = await begin(code, { deadline: AMPLE });
    send(pidFile, SIGTERM);
    await timePasses(100); // some of the deadline is used up
    fixture.kill('SIGSTOP');
    await timePasses(AMPLE + 300); // what the test is about: the deadline passes
    writeFileSync(flag, '');
    fixture.kill('SIGCONT');
    await fixture.hears('handled');
    fixture.kill('SIGKILL');
    expect(await fixture.end()).toMatchObject({ signal: 'SIGKILL', stderr: '' });
  });
});

// Stopped before anything but the signal handler itself could run.
onLinux('a free event loop', () => {
  test('is not taken for a blocked one when the process is stopped just after the signal', async () => {
    const fixture = await begin('liveOn()', { deadline: 400 });
    for (let round = 0; round < 8; round++) {
      send(pidFile, SIGTERM);
      fixture.kill('SIGSTOP');
      await timePasses(600); // what the test is about: the deadline passes
      fixture.kill('SIGCONT');
      await fixture.hears('handled');
    }
    fixture.kill('SIGKILL');
    expect(await fixture.end()).toMatchObject({ signal: 'SIGKILL', stderr: '' });
  });
});

withPreload('a stderr that hangs', () => {
  test('does not delay the end', async () => {
    const stderr = join(directory, 'stderr'); // a socket has no disk
    // A relative path: spaces separate in LD_PRELOAD, and nothing protects one.
    const library = hangingWritePath();
    const preloaded = [process.env['LD_PRELOAD'], `./${basename(library)}`].filter(Boolean);
    const fixture = await begin(
      'stuckForEver()',
      { deadline: 100 },
      {
        wrapper: ['sh', '-c', `LD_PRELOAD='${preloaded.join(' ')}' exec "$@" 2>"$0"`, stderr],
        cwd: dirname(library),
      },
    );
    send(pidFile, SIGTERM);
    expect(await fixture.end()).toMatchObject(deathBy('SIGTERM'));
    expect(readFileSync(stderr, 'utf8')).toBe(''); // it did hang
  });
});

test('a deadline applies to a handler assigned in place of an ignored signal', async () => {
  const code = 'handler.sigterm = () => undefined; stuckForEver()';
  const fixture = await begin(code, { deadline: 200, sigterm: 'ignore' });
  send(pidFile, SIGTERM);
  expect(await fixture.end()).toMatchObject(deathBy('SIGTERM'));
});
