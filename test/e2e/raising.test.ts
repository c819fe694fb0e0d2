// An exception that leaves a handler really gets out.
import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { constants as system } from 'node:os';
import { join } from 'node:path';
import { removeDirectory, temporaryDirectory } from '../support/directory';
import { deathBy } from '../support/endings';
import { endAll, type Fixture } from '../support/fixture';
import { onUnix } from '../support/platform';
import { run, type Tools } from '../support/program';
import { FIXTURES, NAME, RUNTIME } from '../support/runtime';
import { SENT } from '../support/sending';
import { commandLine } from '../support/shell';

afterEach(endAll);

const SIGNALS = [
  ['SIGINT', 2],
  ['SIGTERM', 15],
  ['SIGABRT', system.signals.SIGABRT],
] as const;

/** Runs what is ready when it says so, and sends it a signal. */
async function signalled(
  program: (tools: Tools) => unknown,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<Fixture> {
  const daemon = run(program);
  await daemon.hears('ready');
  daemon.kill(signal);
  return daemon;
}

describe('the default handler, where somebody listens', () => {
  test.each(SIGNALS)(
    'reaches uncaughtException with the record of %s, and the process lives on',
    async (name, signum) => {
      const daemon = await signalled(({ daemoniker, say, plain, onCommand }) => {
        const handler = new daemoniker.SignalHandler1(null).start();
        process.on('uncaughtException', (error, origin) => {
          if (!(error instanceof daemoniker.ReceivedSignal)) throw error;
          const isRecord = error === handler.received;
          const isItsClass = Object.values(daemoniker).includes(error.constructor as never);
          say('raised', { ...plain(error), by: origin, isRecord, isItsClass });
        });
        onCommand(() => undefined);
        say('ready');
      }, name);
      for (let round = 0; round < 2; round++) {
        expect(await daemon.hears('raised')).toMatchObject({
          name,
          signum,
          sender: { pid: process.pid },
          origin: SENT,
          by: 'uncaughtException',
          isRecord: true,
          isItsClass: true,
        });
        daemon.kill(name);
      }
      expect(daemon.stderr).toBe('');
    },
  );

  test('reaches uncaughtExceptionMonitor too', async () => {
    const daemon = await signalled(({ daemoniker, say, onCommand }) => {
      new daemoniker.SignalHandler1(null).start();
      process.on('uncaughtExceptionMonitor', (error) => say('monitor', { name: error.name }));
      process.on('uncaughtException', (error) => say('raised', { name: error.name }));
      onCommand(() => undefined);
      say('ready');
    });
    if (NAME === 'node') expect(await daemon.hears('monitor')).toMatchObject({ name: 'SIGTERM' });
    expect(await daemon.hears('raised')).toMatchObject({ name: 'SIGTERM' });
    expect(daemon.said.filter(({ event }) => event === 'monitor').length).toBeLessThan(2);
  });

  if (NAME === 'node') {
    test('reaches a capture callback', async () => {
      const daemon = await signalled(({ daemoniker, say, onCommand }) => {
        new daemoniker.SignalHandler1(null).start();
        process.setUncaughtExceptionCaptureCallback((error) => say('raised', { name: error.name }));
        onCommand(() => undefined);
        say('ready');
      });
      expect(await daemon.hears('raised')).toMatchObject({ name: 'SIGTERM' });
    });
  }
});

describe('the default handler, where nobody listens', () => {
  test.each(SIGNALS)(
    'says that it was %s and from whom, runs the exit listeners and dies by the signal',
    async (name, signum) => {
      const daemon = await signalled(({ daemoniker, say, onCommand }) => {
        new daemoniker.SignalHandler1(null).start();
        process.on('exit', (code) => say('exit', { code }));
        onCommand(() => undefined);
        say('ready');
      }, name);
      const { code, signal, stderr } = await daemon.end();
      expect({ code, signal }).toEqual(deathBy(name));
      expect(daemon.said.at(-1)).toEqual({ event: 'exit', code: 128 + signum });
      expect(stderr).toMatch(
        new RegExp(`^daemoniker: ${name} received from pid ${process.pid} \\(.+\\); .+\\n$`),
      );
    },
  );

  test('process.exitCode set in an exit listener wins', async () => {
    const daemon = await signalled(({ daemoniker, say, onCommand }) => {
      new daemoniker.SignalHandler1(null).start();
      process.on('exit', () => (process.exitCode = 3));
      onCommand(() => undefined);
      say('ready');
    });
    expect(await daemon.end()).toMatchObject({ code: 3, signal: null });
  });

  test('process.exit(n) in an exit listener wins', async () => {
    const daemon = await signalled(({ daemoniker, say, onCommand }) => {
      new daemoniker.SignalHandler1(null).start();
      process.on('exit', () => process.exit(4));
      onCommand(() => undefined);
      say('ready');
    });
    expect(await daemon.end()).toMatchObject({ code: 4, signal: null });
  });

  test('a process.exitCode set long before does not hide the signal', async () => {
    const daemon = await signalled(({ daemoniker, say, onCommand }) => {
      process.exitCode = 5;
      new daemoniker.SignalHandler1(null).start();
      onCommand(() => undefined);
      say('ready');
    });
    expect(await daemon.end()).toMatchObject(deathBy('SIGTERM'));
  });

  test('an exit listener that throws is an ordinary error', async () => {
    const daemon = await signalled(({ daemoniker, say, onCommand }) => {
      new daemoniker.SignalHandler1(null).start();
      process.on('exit', () => {
        throw new Error('thrown at exit');
      });
      onCommand(() => undefined);
      say('ready');
    });
    const { code, signal, stderr } = await daemon.end();
    expect(stderr).toContain('SIGTERM received');
    expect(stderr).toContain('thrown at exit');
    expect({ code, signal }).not.toEqual({ code: 0, signal: null });
  });

  test('uncaughtExceptionMonitor alone does not keep the process alive', async () => {
    const daemon = await signalled(({ daemoniker, say, plain, onCommand }) => {
      new daemoniker.SignalHandler1(null).start();
      process.on('uncaughtExceptionMonitor', (error, origin) =>
        say('monitor', { ...plain(error as never), by: origin }),
      );
      onCommand(() => undefined);
      say('ready');
    });
    expect(await daemon.end()).toMatchObject(deathBy('SIGTERM'));
    expect(daemon.said.at(-1)).toMatchObject({
      event: 'monitor',
      name: 'SIGTERM',
      by: 'uncaughtException',
    });
  });

  test('works for a signal that stop() delivers', async () => {
    const daemon = run(({ daemoniker, signalMyself }) => {
      const handler = new daemoniker.SignalHandler1(null).start();
      signalMyself('SIGINT');
      handler.stop();
    });
    const { code, signal, stderr } = await daemon.end();
    expect({ code, signal }).toEqual(deathBy('SIGINT'));
    expect(stderr).toMatch(/^daemoniker: SIGINT received from pid \d+/);
  });

  test('works for a signal that came to an empty event loop', async () => {
    const daemon = run(({ daemoniker, signalMyself }) => {
      new daemoniker.SignalHandler1(null).start();
      signalMyself('SIGINT');
    });
    expect(await daemon.end()).toMatchObject(deathBy('SIGINT'));
  });
});

onUnix('the default handler, where nobody listens, with sh and FIFOs', () => {
  test('shells see 128 + the number', () => {
    const source = `({ daemoniker, signalMyself }) => {
      new daemoniker.SignalHandler1(null).start();
      signalMyself('SIGTERM');
    }`;
    const command = commandLine([...RUNTIME, join(FIXTURES, 'program.cjs'), source]);
    const { stdout } = spawnSync('sh', ['-c', `${command}; echo $?`], { encoding: 'utf8' });
    expect(stdout.trim()).toBe('143');
  });

  test('never waits for a full stderr', async () => {
    const directory = temporaryDirectory();
    const fifo = join(directory, 'stderr');
    spawnSync('mkfifo', [fifo]);
    const filler = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    expect(() => {
      for (;;) writeSync(filler, 'x'.repeat(4096));
    }).toThrow('EAGAIN');
    const stderr = openSync(fifo, constants.O_WRONLY);
    const program = ({ daemoniker, say, onCommand }: Tools): void => {
      new daemoniker.SignalHandler1(null).start();
      onCommand(() => undefined);
      say('ready');
    };
    const daemon = run(program, [], { stdio: ['pipe', 'pipe', stderr] });
    await daemon.hears('ready');
    daemon.kill('SIGTERM');
    expect(await daemon.end()).toMatchObject(deathBy('SIGTERM'));
    closeSync(stderr);
    closeSync(filler);
    removeDirectory(directory);
  });
});

describe('a custom handler', () => {
  test('that throws is an ordinary uncaught error', async () => {
    const daemon = await signalled(({ daemoniker, say, onCommand }) => {
      const sigterm = (): never => {
        throw new RangeError('from the handler');
      };
      new daemoniker.SignalHandler1(null, { sigterm }).start();
      process.on('exit', (code) => say('exit', { code }));
      onCommand(() => undefined);
      say('ready');
    });
    const { code, signal, stderr } = await daemon.end();
    expect({ code, signal }).toEqual({ code: 1, signal: null });
    expect(stderr).toContain('RangeError: from the handler');
    expect(stderr).not.toContain('DEP0168');
    if (NAME !== 'deno') expect(daemon.said.at(-1)).toEqual({ event: 'exit', code: 1 });
  });

  test('that throws reaches uncaughtException, and later signals are still handled', async () => {
    const daemon = await signalled(({ daemoniker, say, onCommand }) => {
      const sigterm = (): never => {
        throw new RangeError('from the handler');
      };
      new daemoniker.SignalHandler1(null, { sigterm }).start();
      process.on('uncaughtException', (error) => say('raised', { name: error.name }));
      onCommand(() => undefined);
      say('ready');
    });
    expect(await daemon.hears('raised')).toMatchObject({ name: 'RangeError' });
    daemon.kill('SIGTERM');
    expect(await daemon.hears('raised')).toMatchObject({ name: 'RangeError' });
  });

  test('may throw what is no error', async () => {
    const daemon = await signalled(({ daemoniker, say, onCommand }) => {
      const sigterm = (): never => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- people do
        throw undefined;
      };
      new daemoniker.SignalHandler1(null, { sigterm }).start();
      process.on('uncaughtException', (error) => say('raised', { type: typeof error }));
      onCommand(() => undefined);
      say('ready');
    });
    expect(await daemon.hears('raised')).toMatchObject({ type: 'undefined' });
  });

  test('that is async and rejects is an unhandled rejection like any other', async () => {
    const daemon = await signalled(({ daemoniker, say, onCommand }) => {
      const sigterm = async (): Promise<void> => {
        await Promise.resolve();
        throw new RangeError('rejected');
      };
      new daemoniker.SignalHandler1(null, { sigterm }).start();
      process.on('unhandledRejection', (reason) =>
        say('rejected', { name: (reason as Error).name }),
      );
      onCommand(() => undefined);
      say('ready');
    });
    expect(await daemon.hears('rejected')).toMatchObject({ name: 'RangeError' });
  });

  test('that is async and rejects, where nobody listens, ends the process with code 1', async () => {
    const daemon = await signalled(({ daemoniker, say, onCommand }) => {
      const sigterm = (): Promise<void> => Promise.reject(new RangeError('rejected'));
      new daemoniker.SignalHandler1(null, { sigterm }).start();
      onCommand(() => undefined);
      say('ready');
    });
    const { code, signal, stderr } = await daemon.end();
    expect({ code, signal }).toEqual({ code: 1, signal: null });
    expect(stderr).toContain('rejected');
  });

  test('that throws its record raises the signal, as the default handler does', async () => {
    const daemon = await signalled(({ daemoniker, say, onCommand }) => {
      const handler = new daemoniker.SignalHandler1(null, {
        sigterm: () => {
          throw handler.received as Error;
        },
      }).start();
      onCommand(() => undefined);
      say('ready');
    });
    expect(await daemon.end()).toMatchObject(deathBy('SIGTERM'));
  });
});
