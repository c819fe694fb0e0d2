// send() and terminate() of a child or a process ID: a parent ends its children gracefully, and never
// another process that has the number of one by now.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { send, terminate } from '../../';
import { caught } from '../support/caught';
import { alsoEnd, directory } from '../support/each_test';
import { AS_NOBODY, FOR_NOBODY, asRoot } from '../support/nobody';
import { onLinux, onUnix, withTools } from '../support/platform';
import { run } from '../support/program';
import { FIXTURES, IS_WINDOWS, RUNTIME } from '../support/runtime';
import { SENT } from '../support/sending';
import { Session } from '../support/session';

const DAEMON = join(FIXTURES, 'daemon.cjs');

const stopped: number[] = [];
alsoEnd(() => stopped.splice(0));

// $0: its command, $1: options, $2: by which function of node:child_process.
const SPAWN = `new Promise((resolve, reject) => {
  const options = { stdio: ['pipe', 'pipe', 'inherit'], ...$1 };
  kept.child = require('node:child_process')[$2]($0[0], $0.slice(1), options).on('error', reject);
  kept.text = '';
  kept.child.stdout.setEncoding('utf8').on('data', (text) => {
    kept.text += text;
    if (kept.text.includes('"ready"')) resolve(kept.child.pid);
  });
})`;

/** A parent, and its child: test/fixtures/daemon.cjs, `kept.child` there, which writes into `kept.text`. */
async function family(
  settings: object,
  options: object = {},
  how: 'spawn' | 'fork' | 'execFile' = 'spawn',
): Promise<{ parent: Session; pid: number }> {
  const parent = await Session.start();
  const args = [DAEMON, '-', JSON.stringify(settings)];
  const command = how === 'fork' ? args : [...RUNTIME, ...args];
  const pid = (await parent.value(SPAWN, command, options, how)) as number;
  return { parent, pid };
}

const isUnharmed = async (parent: Session): Promise<void> =>
  expect(await parent.value('[kept.child.exitCode, kept.child.signalCode]')).toEqual([null, null]);

/** What terminate() says of a process that this signal terminates without a handler. */
const by = (name: 'SIGTERM' | 'SIGKILL'): object =>
  IS_WINDOWS ? { exitCode: name === 'SIGTERM' ? 15 : 9 } : { signal: name };

