// start({ wait }): the signals at once, the PID file when its holder lets it go.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ping, send, type SignalHandler1 } from '../../';
import { directory, pidFile } from '../support/each_test';
import type { Fixture } from '../support/fixture';
import { asRoot } from '../support/nobody';
import { contentHeldBy } from '../support/pid_file';
import { onLinux, onNode, onNodeOnLinux, onNodeOnUnix, withTools } from '../support/platform';
import { startProgram } from '../support/processes';
import { run } from '../support/program';
import { ROOT } from '../support/runtime';
import { Session } from '../support/session';

const START = '(kept.handler = new SignalHandler1($0).start(), true)';
/** Starts to wait: $1 are the options. */
const WAIT = `(() => {
  kept.options = $1;
  kept.handler = new SignalHandler1($0, { sigterm: () => say('handled') });
  kept.waiting = kept.handler.start(kept.options).then(
    (handler) => (say('claimed'), { started: handler === kept.handler }),
    (error) => ({ name: error.name, code: error.code, pid: error.pid }),
  );
  return kept.waiting instanceof Promise;
})()`;
const OUTCOME = 'kept.waiting';
const FOR_EVER = { wait: 2 ** 31 - 1 };

async function startWaiting(options: object = FOR_EVER): Promise<Session> {
  const successor = await Session.start();
  expect(await successor.value(WAIT, pidFile, options)).toBe(true);
  return successor;
}

test('a free file is claimed at once', async () => {
  const daemon = await startWaiting({ wait: 0 });
  expect(await daemon.value(OUTCOME)).toEqual({ started: true });
  expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(daemon.pid));
  await daemon.value('kept.handler.stop()');
  expect(existsSync(pidFile)).toBe(false);
});

test('without a PID file there is nothing to wait for', async () => {
  const daemon = await Session.start();
  await daemon.value(WAIT, null, { wait: 0 });
  expect(await daemon.value(OUTCOME)).toEqual({ started: true });
});

