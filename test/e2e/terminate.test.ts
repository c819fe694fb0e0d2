import { chmodSync, existsSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ping, terminate, type TerminateOptions } from '../../';
import { directory, pidFile } from '../support/each_test';
import { deathWithoutHandler } from '../support/endings';
import { Fixture, start } from '../support/fixture';
import { AS_NOBODY, asRoot } from '../support/nobody';
import { onLinux, onLinuxAndWindows, onUnix, withExitStatus, withTools } from '../support/platform';
import { FIXTURES, IS_WINDOWS, ROOT } from '../support/runtime';

async function daemon(settings: object, path = pidFile): Promise<Fixture> {
  const fixture = start('daemon', [path, JSON.stringify(settings)]);
  await fixture.hears('ready');
  return fixture;
}

/** terminate() as the runtime under test does it. */
async function terminated(options: TerminateOptions = {}, path = pidFile): Promise<unknown> {
  const fixture = start('script', [
    'return daemoniker.terminate(args[0], JSON.parse(args[1]))',
    path,
    JSON.stringify(options),
  ]);
  const { value } = await fixture.hears('returned');
  expect(await fixture.end()).toMatchObject({ code: 0, stderr: '' });
  return value;
}

async function isUnharmed(fixture: Fixture): Promise<void> {
  fixture.tell('eval 6 * 7');
  expect(await fixture.hears('value')).toMatchObject({ value: 42 });
}

describe('how it ends', () => {
  test('exited: the daemon ended when it was asked to', async () => {
    const fixture = await daemon({ sigterm: 'exit' });
    expect(await terminated()).toMatchObject({ pid: fixture.pid, outcome: 'exited' });
    expect(await fixture.end()).toMatchObject({ code: 0, signal: null });
    expect(existsSync(pidFile)).toBe(false);
  });

  test('exited: by another signal', async () => {
    const fixture = await daemon({ sigterm: 'ignore', sigint: 'exit' });
    const result = await terminated({ signal: 'SIGINT' });
    expect(result).toMatchObject({ pid: fixture.pid, outcome: 'exited' });
  });

  test('timeout: it did not, and is still running', async () => {
    const fixture = await daemon({ sigterm: 'ignore' });
    const begun = performance.now();
    expect(await terminated({ timeout: 300 })).toMatchObject({
      pid: fixture.pid,
      outcome: 'timeout',
    });
    expect(performance.now() - begun).toBeGreaterThanOrEqual(299);
    await isUnharmed(fixture);
  });

  test('killed: it did not, and had to', async () => {
    const fixture = await daemon({ sigterm: 'ignore' });
    const result = await terminated({ timeout: 300, kill: true });
    expect(result).toMatchObject({ pid: fixture.pid, outcome: 'killed' });
    const { code, signal } = await fixture.end();
    expect({ code, signal }).toEqual(deathWithoutHandler('SIGKILL'));
  });

  test('exited and not killed, when it ends in time', async () => {
    const fixture = await daemon({ sigterm: 'exit' });
    const result = await terminated({ kill: true });
    expect(result).toMatchObject({ pid: fixture.pid, outcome: 'exited' });
    expect(await fixture.end()).toMatchObject({ code: 0, signal: null });
  });

  test('not-running: there is no file', async () => {
    expect(await terminated()).toEqual({ pid: null, outcome: 'not-running' });
  });

  test('not-running: the file is empty, as a daemon leaves it that may not delete it', async () => {
    writeFileSync(pidFile, '');
    expect(await terminated()).toEqual({ pid: null, outcome: 'not-running' });
  });

  test('not-running: its process is gone', async () => {
    const fixture = await daemon({});
    fixture.child.kill('SIGKILL');
    await fixture.end();
    writeFileSync(pidFile, `${fixture.pid}\n`);
    expect(await terminated()).toEqual({ pid: null, outcome: 'not-running' });
  });

  test('not-running: its number belongs to an unrelated process by now', async () => {
    const unrelated = await daemon({}, join(directory, 'other.pid'));
    writeFileSync(pidFile, `${unrelated.pid}\n`);
    const longAgo = new Date(Date.now() - 3_600_000);
    utimesSync(pidFile, longAgo, longAgo);
    const result = await terminated({ kill: true, timeout: 100 });
    expect(result).toEqual({ pid: null, outcome: 'not-running' });
    await isUnharmed(unrelated);
  });

  onUnix.test('a zombie counts as gone', async () => {
    // The shell's place is taken by a program that never asks for its child's status.
    const fixture = start('daemon', [pidFile, '{"sigterm":"exit"}'], {
      wrapper: ['sh', '-c', 'exec 3<&0; "$@" <&3 & exec sleep 600', 'sh'],
    });
    const { pid } = await fixture.hears('ready');
    const result = await terminated();
    expect(result).toEqual({ pid, outcome: 'exited' }); // how, only its parent may ask
    expect(() => process.kill(pid as number, 0)).not.toThrow(); // it is one
    fixture.kill('SIGKILL');
  });
});