describe('terminate(child)', () => {
  test.each([
    ['spawn()', {}, 'spawn'],
    ['spawn(), detached', { detached: true }, 'spawn'],
    ['fork(), with its channel', { stdio: ['pipe', 'pipe', 'inherit', 'ipc'] }, 'fork'],
    ['execFile()', {}, 'execFile'],
  ] as const)('lets the handler of a child of %s end it', async (_, options, how) => {
    const { parent, pid } = await family({ sigterm: 'exit' }, options, how);
    const ended = await parent.value('terminate(kept.child)');
    expect(ended).toEqual({ pid, outcome: 'exited', exitCode: 0 });
    expect(await parent.value('kept.text')).toContain('{"event":"exit","code":0}');
  });

  test('ends one that has no handler', async () => {
    const parent = await Session.start();
    const program = 'process.stdin.resume(); console.log(`"ready"`)';
    const plain = join(directory, 'plain.cjs');
    writeFileSync(plain, program);
    const pid = await parent.value(SPAWN, [...RUNTIME, plain], {}, 'spawn');
    const ended = await parent.value('terminate(kept.child)');
    expect(ended).toEqual({ pid, outcome: 'exited', ...by('SIGTERM') });
  });

  test('kills one that does not end in time, if told to', async () => {
    const { parent, pid } = await family({ sigterm: 'ignore' });
    expect(await parent.value('terminate(kept.child, { timeout: 50 })')).toEqual({
      pid,
      outcome: 'timeout',
    });
    await isUnharmed(parent);
    expect(await parent.value('terminate(kept.child, { timeout: 50, kill: true })')).toEqual({
      pid,
      outcome: 'killed',
      ...by('SIGKILL'),
    });
  });

  test('knows how the child has ended, once its exit event has come, and leaves no listener', async () => {
    const { parent, pid } = await family({});
    const result = await parent.value(`(() => {
      const before = kept.child.listenerCount('exit');
      let heard = 0;
      kept.child.on('exit', () => heard++);
      const wait = terminate(kept.child, { signal: 0 });
      kept.child.stdin.write('exit 3\\n');
      return wait.then((ended) => {
        const listeners = kept.child.listenerCount('exit') - before - 1;
        return { ended, heard, listeners };
      });
    })()`);
    expect(result).toEqual({
      ended: { pid, outcome: 'exited', exitCode: 3 },
      heard: 1,
      listeners: 0,
    });
  });

  test('asked twice, tells both', async () => {
    const { parent, pid } = await family({});
    // It ends once both have asked: a signal that comes during the exit finds no handler any more.
    const both = await parent.value(`(() => {
      const both = [terminate(kept.child), terminate(kept.child)];
      kept.child.stdin.write('exit 0\\n');
      return Promise.all(both);
    })()`);
    expect(both).toEqual(Array(2).fill({ pid, outcome: 'exited', exitCode: 0 }));
  });

  test('works in a worker thread, of a child of that thread', async () => {
    const program = run(
      ({ say, args, require }) => {
        const { Worker } = require('node:worker_threads') as typeof import('node:worker_threads');
        const source = `
          const { parentPort, workerData } = require('node:worker_threads');
          const { spawn } = require('node:child_process');
          const { terminate } = require(workerData.path);
          const [command, ...words] = workerData.command;
          const child = spawn(command, words, { stdio: ['pipe', 'pipe', 'inherit'] });
          child.stdout.once('data', async () => parentPort.postMessage(await terminate(child)));`;
        const command = JSON.parse(args[0] as string) as string[];
        const workerData = { path: require.resolve('../../'), command };
        const worker = new Worker(source, { eval: true, workerData });
        worker.on('message', (ended: object) => say('ended', ended));
      },
      [JSON.stringify([...RUNTIME, DAEMON, '-', '{"sigterm":"exit"}'])],
    );
    expect(await program.hears('ended')).toMatchObject({ outcome: 'exited', exitCode: 0 });
    expect(await program.end()).toMatchObject({ code: 0, stderr: '' });
  });

  onUnix.test('does not continue a suspended child, and can kill it', async () => {
    const { parent, pid } = await family({ sigterm: 'exit' });
    stopped.push(pid);
    process.kill(pid, 'SIGSTOP');
    const ended = await parent.value('terminate(kept.child, { timeout: 50 })');
    expect(ended).toEqual({ pid, outcome: 'timeout' });
    await isUnharmed(parent);
    expect(
      await parent.value('terminate(kept.child, { signal: 0, timeout: 50, kill: true })'),
    ).toEqual({ pid, outcome: 'killed', ...by('SIGKILL') });
  });

  onUnix.test('has a suspended child handle the signal when it goes on', async () => {
    const { parent, pid } = await family({ sigterm: 'exit' });
    stopped.push(pid);
    const ended = parent.value(`(() => {
      process.kill(kept.child.pid, 'SIGSTOP');
      const wait = terminate(kept.child);
      process.kill(kept.child.pid, 'SIGCONT');
      return wait;
    })()`);
    expect(await ended).toEqual({ pid, outcome: 'exited', exitCode: 0 });
  });
});

test('send() reaches the handler of a child, which sees its parent as the sender', async () => {
  const { parent } = await family({});
  const text = await parent.value(`new Promise((resolve) => {
    send(kept.child, 0);
    send(kept.child, 'SIGTERM');
    const look = () => {
      if (kept.text.includes('"handled"')) resolve(kept.text);
      else kept.child.stdout.once('data', look);
    };
    look();
  })`);
  const handled = String(text)
    .split('\n')
    .find((line) => line.includes('"handled"'));
  expect(JSON.parse(handled ?? '')).toMatchObject({
    name: 'SIGTERM',
    origin: SENT,
    sender: { pid: parent.pid },
  });
});