describe('while another daemon holds the file', () => {
  let holder: Session;

  beforeEach(async () => {
    holder = await Session.start();
    await holder.value(START, pidFile);
  });

  test.each([
    ['stops', async (one: Session) => one.value('kept.handler.stop()')],
    [
      'exits',
      async (one: Session) => {
        one.fixture.tell(JSON.stringify(['process.exit(0)']));
        return one.fixture.end();
      },
    ],
    [
      'is killed',
      async (one: Session) => {
        one.fixture.kill('SIGKILL');
        return one.fixture.end();
      },
    ],
  ])('it waits until that one %s', async (_, ends) => {
    const successor = await startWaiting();
    expect(ping(pidFile)).toBe(true);
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(holder.pid));
    await ends(holder);
    expect(await successor.value(OUTCOME)).toEqual({ started: true });
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(successor.pid));
    send(pidFile, 'SIGTERM');
    await successor.fixture.hears('handled');
  });

  test('it gives up when the time is over: ERR_PID_FILE_LOCKED, and nothing is handled', async () => {
    const successor = await startWaiting({ wait: 50 });
    expect(await successor.value(OUTCOME)).toEqual({
      name: 'PidFileError',
      code: 'ERR_PID_FILE_LOCKED',
      pid: holder.pid,
    });
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(holder.pid));
    await successor.value(WAIT, pidFile, FOR_EVER); // it can try again
    await holder.value('kept.handler.stop()');
    expect(await successor.value(OUTCOME)).toEqual({ started: true });
  });

  test('signals are handled already', async () => {
    const successor = await startWaiting();
    successor.fixture.kill('SIGTERM');
    await successor.fixture.hears('handled');
    await holder.value('kept.handler.stop()');
    expect(await successor.value(OUTCOME)).toEqual({ started: true });
  });

  test('stop() ends the wait: ERR_HANDLER_STOPPED', async () => {
    const successor = await startWaiting();
    await successor.value('kept.handler.stop()');
    expect(await successor.value(OUTCOME)).toMatchObject({
      name: 'SignalError',
      code: 'ERR_HANDLER_STOPPED',
    });
    await holder.value('kept.handler.stop()');
    expect(existsSync(pidFile)).toBe(false);
    // It is like one that never was started.
    await successor.value('(kept.handler.start(), true)');
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(successor.pid));
  });

  test('stop() and start() in a row end the first wait, and not the second', async () => {
    const successor = await startWaiting();
    await successor.value(
      '(kept.first = kept.waiting, kept.handler.stop(), kept.waiting = kept.handler.start($0).then(() => "second"), true)',
      FOR_EVER,
    );
    expect(await successor.value('kept.first')).toMatchObject({ code: 'ERR_HANDLER_STOPPED' });
    await holder.value('kept.handler.stop()');
    expect(await successor.value(OUTCOME)).toBe('second');
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(successor.pid));
  });

  test('a second start() is ERR_HANDLER_RUNNING', async () => {
    const successor = await startWaiting();
    for (const again of ['kept.handler.start()', 'kept.handler.start(kept.options)']) {
      expect(await successor.error(again)).toMatchObject({ code: 'ERR_HANDLER_RUNNING' });
    }
    await holder.value('kept.handler.stop()');
    expect(await successor.value(OUTCOME)).toEqual({ started: true });
  });

  onNode.test('a second one in the middle of the first is, too', async () => {
    const successor = await Session.start();
    await successor.value(
      `(() => {
        const { createHook } = require('node:async_hooks');
        kept.handler = new SignalHandler1($0);
        const init = (id, type) => {
          if (type !== 'SignalHandler1' || kept.again !== undefined) return;
          try {
            kept.again = kept.handler.start();
          } catch (error) {
            kept.again = error.code;
          }
        };
        const hook = createHook({ init }).enable();
        kept.waiting = kept.handler.start({ wait: Infinity }).then(() => 'started');
        hook.disable();
        return true;
      })()`,
      pidFile,
    );
    expect(await successor.value('kept.again')).toBe('ERR_HANDLER_RUNNING');
    await holder.value('kept.handler.stop()');
    expect(await successor.value(OUTCOME)).toBe('started');
  });

  onNode.test('the event loop is not blocked by it', async () => {
    const successor = await Session.start();
    // Each look tries once: where the lock cannot be had, a pause would block.
    await successor.value(`(() => {
      const key = Object.getOwnPropertySymbols(process)
        .find(({ description }) => description.startsWith('daemoniker.registry.'));
      const { native } = process[key];
      const { examinePath } = native;
      native.examinePath = (path) => ({ ...examinePath(path), lock: 0 }); // as if it were free
      kept.pauses = 0;
      const { wait } = Atomics;
      Atomics.wait = (...args) => (kept.pauses++, wait(...args));
    })()`);
    await successor.value(WAIT, pidFile, { wait: 300 });
    expect(await successor.value(OUTCOME)).toMatchObject({ code: 'ERR_PID_FILE_LOCKED' });
    expect(await successor.value('kept.pauses')).toBe(0);
  });

  test('abortSignal ends the wait with its reason', async () => {
    const successor = await Session.start();
    const start = `(() => {
      kept.handler = new SignalHandler1($0);
      kept.controller = new AbortController();
      const abortSignal = kept.controller.signal;
      kept.waiting = kept.handler.start({ wait: Infinity, abortSignal }).catch((error) => error);
      return true;
    })()`;
    await successor.value(start, pidFile);
    await successor.value('kept.controller.abort("reason")');
    expect(await successor.value(OUTCOME)).toBe('reason');
    await holder.value('kept.handler.stop()');
    await successor.value('(kept.handler.start(), true)');
    await successor.value('kept.handler.stop()');
    expect(
      await successor.value(
        'kept.handler.start({ wait: 1, abortSignal: kept.controller.signal }).catch(String)',
      ),
    ).toBe('reason');
    expect(existsSync(pidFile)).toBe(false);
  });

  test('the event loop stays alive, and the daemon is terminated by a signal like any other', async () => {
    const successor = run(
      ({ daemoniker, say, args }) => {
        const handler: SignalHandler1 = new daemoniker.SignalHandler1(args[0] as string, {
          sigterm: () => {
            handler.stop();
          },
        });
        handler.start({ wait: Infinity }).catch((error: unknown) => {
          say('rejected', { code: (error as { code: unknown }).code });
        });
        say('waits');
      },
      [pidFile],
    );
    await successor.hears('waits');
    successor.kill('SIGTERM');
    expect(await successor.hears('rejected')).toMatchObject({ code: 'ERR_HANDLER_STOPPED' });
    expect(await successor.end()).toMatchObject({ code: 0, stderr: '' });
  });

  test('several daemons have the file one after the other, and never two at once', async () => {
    const successors = await Promise.all([1, 2, 3].map(async () => startWaiting()));
    const turns = new Map(
      successors.map((one) => [one, one.fixture.hears('claimed').then(() => one)]),
    );
    for (let current = holder; turns.size > 0;) {
      await current.value('kept.handler.stop()');
      current = await Promise.race(turns.values());
      turns.delete(current);
      expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(current.pid));
      for (const one of turns.keys()) {
        expect(one.fixture.said.filter(({ event }) => event === 'claimed')).toEqual([]);
      }
    }
  });
});