withExitStatus('with what', () => {
  test.each([0, 3, 124])('the exit code %i', async (exitCode) => {
    const fixture = await daemon({});
    const wait = terminate(pidFile, { signal: 0 });
    fixture.tell(`exit ${exitCode}`);
    expect(await wait).toEqual({ pid: fixture.pid, outcome: 'exited', exitCode });
  });

  test('the signal of the default handler; on Windows, 128 and its number', async () => {
    const fixture = await daemon({ sigterm: 'raise' });
    const how = IS_WINDOWS ? { exitCode: 143 } : { signal: 'SIGTERM' };
    expect(await terminated()).toEqual({ pid: fixture.pid, outcome: 'exited', ...how });
  });

  test('SIGKILL; on Windows, its number', async () => {
    const fixture = await daemon({ sigterm: 'ignore' });
    const how = IS_WINDOWS ? { exitCode: 9 } : { signal: 'SIGKILL' };
    const result = await terminated({ timeout: 100, kill: true });
    expect(result).toEqual({ pid: fixture.pid, outcome: 'killed', ...how });
  });
});

describe('an error', () => {
  test('for a file that is no PID file', async () => {
    writeFileSync(pidFile, 'nonsense\n');
    await expect(terminate(pidFile)).rejects.toMatchObject({ code: 'ERR_PID_FILE_INVALID' });
  });

  onLinuxAndWindows.test('for a file that another process has locked', async () => {
    const fixture = await daemon({});
    const unrelated = await daemon({}, join(directory, 'other.pid'));
    writeFileSync(pidFile, `${unrelated.pid}\n`);
    await expect(terminate(pidFile)).rejects.toMatchObject({ code: 'ERR_PID_FILE_FOREIGN' });
    await isUnharmed(unrelated);
    await isUnharmed(fixture);
  });

  asRoot.test('for a process of somebody else: EPERM', async () => {
    chmodSync(directory, 0o755);
    const fixture = await daemon({});
    const script = ['return daemoniker.terminate(args[0])', pidFile];
    const other = start('script', script, AS_NOBODY);
    expect(await other.hears('threw')).toMatchObject({ name: 'SignalError', code: 'EPERM' });
    await isUnharmed(fixture);
  });

  test.each([
    [{ signal: 'SIGNONE' }, 'ERR_UNKNOWN_SIGNAL'],
    [{ timeout: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ timeout: '5' }, 'ERR_INVALID_ARG_TYPE'],
    [{ kill: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ abortSignal: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ abortSignal: { aborted: false } }, 'ERR_INVALID_ARG_TYPE'],
    [{ wait: 5 }, 'ERR_INVALID_ARG_VALUE'],
  ])('for the options %p', async (options, code) => {
    const promise = terminate(pidFile, options as unknown as TerminateOptions);
    await expect(promise).rejects.toMatchObject({ code });
  });
});

describe('while it waits', () => {
  test('it can be given up; the daemon keeps its signal', async () => {
    const fixture = await daemon({ sigterm: 'say' });
    const script = start('script', [
      `
        const controller = new AbortController();
        const promise = daemoniker.terminate(args[0], { abortSignal: controller.signal });
        say('waits');
        setImmediate(() => controller.abort());
        return promise;
      `,
      pidFile,
    ]);
    expect(await script.hears('threw')).toMatchObject({ name: 'AbortError' });
    expect(await script.end()).toMatchObject({ code: 0 });
    await fixture.hears('handled');
    expect(ping(pidFile)).toBe(true);
  });

  test('given up before, it signals nobody', async () => {
    const fixture = await daemon({ sigterm: 'exit' });
    const reason = new Error('changed my mind');
    const abortSignal = AbortSignal.abort(reason);
    await expect(terminate(pidFile, { abortSignal })).rejects.toBe(reason);
    // Also by a polyfill from before throwIfAborted().
    const polyfill = Object.assign(new EventTarget(), { aborted: true, reason });
    const older = { abortSignal: polyfill as unknown as AbortSignal };
    await expect(terminate(pidFile, older)).rejects.toBe(reason);
    await isUnharmed(fixture);
  });

  test('neither the event loop nor the thread pool does', async () => {
    const fixture = await daemon({ sigterm: 'ignore' });
    const script = start(
      'script',
      [
        `
          const { stat } = require('node:fs/promises');
          const options = { timeout: Infinity };
          const waits = [1, 2, 3, 4, 5].map(() => daemoniker.terminate(args[0], options));
          for (let stats = 0; stats < 20; stats++) await stat(args[0]);
          say('has turned');
          const results = await Promise.all(waits);
          return results.map(({ outcome }) => outcome);
        `,
        pidFile,
      ],
      { env: { ...process.env, UV_THREADPOOL_SIZE: '1' } },
    );
    await script.hears('has turned');
    fixture.child.kill('SIGKILL');
    const { value } = await script.hears('returned');
    expect(value).toEqual(Array(5).fill('exited'));
  });

  test('several callers all learn of the end', async () => {
    const fixture = await daemon({ sigterm: 'ignore' });
    const waits = [1, 2, 3].map(() => terminate(pidFile));
    fixture.child.kill('SIGKILL');
    const results = await Promise.all(waits);
    expect(results.map(({ outcome }) => outcome)).toEqual(['exited', 'exited', 'exited']);
  });

  test('signal 0 sends nothing', async () => {
    const fixture = await daemon({ sigterm: 'exit' });
    const wait = terminate(pidFile, { signal: 0 });
    await isUnharmed(fixture);
    fixture.tell('exit 0');
    expect(await wait).toMatchObject({ pid: fixture.pid, outcome: 'exited' });
  });
});

