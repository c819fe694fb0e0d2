// Several handlers in one process, and several copies of the package.
import type { SignalHandler1 } from '../../';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { addonPath } from '../support/addon';
import { removeDirectory, temporaryDirectory } from '../support/directory';
import { deathBy } from '../support/endings';
import { endAll } from '../support/fixture';
import { copyPackage } from '../support/package_copy';
import { onNode } from '../support/platform';
import { run } from '../support/program';
import { IS_WINDOWS, ROOT } from '../support/runtime';

afterEach(endAll);

describe('of several handlers', () => {
  test.each([['ABC'], ['ACB'], ['BAC'], ['BCA'], ['CAB'], ['CBA']])(
    'the newest one that runs receives, when they stop in the order %s',
    async (order) => {
      const program = run(
        ({ daemoniker, say, args, dispositions, signalMyself, onCommand }) => {
          const [path, order] = args as [string, string];
          const before = dispositions(path);
          let receivers = '';
          const left = order.split('');
          const stopNext = (): void => {
            handlers.get(left.shift() as string)?.stop();
            if (left.length > 0) signalMyself('SIGTERM');
            else say('result', { receivers, before, after: dispositions(path) });
          };
          const make = (name: string): SignalHandler1 =>
            new daemoniker.SignalHandler1(null, {
              sigterm: () => {
                receivers += name;
                setImmediate(stopNext);
              },
            }).start();
          const handlers = new Map(['A', 'B', 'C'].map((name) => [name, make(name)]));
          signalMyself('SIGTERM');
          onCommand(() => undefined);
        },
        [addonPath(), order],
      );
      const running = new Set('ABC');
      const expected = order.split('').map((name) => {
        const newest = [...running].at(-1);
        running.delete(name);
        return newest;
      });
      const { receivers, before, after } = await program.hears('result');
      expect(receivers).toBe(expected.join(''));
      expect(after).toEqual(before);
    },
  );

  test('the newest one that stops delivers first what waits; the one below gets what is later', async () => {
    const program = run(({ daemoniker, say, signalMyself, onCommand }) => {
      new daemoniker.SignalHandler1(null, { sigterm: () => say('below') }).start();
      const above: SignalHandler1 = new daemoniker.SignalHandler1(null, {
        sigterm: () => say('above'),
      }).start();
      signalMyself('SIGTERM');
      above.stop();
      say('stopped');
      signalMyself('SIGTERM');
      onCommand(() => undefined);
    });
    await program.hears('below');
    expect(program.said.map(({ event }) => event)).toEqual(['above', 'stopped', 'below']);
  });

  test('one that is not the newest takes nothing along when it stops', async () => {
    const program = run(({ daemoniker, say, signalMyself, onCommand }) => {
      const below = new daemoniker.SignalHandler1(null, { sigterm: () => say('below') }).start();
      new daemoniker.SignalHandler1(null, { sigterm: () => say('above') }).start();
      signalMyself('SIGTERM');
      below.stop();
      say('stopped');
      onCommand(() => undefined);
    });
    await program.hears('above');
    expect(program.said.map(({ event }) => event)).toEqual(['stopped', 'above']);
  });

  // Of the host's 'newListener' event, or of async_hooks: it runs in the middle of start().
  onNode.test.each(['exit', 'beforeExit', 'SIGTERM', 'daemoniker', 'SignalHandler1'])(
    'one that is started in the middle of the start of another (at %s) works, and so does that one',
    async (when) => {
      const program = run(
        ({ daemoniker, say, args, require, dispositions, signalMyself, onCommand }) => {
          const [path, when] = args as [string, string];
          const { createHook } = require('node:async_hooks') as typeof import('node:async_hooks');
          const events = ['SIGINT', 'SIGTERM', 'SIGABRT', 'exit', 'beforeExit'];
          const look = (): object => ({
            dispositions: dispositions(path),
            listeners: events.map((event) => process.listenerCount(event)),
          });
          const before = look();
          const make = (name: string): SignalHandler1 =>
            new daemoniker.SignalHandler1(null, { sigterm: () => say('handled', { name }) });
          const outer = make('outer');
          const inner = make('inner');
          const started: string[] = [];
          const startInner = (what: unknown): void => {
            if (started.length > 0 || what !== when) return;
            started.push(when);
            inner.start();
          };
          process.on('newListener', startInner);
          const hook = createHook({ init: (_, type) => startInner(type) }).enable();
          outer.start();
          hook.disable();
          process.off('newListener', startInner);
          say('started', { started });
          if (started.length === 0) inner.start();
          // The outer one's resource is made before it begins to handle signals.
          const newest = when === 'SignalHandler1' ? outer : inner;
          const older = newest === inner ? outer : inner;
          onCommand((command) => {
            if (command === 'newest') {
              newest.stop();
              signalMyself('SIGTERM');
            } else {
              older.stop();
              say('stopped', { before, after: look() });
            }
          });
          signalMyself('SIGTERM');
        },
        [addonPath(), when],
      );
      // Windows needs no listener of the signal.
      expect(await program.hears('started')).toMatchObject({
        started: IS_WINDOWS && when === 'SIGTERM' ? [] : [when],
      });
      const order = when === 'SignalHandler1' ? ['outer', 'inner'] : ['inner', 'outer'];
      expect(await program.hears('handled')).toMatchObject({ name: order[0] });
      program.tell('newest');
      expect(await program.hears('handled')).toMatchObject({ name: order[1] });
      program.tell('older');
      const { before, after } = await program.hears('stopped');
      expect(after).toEqual(before);
    },
  );

  test('each has its own record, and its own handlers', async () => {
    const program = run(({ daemoniker, say, plain, signalMyself, onCommand }) => {
      const below = new daemoniker.SignalHandler1(null).start();
      const above: SignalHandler1 = new daemoniker.SignalHandler1(null, {
        sigterm: () => say('above', { ...plain(above.received), below: below.received }),
      }).start();
      signalMyself('SIGTERM');
      onCommand(() => undefined);
    });
    expect(await program.hears('above')).toMatchObject({ name: 'SIGTERM', below: null });
  });
});