test('it waits for a daemon that takes no locks, too', async () => {
  const holder = await Session.start();
  writeFileSync(pidFile, `${holder.pid}\n`);
  const successor = await startWaiting();
  holder.fixture.kill('SIGKILL');
  expect(await successor.value(OUTCOME)).toEqual({ started: true });
});

test.each([
  ['no number', '{ wait: "1" }', 'ERR_INVALID_ARG_TYPE'],
  ['nothing', '{}', 'ERR_INVALID_ARG_TYPE'],
  ['negative', '{ wait: -1 }', 'ERR_OUT_OF_RANGE'],
  ['NaN', '{ wait: NaN }', 'ERR_OUT_OF_RANGE'],
  ['with an unknown option', '{ wait: 1, timeout: 1 }', 'ERR_INVALID_ARG_VALUE'],
  ['with no AbortSignal', '{ wait: 1, abortSignal: 1 }', 'ERR_INVALID_ARG_TYPE'],
  ['no object', '1', 'ERR_INVALID_ARG_TYPE'],
])('wait that is %s is refused, and nothing is started', async (_, options, code) => {
  const daemon = await Session.start();
  const start = `(kept.handler = new SignalHandler1($0)).start(${options})`;
  expect(await daemon.error(start, pidFile)).toMatchObject({ code });
  expect(existsSync(pidFile)).toBe(false);
  await daemon.value('(kept.handler.start(), true)');
});

test('what is no PID file is refused at once', async () => {
  writeFileSync(pidFile, 'text');
  const daemon = await startWaiting();
  expect(await daemon.value(OUTCOME)).toMatchObject({ code: 'ERR_PID_FILE_INVALID' });
});

/** A worker of a cluster: it listens, and then waits for its turn, as docs/operating.md says. */
const WORKER = `
const cluster = require('node:cluster');
const http = require('node:http');
const [root, pidFile] = process.argv.slice(2);
const { SignalHandler1 } = require(root);
const server = http.createServer((_, response) => response.end(String(process.pid)));
const handler = new SignalHandler1(pidFile, {
  sigint() {
    // Not process.disconnect(): a connection that is on its way to this worker would be lost.
    server.close(() => {
      handler.stop();
      cluster.worker.disconnect();
    });
  },
});
server.listen(0, '127.0.0.1', () => {
  handler.start({ wait: Infinity }).then(() => process.send('started'));
});
`;

// On Windows SIGINT terminates a worker at once.
onNodeOnUnix.test(
  'a cluster that starts the next worker before it ends the last one, as pm2 does: no request fails',
  async () => {
    const worker = join(directory, 'worker.cjs');
    writeFileSync(worker, WORKER);
    const primary = run(
      async ({ say, args, require }) => {
        const cluster = require('node:cluster') as typeof import('node:cluster').default;
        const http = require('node:http') as typeof import('node:http');
        const { readFileSync } = require('node:fs') as typeof import('node:fs');
        const [exec, root, pidFile] = args as [string, string, string];
        cluster.setupPrimary({ exec, args: [root, pidFile] });
        const fork = () => {
          const one = cluster.fork();
          const happens = (event: string) =>
            new Promise<unknown>((resolve) => one.once(event, resolve));
          const events = ['listening', 'message', 'exit'].map(happens);
          const [listens, starts, ends] = events as [Promise<{ port: number }>, unknown, unknown];
          return { pid: one.process.pid as number, listens, starts, ends };
        };
        const ask = async (port: number): Promise<string> =>
          new Promise((resolve, reject) => {
            const options = { port, host: '127.0.0.1', agent: false };
            http
              .get(options, (response) => {
                let text = '';
                response.on('data', (part) => (text += String(part)));
                response.on('end', () => resolve(text));
              })
              .on('error', reject);
          });
        let current = fork();
        const { port } = await current.listens;
        await current.starts;
        let isOver = false as boolean;
        let answers = 0;
        const asking = (async () => {
          for (; !isOver; answers++) await ask(port);
        })();
        const holders: boolean[] = [];
        for (let reload = 0; reload < 5; reload++) {
          const next = fork();
          await next.listens;
          process.kill(current.pid, 'SIGINT');
          await Promise.all([current.ends, next.starts]);
          current = next;
          const holder = Number(readFileSync(pidFile, 'utf8'));
          holders.push(holder === next.pid);
        }
        isOver = true;
        await asking; // throws what a request failed by
        say('reloaded', { holders, answers });
        process.exit();
      },
      [worker, ROOT, pidFile],
    );
    const { holders, answers } = await primary.hears('reloaded');
    expect(holders).toEqual(Array(5).fill(true));
    expect(answers).toBeGreaterThan(5);
  },
);

