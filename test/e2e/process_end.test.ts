// Three layers clean up when the process ends; each is tested without the others.
import { existsSync } from 'node:fs';
import { addonPath, type NativeHelper } from '../support/addon';
import { pidFile } from '../support/each_test';
import { deathWithoutHandler } from '../support/endings';
import type { Said } from '../support/fixture';
import { onNode, onNodeOnLinux, onUnix } from '../support/platform';
import { run } from '../support/program';

onNode("the 'exit' event", () => {
  test('is enough: dispositions are back and the PID file is gone before anything else', async () => {
    const program = run(
      ({ daemoniker, say, args, require, dispositions }) => {
        const [path, pidFile] = args as [string, string];
        const { existsSync } = require('node:fs') as typeof import('node:fs');
        const before = dispositions(path);
        new daemoniker.SignalHandler1(pidFile).start();
        const during = existsSync(pidFile);
        process.on('exit', () => {
          say('exit', { before, after: dispositions(path), during, left: existsSync(pidFile) });
          // Nothing of this package runs after this.
          process.kill(process.pid, 'SIGKILL');
        });
        process.exit();
      },
      [addonPath(), pidFile],
    );
    const exit = await program.hears('exit');
    expect(exit).toMatchObject({ during: true, left: false });
    expect(exit['after']).toEqual(exit['before']);
    await program.end();
    expect(existsSync(pidFile)).toBe(false);
  });

  test('drops what waits: no handler is called while the process exits', async () => {
    const program = run(({ daemoniker, say, signalMyself }) => {
      new daemoniker.SignalHandler1(null, { sigterm: () => say('handled') }).start();
      signalMyself('SIGTERM');
      process.exit(3);
    });
    expect(await program.end()).toMatchObject({ code: 3, signal: null, stdout: '' });
  });
});

// Others may clean up in their own 'exit' listeners, with a handler of their own for that time.
describe("a handler that is started in an 'exit' listener", () => {
  test.each(['before process.exit()', "in an 'exit' listener before ours"])(
    'gets nothing that arrived %s, but what arrives from then on',
    async (when) => {
      const program = run(
        ({ daemoniker, say, args, signalMyself }) => {
          const isEarly = args[0] === 'before process.exit()';
          if (!isEarly) process.on('exit', () => signalMyself('SIGTERM'));
          new daemoniker.SignalHandler1(null, { sigterm: () => say('handled') }).start();
          const handled = (signum: number): void => say('handled late', { signum });
          const late = new daemoniker.SignalHandler1(null, handled, handled);
          process.on('exit', () => {
            late.start();
            signalMyself('SIGINT');
            late.stop();
          });
          if (isEarly) signalMyself('SIGTERM');
          process.exit(3);
        },
        [when],
      );
      expect(await program.end()).toMatchObject({ code: 3, signal: null, stderr: '' });
      expect(program.said).toEqual([{ event: 'handled late', signum: 2 }]);
    },
  );
});

/** What is left at the very end of a program that ends in some way, with and without a handler. */
async function leftAtTheEnd(
  handler: 'handler' | 'none',
  how: 'natural' | 'exit' | 'reallyExit',
  spoken: 'before' | 'after',
): Promise<Record<string, unknown> | undefined> {
  const program = run(
    ({ daemoniker, args, require }) => {
      const [path, pidFile, handler, how, spoken] = args as [
        string,
        string,
        string,
        string,
        string,
      ];
      if (handler === 'handler') new daemoniker.SignalHandler1(pidFile).start();
      if (spoken === 'before') (require(path) as NativeHelper).reportAtExit();
      process.removeAllListeners('exit');
      process.removeAllListeners('beforeExit');
      if (how === 'exit') process.exit(0);
      const { reallyExit } = process as unknown as { reallyExit: (code: number) => void };
      if (how === 'reallyExit') reallyExit(0);
    },
    [addonPath(), pidFile, handler, how, spoken],
    // What is registered with atexit(3) before the package was loaded speaks after it is done.
    spoken === 'after'
      ? { env: { ...process.env, DAEMONIKER_TEST_REPORT_AT_EXIT: addonPath() } }
      : {},
  );
  expect(await program.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
  expect(program.said).toHaveLength(1);
  // Two processes have the same handler at different addresses, but at the same place of a page.
  const said = Object.entries(program.said[0] as Said).map(([key, value]) => [
    key,
    typeof value === 'string' ? value.replace(/0x[0-9a-f]+(?=[0-9a-f]{3} )/, '') : value,
  ]);
  return Object.fromEntries(said) as Record<string, unknown>;
}

onNodeOnLinux("the environment's cleanup hook", () => {
  test('ends the thread, before atexit', async () => {
    const { threads } = (await leftAtTheEnd('handler', 'natural', 'before')) ?? {};
    expect(threads).toBe((await leftAtTheEnd('none', 'natural', 'before'))?.['threads']);
  });
});

onUnix('atexit', () => {
  test.each([
    ["an end without our 'exit' listener", 'natural'],
    ["process.exit() without our 'exit' listener", 'exit'],
    ['process.reallyExit()', 'reallyExit'],
  ] as const)(
    'is enough after %s: dispositions are back and the PID file is gone',
    async (_, how) => {
      const report = (await leftAtTheEnd('handler', how, 'after')) ?? {};
      const expected = (await leftAtTheEnd('none', how, 'after')) ?? {};
      for (const name of ['SIGINT', 'SIGTERM', 'SIGABRT']) {
        // At a natural end Node itself has closed its handles for process.on() by then.
        const allowed = how === 'natural' ? [expected[name], 'default'] : [expected[name]];
        expect(allowed).toContain(report[name]);
      }
      expect(existsSync(pidFile)).toBe(false);
    },
  );
});

describe('after that', () => {
  test('a signal while exit listeners run for long does what it does without us', async () => {
    const program = run(({ daemoniker, say, onCommand }) => {
      new daemoniker.SignalHandler1(null, { sigterm: () => say('handled') }).start();
      process.on('exit', () => {
        say('exiting');
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30_000); // the signal ends it
        say('not ended');
      });
      onCommand(() => undefined);
      process.exit(5);
    });
    await program.hears('exiting');
    program.kill('SIGTERM');
    expect(await program.end()).toMatchObject(deathWithoutHandler('SIGTERM'));
    expect(program.said).toHaveLength(1);
  });
});