describe('a child that is not running', () => {
  const NOT_RUNNING = { pid: null, outcome: 'not-running' };

  test('because it has ended: not-running, and ESRCH', async () => {
    const { parent, pid } = await family({});
    await parent.value(
      `new Promise((resolve) => kept.child.once('exit', () => resolve(true)).stdin.end())`,
    );
    expect(await parent.value('terminate(kept.child, { kill: true })')).toEqual(NOT_RUNNING);
    const error = await parent.error('send(kept.child, SIGTERM)');
    expect(error).toMatchObject({ name: 'SignalError', code: 'ESRCH', pid, syscall: 'kill' });
    expect(error['message']).toContain(`Child process ${pid}: ESRCH`);
  });

  test('unless what does not say how it ended still runs', async () => {
    const { parent, pid } = await family({ sigterm: 'exit' });
    const child = `Object.assign(Object.create(kept.child), { exitCode: undefined, signalCode: undefined })`;
    expect(await parent.value(`terminate(${child})`)).toMatchObject({ pid, outcome: 'exited' });
  });

  test('because it was never started: not-running, and ESRCH', async () => {
    const parent = await Session.start();
    const path = join(directory, 'none');
    await parent.value(
      `new Promise((resolve) => {
        kept.child = require('node:child_process').spawn($0).on('error', () => resolve(true));
      })`,
      path,
    );
    expect(await parent.value('terminate(kept.child)')).toEqual(NOT_RUNNING);
    const error = await parent.error('send(kept.child, SIGTERM)');
    expect(error).toMatchObject({ name: 'SignalError', code: 'ESRCH' });
    expect(error['pid']).toBeUndefined();
    expect(error['message']).toContain('never started');
  });

  onLinux.test('because it is a zombie whose exit event is still to come', async () => {
    const parent = await Session.start();
    const result = await parent.value(`(() => {
      const { readFileSync } = require('node:fs');
      const child = require('node:child_process').spawn('true');
      while (!/\\) Z /.test(readFileSync('/proc/' + child.pid + '/stat', 'utf8')));
      const known = [child.exitCode, child.signalCode];
      let code;
      try { send(child, 0); } catch (error) { code = error.code; }
      return terminate(child, { kill: true }).then((ended) => ({ known, code, ended }));
    })()`);
    expect(result).toEqual({ known: [null, null], code: 'ESRCH', ended: NOT_RUNNING });
  });

  test('is not mistaken for a stranger that has its number', async () => {
    const stranger = await Session.start();
    const parent = await Session.start();
    // What is left of a child whose status something else has collected: no exit event will come.
    const child = { pid: stranger.pid, exitCode: null, signalCode: null };
    expect(await parent.value('terminate($0, { kill: true })', child)).toEqual(NOT_RUNNING);
    for (const signal of [0, 'SIGTERM', 'SIGKILL']) {
      const error = await parent.error('send($0, $1)', child, signal);
      expect(error).toMatchObject({ code: 'ESRCH', pid: stranger.pid });
    }
    expect(await stranger.value('"alive"')).toBe('alive');
  });
});

describe('a process ID', () => {
  test('is signalled, and waited for', async () => {
    const { parent, pid } = await family({ sigterm: 'exit' });
    send(pid, 0);
    expect(await terminate(pid, { timeout: 0, signal: 0 })).toEqual({ pid, outcome: 'timeout' });
    const ended = await terminate(pid);
    expect(ended).toMatchObject({ pid, outcome: 'exited' });
    expect([0, undefined]).toContain(ended.exitCode); // where the system tells
    expect(await parent.value('kept.text')).toContain('{"event":"exit","code":0}');
  });

  test('of a process that is gone: not-running, and ESRCH', async () => {
    const gone = await Session.start();
    gone.fixture.child.stdin?.end();
    await gone.fixture.end();
    expect(await terminate(gone.pid)).toEqual({ pid: null, outcome: 'not-running' });
    const error = caught(() => send(gone.pid, 'SIGTERM'));
    expect(error).toMatchObject({ name: 'SignalError', code: 'ESRCH', pid: gone.pid });
    expect(error.message).toBe(`Process ${gone.pid}: ESRCH: no such process`);
    expect(error).not.toHaveProperty('path');
  });

  test('of the process itself reaches its own handler', async () => {
    const program = run(({ daemoniker, say, plain }) => {
      const handler = new daemoniker.SignalHandler1(null, {
        sigterm: () => {
          say('handled', plain(handler.received));
          process.exit();
        },
      })
        .start()
        .ref();
      daemoniker.send(process.pid, 'SIGTERM');
    });
    expect(await program.hears('handled')).toMatchObject({ sender: { pid: program.pid } });
  });

  onLinux.test('of a thread is no process', async () => {
    const session = await Session.start();
    const threads = (await session.value(
      'require("fs").readdirSync("/proc/self/task")',
    )) as string[];
    const thread = Number(threads.find((id) => Number(id) !== session.pid));
    expect(caught(() => send(thread, 0))).toMatchObject({ code: 'ESRCH' });
  });
});