onLinux('on Linux', () => {
  withTools('python3')('a holder that nobody knows', () => {
    test('is waited for until it gives up its lock, without a change of the file', async () => {
      writeFileSync(pidFile, '');
      const locker = await startProgram(
        [
          'python3',
          '-c',
          'import fcntl, struct, sys\n' +
            'file = open(sys.argv[1], "r+")\n' +
            'def lock(kind): fcntl.fcntl(file, 37, struct.pack("hhqqi4x", kind, 0, 0, 0, 0))\n' +
            'lock(fcntl.F_WRLCK)\n' +
            'print("locked", flush=True)\n' +
            'sys.stdin.readline()\n' +
            'lock(fcntl.F_UNLCK)\n' +
            'sys.stdin.read()',
          pidFile,
        ],
        'locked',
      );
      const successor = await startWaiting();
      locker.tell('');
      expect(await successor.value(OUTCOME)).toEqual({ started: true });
    });
  });

  // execve(2) and close_range(2) end a lock in this way.
  withTools('python3')('a holder that is known, and gives up its lock while it lives on', () => {
    /** It does so when it is told, and then says so. */
    async function startHolder(): Promise<Fixture> {
      return startProgram(
        [
          'python3',
          '-c',
          'import fcntl, os, struct, sys\n' +
            'file = open(sys.argv[1], "w")\n' +
            'def lock(kind): fcntl.fcntl(file, 37, struct.pack("hhqqi4x", kind, 0, 0, 0, 0))\n' +
            'lock(fcntl.F_WRLCK)\n' +
            'print(f"{os.getpid()}\\n\\n", file=file, flush=True)\n' +
            'print("locked", flush=True)\n' +
            'sys.stdin.readline()\n' +
            'lock(fcntl.F_UNLCK)\n' +
            'open(sys.argv[2], "w")\n' +
            'sys.stdin.read()',
          pidFile,
          `${pidFile}.unlocked`,
        ],
        'locked',
      );
    }

    test('is waited for, though nothing tells of it', async () => {
      const holder = await startHolder();
      expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(holder.pid));
      const successor = await startWaiting();
      holder.tell('');
      expect(await successor.value(OUTCOME)).toEqual({ started: true });
    });

    test('is noticed when the time is over, at the latest', async () => {
      const holder = await startHolder();
      const successor = await Session.start();
      // It looks once, and not again before the lock has been given up and the time is over.
      const wait = `(() => {
        kept.waiting = new SignalHandler1($0).start({ wait: 900 }).then(() => 'started', String);
        say('waits');
        while (!require('node:fs').existsSync($0 + '.unlocked'));
        return true;
      })()`;
      const waits = successor.value(wait, pidFile);
      await successor.fixture.hears('waits');
      holder.tell('');
      expect(await waits).toBe(true);
      expect(await successor.value(OUTCOME)).toBe('started');
    });
  });
});

onNodeOnLinux('a long wait', () => {
  test('piles nothing up, however often the file is changed', async () => {
    const holder = await Session.start();
    await holder.value(START, pidFile);
    const program = run(
      async ({ daemoniker, say, args: [path = ''], require }) => {
        const { utimesSync } = require('node:fs') as typeof import('node:fs');
        const counts: number[] = [];
        const handler = new daemoniker.SignalHandler1(path);
        handler.start({ wait: Infinity }).catch(() => process.exit());
        // Some of these are one change.
        for (let change = 1; change <= 4000; change++) {
          utimesSync(path, change, change);
          await new Promise(setImmediate);
          if (change % 1000 !== 0) continue;
          globalThis.gc?.();
          counts.push(process.memoryUsage().heapUsed);
        }
        say('changed', { counts });
        handler.stop();
      },
      [pidFile],
      { flags: ['--expose-gc'] },
    );
    const { counts } = await program.hears('changed');
    const [warm = NaN, , , last = NaN] = counts as number[];
    // What each of 3000 looks leaves behind is more than 100 bytes, if it leaves anything.
    expect(last - warm).toBeLessThan(300_000);
    expect(await program.end()).toMatchObject({ code: 0 });
  });
});

asRoot('as root', () => {
  withTools('unshare')('a daemon in another container', () => {
    test('is waited for, however it ends', async () => {
      const wrapper = ['unshare', '--pid', '--mount-proc', '--fork', '--kill-child'];
      const holder = await Session.start({ wrapper });
      await holder.value(START, pidFile);
      const successor = await startWaiting();
      holder.fixture.kill('SIGKILL');
      expect(await successor.value(OUTCOME)).toEqual({ started: true });
      expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(successor.pid));
    });
  });
});