onLinux('where pidfds are refused, as by some containers', () => {
  withTools('python3')('with a seccomp filter', () => {
    test.each([
      [{}, { sigterm: 'exit' }, 'exited'],
      [{ timeout: 100 }, { sigterm: 'ignore' }, 'timeout'],
      [{ timeout: 100, kill: true }, { sigterm: 'ignore' }, 'killed'],
    ])('%p ends a daemon %p: %s', async (options, settings, outcome) => {
      const { pid } = await daemon(settings);
      const script = start(
        'script',
        [
          'return daemoniker.terminate(args[0], JSON.parse(args[1]))',
          pidFile,
          JSON.stringify(options),
        ],
        { wrapper: ['python3', join(FIXTURES, 'refuse.py'), 'pidfd_open=ENOSYS', '--'] },
      );
      expect(await script.hears('returned')).toMatchObject({ value: { pid, outcome } });
    });
  });
});

onLinux.test(
  'without a process handle, the end is noticed as well, and can be given up',
  async () => {
    const fixture = await daemon({});
    const script = start('script', [
      `
      const native = require('node-gyp-build')(args[0]);
      const pid = Number(args[1]);
      const { birth } = native.describeProcess(pid, -1);
      native.stopWaiting(native.waitForExit(pid, -1, birth, () => say('never')));
      const other = await new Promise((resolve) => {
        const watch = native.waitForExit(pid, -1, birth - 1, () => resolve(watch));
      });
      native.stopWaiting(other); // the number belonged to another process
      const watch = await new Promise((resolve) => {
        const watch = native.waitForExit(pid, -1, birth, () => resolve(watch));
        say('waits');
      });
      native.stopWaiting(watch);
    `,
      ROOT,
      String(fixture.pid),
    ]);
    await script.hears('waits');
    fixture.tell('exit 0');
    await script.hears('returned');
    const ending = await script.end();
    expect(ending).toMatchObject({ code: 0, stderr: '' });
    expect(ending.stdout).not.toContain('never');
  },
);

describe('nothing is left over', () => {
  onLinux.test('no descriptor and no thread, whatever the outcome', async () => {
    await daemon({ sigterm: 'ignore' });
    const script = start('script', [
      `
        const { readdirSync } = require('node:fs');
        const count = () => ['fd', 'task'].map((name) => readdirSync('/proc/self/' + name).length);
        const some = async () => {
          for (let i = 0; i < 20; i++) {
            await daemoniker.terminate(args[0], { timeout: 1, abortSignal: undefined });
            const abortSignal = AbortSignal.timeout(1);
            await daemoniker.terminate(args[0], { abortSignal }).catch(() => undefined);
          }
        };
        await some();
        const before = count();
        await some();
        const after = count();
        return after.map((number, i) => number - before[i]);
      `,
      pidFile,
    ]);
    const { value } = await script.hears('returned');
    for (const more of value as number[]) expect(more).toBeLessThan(10); // of 40 waits
  });

  test('when a worker is ended that waits', async () => {
    const fixture = await daemon({ sigterm: 'say' });
    const script = start('script', [
      `
        const { Worker } = require('node:worker_threads');
        const { once } = require('node:events');
        const code = \`
          const { terminate } = require(\${JSON.stringify(require.resolve('../../'))});
          const { workerData, parentPort } = require('node:worker_threads');
          terminate(workerData, { signal: 0, timeout: Infinity }).then(
            (result) => parentPort.postMessage(result),
          );
          parentPort.postMessage('waits');
        \`;
        for (let i = 0; i < 5; i++) {
          const worker = new Worker(code, { eval: true, workerData: args[0] });
          await once(worker, 'message');
          await worker.terminate();
        }
        const worker = new Worker(code, { eval: true, workerData: args[0] });
        await once(worker, 'message');
        say('waits');
        return (await once(worker, 'message'))[0];
      `,
      pidFile,
    ]);
    await script.hears('waits');
    fixture.tell('exit 0');
    const { value } = await script.hears('returned');
    expect(value).toMatchObject({ pid: fixture.pid, outcome: 'exited' });
    expect(await script.end()).toMatchObject({ code: 0, signal: null });
  });

  test('when the process exits while it waits', async () => {
    await daemon({ sigterm: 'ignore' });
    const script = start('script', [
      'daemoniker.terminate(args[0]); setImmediate(() => process.exit(5));',
      pidFile,
    ]);
    expect(await script.end()).toMatchObject({ code: 5, signal: null });
  });
});