describe('the target', () => {
  test.each([
    [0, 'ERR_OUT_OF_RANGE', '"target"'],
    [-1, 'ERR_OUT_OF_RANGE', '"target"'],
    [1.5, 'ERR_OUT_OF_RANGE', '"target"'],
    [NaN, 'ERR_OUT_OF_RANGE', '"target"'],
    [2 ** 31, 'ERR_OUT_OF_RANGE', '"target"'],
    ['', 'ERR_INVALID_ARG_VALUE', '"target"'],
    [null, 'ERR_INVALID_ARG_TYPE', '"target"'],
    [undefined, 'ERR_INVALID_ARG_TYPE', '"target"'],
    [42n, 'ERR_INVALID_ARG_TYPE', '"target"'],
    [{ pid: process.pid }, 'ERR_INVALID_ARG_TYPE', '"target"'],
    [{ pid: '42', exitCode: null, signalCode: null }, 'ERR_INVALID_ARG_TYPE', '"target.pid"'],
    [{ pid: -42, exitCode: null, signalCode: null }, 'ERR_OUT_OF_RANGE', '"target.pid"'],
  ])('%p is refused: %s', async (value, code, name) => {
    const target = value as unknown as number;
    const error = caught(() => send(target, 0));
    expect(error).toMatchObject({ code });
    expect(error.message).toContain(name);
    await expect(terminate(target, { signal: 0, timeout: 0 })).rejects.toMatchObject({ code });
  });

  test('cannot be the global process', () => {
    const target = process as unknown as number;
    expect(caught(() => send(target, 0))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
  });

  test('that is a string is a path, also if it looks like a number', async () => {
    const parent = await Session.start({ cwd: directory });
    const error = await parent.error('send($0, 0)', String(parent.pid));
    // Not as for a PID file that is not there, which terminate() takes for a daemon that does not run.
    expect(error).toMatchObject({ isPidFileError: false, code: 'ERR_INVALID_ARG_VALUE' });
    expect(error['message']).toContain('to mean a process ID, pass a number');
    writeFileSync(join(directory, '4711'), `${parent.pid}\n`);
    await parent.value('send("4711", 0)');
  });

  test('is looked at after the other arguments have been', () => {
    expect(caught(() => send(2 ** 31 - 1, 'SIGNONE'))).toMatchObject({
      code: 'ERR_UNKNOWN_SIGNAL',
    });
  });
});

asRoot('with other users and namespaces', () => {
  test('a process of another user is EPERM, which says whose it is and who asks', async () => {
    const daemon = await Session.start();
    const nobody = await Session.start(AS_NOBODY);
    for (const ask of ['send($0, SIGTERM)', 'terminate($0)']) {
      const error = await nobody.error(ask, daemon.pid);
      expect(error).toMatchObject({ name: 'SignalError', code: 'EPERM', pid: daemon.pid });
      expect(error['message']).toBe(
        `Cannot signal process ${daemon.pid}: EPERM: operation not permitted; ` +
          'the process belongs to root, and this one to nobody',
      );
    }
    expect(await daemon.value('"alive"')).toBe('alive');
  });

  test('a child of another user is ended by its parent', async () => {
    const { uid, gid, root, ...options } = AS_NOBODY;
    const parent = await Session.start({ root });
    const command = [...RUNTIME, join(root, 'test', 'fixtures', 'daemon.cjs')];
    const args = [...command, '-', '{"sigterm":"exit"}'];
    const pid = await parent.value(SPAWN, args, { uid, gid, ...options }, 'spawn');
    const ended = await parent.value('terminate(kept.child)');
    expect(ended).toEqual({ pid, outcome: 'exited', exitCode: 0 });
  });

  test('PID 1 is nothing special: who gives a number knows whose it is', async () => {
    send(1, 0);
    expect(await terminate(1, { signal: 0, timeout: 0 })).toEqual({ pid: 1, outcome: 'timeout' });
  });

  withTools(
    'unshare',
    'mount',
    'setpriv',
  )('where /proc hides the processes of others', () => {
    test('a number is signalled all the same, as kill(2) would', async () => {
      const daemon = await Session.start();
      const nobody = await Session.start({
        ...FOR_NOBODY,
        wrapper: [
          ...['unshare', '--mount', '--propagation', 'private'],
          ...['sh', '-c', 'mount -t proc -o hidepid=2 proc /proc && exec "$@"', 'sh'],
          ...['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'],
        ],
      });
      expect(await nobody.error('send($0, 0)', daemon.pid)).toMatchObject({ code: 'EPERM' });
    });
  });

  withTools('unshare')('in a PID namespace', () => {
    test('a child is found where /proc is that of another namespace', async () => {
      const parent = await Session.start({
        wrapper: ['unshare', '--pid', '--fork', '--kill-child'],
      });
      const args = [...RUNTIME, DAEMON, '-', '{"sigterm":"exit"}'];
      const pid = await parent.value(SPAWN, args, {}, 'spawn');
      const ended = await parent.value('terminate(kept.child)');
      expect(ended).toEqual({ pid, outcome: 'exited', exitCode: 0 });
    });

    withTools('python3')('whose numbers can be chosen', () => {
      test.each([
        ['with a pidfd', []],
        ['without', ['python3', join(FIXTURES, 'refuse.py'), 'pidfd_open=ENOSYS', '--']],
      ])(
        'SIGKILL after the timeout does not reach who has the number by then, %s',
        async (_, refusing) => {
          const parent = await Session.start({
            wrapper: [...refusing, 'unshare', '--pid', '--mount-proc', '--fork', '--kill-child'],
          });
          let result = { reused: false };
          // A thread of the runtime may take the number first.
          for (let round = 0; round < 20 && !result.reused; round++) {
            // The shell collects the status of its child at once, whatever the event loop does.
            const shell = ['sh', '-c', 'sleep 600 & echo "$!" \\"ready\\"; wait'];
            await parent.value(SPAWN, shell, {}, 'spawn');
            result = (await parent.value(`(() => {
            const fs = require('node:fs');
            const { spawn } = require('node:child_process');
            const pid = parseInt(kept.text, 10);
            // Two of one number that have started within the same 10 ms cannot be told apart.
            const read = (name) => fs.readFileSync('/proc/' + name, 'utf8');
            const started = Number(read(pid + '/stat').split(' ')[21]);
            while (parseFloat(read('uptime')) * 100 < started + 2);
            const wait = terminate(pid, { signal: 0, timeout: 1, kill: true });
            process.kill(pid, 'SIGKILL');
            while (fs.existsSync('/proc/' + pid));
            let newcomer;
            for (let attempt = 0; attempt < 5 && newcomer?.pid !== pid; attempt++) {
              fs.writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1));
              newcomer = spawn('sleep', ['600']);
            }
            return wait.then(({ outcome }) => ({
              reused: newcomer.pid === pid,
              outcome,
              harm: [newcomer.exitCode, newcomer.signalCode],
              state: read(newcomer.pid + '/stat').split(' ')[2],
            }));
          })()`)) as { reused: boolean };
          }
          expect(result).toEqual({
            reused: true,
            outcome: 'exited',
            harm: [null, null],
            state: expect.stringMatching(/[SRD]/) as unknown,
          });
        },
      );
    });
  });
});
