// What the signal tests of the Python package daemoniker 0.2 check, checked of this one. Where they
// look at internals, the public counterpart is looked at. Two differences are meant: the PID file is
// really used, so its directory must exist; and an unhandled signal is SIGINT, not KeyboardInterrupt.
import { constants } from 'node:os';
import { writeFileSync } from 'node:fs';
import {
  IGNORE_SIGNAL,
  ReceivedSignal,
  SIGABRT,
  SIGINT,
  SIGTERM,
  SignalHandler1,
  send,
} from '../../';
import { pidFile } from '../support/each_test';
import { deathWithoutHandler } from '../support/endings';
import { run } from '../support/program';
import { IS_WINDOWS } from '../support/runtime';

const { signals } = constants;

test('test_noop: ignoring does nothing, whatever the signal', () => {
  for (const signum of [signals.SIGINT, signals.SIGTERM, signals.SIGABRT]) IGNORE_SIGNAL(signum);
});

test('test_handler_normalization: a callable stays, null is the default, IGNORE_SIGNAL a no-op', () => {
  const callable = (signum: number): number => signum;
  const handler = new SignalHandler1(pidFile, callable, null, IGNORE_SIGNAL);
  expect(handler.sigint).toBe(callable);
  expect(handler.sigterm).toBe(new SignalHandler1(pidFile, handler.sigterm).sigint);
  expect(() => handler.sigterm?.(signals.SIGTERM)).toThrow(SIGTERM);
  expect(handler.sigabrt?.(signals.SIGABRT)).toBeUndefined();
});

test('test_default_handler: it raises the exception of the number', () => {
  const { sigint } = new SignalHandler1(pidFile);
  expect(() => sigint?.(-42)).toThrow(ReceivedSignal);
  expect(() => sigint?.(signals.SIGABRT)).toThrow(SIGABRT);
  expect(() => sigint?.(signals.SIGINT)).toThrow(SIGINT);
  expect(() => sigint?.(signals.SIGTERM)).toThrow(SIGTERM);
});

describe('test_send:', () => {
  test.each([
    ['a plain number', 2],
    ["the system's constant", signals.SIGINT],
    ['the class', SIGINT],
    ['an instance', new SIGINT()],
  ])('%s is sent to the process in the PID file and raised there', async (_, signal) => {
    const daemon = run(({ daemoniker, say, onCommand }) => {
      new daemoniker.SignalHandler1(null).start();
      process.on('uncaughtException', (error) => say('raised', { name: error.name }));
      onCommand(() => undefined);
      say('ready');
    });
    await daemon.hears('ready');
    writeFileSync(pidFile, `${daemon.pid}\n`);
    send(pidFile, signal);
    expect(await daemon.hears('raised')).toMatchObject({ name: 'SIGINT' });
  });

  test('a process that has no handler dies by the signal; a PID of nobody is an error', async () => {
    for (const [name, signal] of [
      ['SIGINT', signals.SIGINT],
      ['SIGTERM', signals.SIGTERM],
      ['SIGABRT', SIGABRT],
    ] as const) {
      const sleeper = run(
        ({ say, onCommand }) => {
          onCommand(() => undefined);
          say('ready');
        },
        [],
        IS_WINDOWS ? {} : { wrapper: ['sh', '-c', 'ulimit -c 0; exec "$@"', 'sh'] },
      );
      await sleeper.hears('ready');
      writeFileSync(pidFile, `${sleeper.pid}\n`);
      send(pidFile, signal);
      expect(await sleeper.end()).toMatchObject(deathWithoutHandler(name));
      expect(() => send(pidFile, signal)).toThrow('ESRCH');
    }
  });
});

describe('test_receive:', () => {
  test('each of the three signals reaches the handler with its number', async () => {
    const daemon = run(
      ({ daemoniker, say, args, onCommand }) => {
        const handled = (signum: number): void => say('handled', { signum });
        const sighandler = new daemoniker.SignalHandler1(
          args[0] as string,
          handled,
          handled,
          handled,
        );
        sighandler.start();
        onCommand(() => sighandler.stop());
        say('ready');
      },
      [pidFile],
    );
    await daemon.hears('ready');
    for (const name of ['SIGINT', 'SIGTERM', 'SIGABRT'] as const) {
      daemon.kill(name);
      expect(await daemon.hears('handled')).toMatchObject({ signum: signals[name] });
    }
  });
});