describe('two copies of the package', () => {
  /** A second installation of the package, as another dependency might bring one along. */
  let copy: string;

  // Below the root: a temporary directory may be one in which nothing can be executed.
  beforeAll(() => {
    mkdirSync(join(ROOT, 'build', 'test'), { recursive: true });
    copy = temporaryDirectory(join(ROOT, 'build', 'test'));
    copyPackage(copy);
  });
  afterAll(() => removeDirectory(copy));

  test.each([
    ['first', 'first', 'second'],
    ['first', 'second', 'first'],
    ['second', 'first', 'second'],
    ['second', 'second', 'first'],
  ])('one handler for all: started %s first, stopped %s, then %s', async (...order) => {
    const program = run(
      ({ daemoniker, say, args, require, dispositions, signalMyself }) => {
        const [helperPath, copyPath, startedFirst, ...stops] = args as unknown as [
          string,
          string,
          string,
          ...string[],
        ];
        const before = dispositions(helperPath);
        const copy = require(copyPath) as typeof daemoniker;
        const received: unknown[] = [];
        const alive = setInterval(() => undefined, 1000);
        const stopNext = (): void => {
          handlers.get(stops.shift() as string)?.stop();
          if (stops.length > 0) {
            signalMyself('SIGTERM');
          } else {
            const different = copy.SIGTERM !== daemoniker.SIGTERM;
            say('result', { received, before, after: dispositions(helperPath), different });
            clearInterval(alive);
          }
        };
        const make = (
          name: string,
          pack: typeof daemoniker,
        ): InstanceType<typeof pack.SignalHandler1> => {
          const handler = new pack.SignalHandler1(null, {
            sigterm: () => {
              const own = handler.received instanceof pack.SIGTERM;
              received.push(`${name} ${handler.received?.sender?.pid === process.pid} ${own}`);
              setImmediate(stopNext);
            },
          });
          return handler;
        };
        const handlers = new Map([
          ['first', make('first', daemoniker)],
          ['second', make('second', copy)],
        ]);
        handlers.get(startedFirst)?.start();
        for (const handler of handlers.values()) {
          try {
            handler.start();
          } catch {
            // It is already running.
          }
        }
        signalMyself('SIGTERM');
      },
      [addonPath(), copy, ...order],
    );
    const result = await program.hears('result');
    const [startedFirst, stoppedFirst] = order;
    const newest = startedFirst === 'first' ? 'second' : 'first';
    const left = stoppedFirst === 'first' ? 'second' : 'first';
    expect(result['received']).toEqual([`${newest} true true`, `${left} true true`]);
    expect(result['after']).toEqual(result['before']);
    expect(result['different']).toBe(true);
    expect(await program.end()).toMatchObject({ code: 0, signal: null });
  });

  test('a default handler of the second copy raises, and ends the process by the signal', async () => {
    const program = run(
      ({ say, args, require, onCommand }) => {
        const copy = require(args[0] as string) as typeof import('../../');
        new copy.SignalHandler1(null).start();
        onCommand(() => undefined);
        say('ready');
      },
      [copy],
    );
    await program.hears('ready');
    program.kill('SIGTERM');
    const { code, signal, stderr } = await program.end();
    expect({ code, signal }).toEqual(deathBy('SIGTERM'));
    expect(stderr).toMatch(/^daemoniker: SIGTERM received from pid/);
  });
});
