// After stop() everything is as it was before start(), unless somebody else changed it meanwhile.
import { constants } from 'node:os';
import {
  onLinux,
  onNode,
  onNodeOnLinux,
  onUnix,
  testUnlessOn,
  withTools,
  withSigabrtToOneself,
} from '../support/platform';
import { addonPath } from '../support/addon';
import type { NativeHelper } from '../support/addon';
import { deathWithoutHandler } from '../support/endings';
import { Fixture, endAll } from '../support/fixture';
import { asRoot } from '../support/nobody';
import { signalSet, signalSetOf, statusAtRest, threads } from '../support/proc';
import { run } from '../support/program';
import { IS_WINDOWS, NAME } from '../support/runtime';

afterEach(endAll);

onUnix('dispositions', () => {
  test('of a fresh process are exactly as before: function, flags, mask', async () => {
    const program = run(
      ({ daemoniker, say, args, require, signals }) => {
        const helper = require(args[0] as string) as NativeHelper;
        const look = (): string[] =>
          [signals.SIGINT, signals.SIGTERM, signals.SIGABRT].map((n) => helper.disposition(n));
        const before = look();
        const handler = new daemoniker.SignalHandler1(null);
        const rounds = [1, 2, 3].map(() => {
          handler.start();
          const during = look();
          handler.stop();
          return { during, after: look() };
        });
        say('looked', { before, rounds });
      },
      [addonPath()],
    );
    const { before, rounds } = (await program.hears('looked')) as unknown as {
      before: string[];
      rounds: { during: string[]; after: string[] }[];
    };
    for (const { during, after } of rounds) {
      expect(after).toEqual(before);
      expect(during.every((text, i) => text !== before[i])).toBe(true);
      if (process.platform !== 'linux') continue;
      for (const text of during) {
        // SA_SIGINFO | SA_RESTART | SA_ONSTACK
        const [, mask = ''] =
          /^handler 0x[0-9a-f]+ flags 18000004 mask ([0-9a-f]+)$/.exec(text) ?? [];
        const masked = (name: NodeJS.Signals): boolean =>
          ((BigInt(`0x${mask}`) >> BigInt(constants.signals[name] - 1)) & 1n) === 1n;
        // All but faults of the code itself, which cannot wait.
        const names = ['SIGINT', 'SIGTERM', 'SIGABRT', 'SIGHUP', 'SIGSEGV', 'SIGTRAP'] as const;
        expect(names.map(masked)).toEqual([true, true, true, true, false, false]);
      }
    }
  });

  withSigabrtToOneself.test.each(['count', 'ignore'] as const)(
    'that native code had set to "%s" are put back, and work',
    async (kind) => {
      const program = run(
        ({ daemoniker, say, args, require, signals, signalMyself }) => {
          const [path, kind] = args as [string, 'count' | 'ignore'];
          const helper = require(path) as NativeHelper;
          const signums = [signals.SIGINT, signals.SIGTERM, signals.SIGABRT];
          const look = (): string[] => signums.map((signum) => helper.disposition(signum));
          for (const signum of signums) helper[kind](signum);
          const before = look();
          let handled = 0;
          const handle = (): number => handled++;
          const handler = new daemoniker.SignalHandler1(null, handle, handle, handle);
          handler.start();
          const signalAll = (): void => {
            for (const name of ['SIGINT', 'SIGTERM', 'SIGABRT'] as const) signalMyself(name);
          };
          signalAll();
          handler.stop();
          const after = look();
          const countedBefore = signums.map((signum) => helper.counted(signum));
          signalAll();
          const countedAfter = signums.map((signum) => helper.counted(signum));
          say('looked', { before, after, handled, countedBefore, countedAfter });
        },
        [addonPath(), kind],
      );
      const looked = await program.hears('looked');
      expect(looked['after']).toEqual(looked['before']);
      expect(looked).toMatchObject({
        handled: 3,
        countedBefore: [0, 0, 0],
        countedAfter: kind === 'count' ? [1, 1, 1] : [0, 0, 0],
      });
      expect(await program.end()).toMatchObject({ code: 0, signal: null });
    },
  );

  test('that native code replaced while the handler ran stay as they are', async () => {
    const program = run(
      ({ daemoniker, say, args, require, signals, signalMyself }) => {
        const helper = require(args[0] as string) as NativeHelper;
        const handler = new daemoniker.SignalHandler1(null).start();
        helper.count(signals.SIGTERM);
        const theirs = helper.disposition(signals.SIGTERM);
        handler.stop();
        signalMyself('SIGTERM');
        say('looked', {
          kept: helper.disposition(signals.SIGTERM) === theirs,
          counted: helper.counted(signals.SIGTERM),
        });
      },
      [addonPath()],
    );
    expect(await program.hears('looked')).toMatchObject({ kept: true, counted: 1 });
    expect(await program.end()).toMatchObject({ code: 0, signal: null });
  });

  // As profilers and crash reporters do.
  test('that native code had replaced, and puts back after stop(), never make ours call itself', async () => {
    const program = run(
      ({ daemoniker, args, require, signals, signalMyself }) => {
        const helper = require(args[0] as string) as NativeHelper;
        const handler = new daemoniker.SignalHandler1(null).start();
        helper.count(signals.SIGTERM);
        handler.stop();
        helper.putBack(signals.SIGTERM);
        handler.start();
        handler.stop();
        signalMyself('SIGTERM');
      },
      [addonPath()],
    );
    expect(await program.end()).toMatchObject({ signal: 'SIGTERM' });
  });

  testUnlessOn('bun', 'process has no newListener event for signals')(
    'are as before when a listener of somebody throws within start(), which then works',
    async () => {
      const program = run(
        ({ daemoniker, say, args, signalMyself, dispositions }) => {
          const before = dispositions(args[0] as string);
          const handler = new daemoniker.SignalHandler1(null, { sigterm: () => say('handled') });
          const refuse = (name: string | symbol): void => {
            if (name === 'SIGTERM') throw new Error('not here');
          };
          process.on('newListener', refuse);
          let message = '';
          try {
            handler.start();
          } catch (error) {
            message = (error as Error).message;
          }
          process.off('newListener', refuse);
          const after = dispositions(args[0] as string);
          say('refused', { message, asBefore: after.join() === before.join() });
          handler.start();
          signalMyself('SIGTERM');
        },
        [addonPath()],
      );
      expect(await program.hears('refused')).toEqual({
        event: 'refused',
        message: 'not here',
        asBefore: true,
      });
      await program.hears('handled');
    },
  );
});

// It has begun by then: the first thread may be there when there is none left for the second.
asRoot('dispositions', () => {
  withTools('prlimit')('of a user without threads', () => {
    /** Nobody else's, so that nobody else uses up what it may have. */
    const user = { uid: 54321, gid: 54321 };

    onNodeOnLinux.test.each([0, 1])(
      'are as before when start() finds only %s threads left, and the next start() works',
      async (left) => {
        const program = run(
          ({ daemoniker, say, args, require, signalMyself, dispositions, onCommand }) => {
            const { readdirSync } = require('node:fs') as typeof import('node:fs');
            const look = (): object => ({
              dispositions: dispositions(args[0] as string),
              listeners: ['SIGINT', 'SIGTERM', 'SIGABRT', 'exit', 'beforeExit', 'newListener'].map(
                (event) => process.listenerCount(event),
              ),
              threads: readdirSync('/proc/self/task').length,
            });
            const before = look();
            let handled = 0;
            const handler = new daemoniker.SignalHandler1(null, { sigterm: () => handled++ });
            onCommand((command) => {
              try {
                handler.start();
                signalMyself('SIGTERM');
                handler.stop();
                say(command, { handled });
              } catch (error) {
                const { name, code, errno } = error as Error & { code: string; errno: number };
                say(command, { name, code, errno, before, after: look() });
              }
            });
            say('ready');
          },
          [addonPath()],
          user,
        );
        await program.hears('ready');
        const leave = async (count: number): Promise<void> => {
          const most = `--nproc=${threads(program.pid) + count}:`;
          const prlimit = new Fixture(['prlimit', `--pid=${program.pid}`, most], user);
          expect(await prlimit.end()).toMatchObject({ code: 0 });
        };
        await leave(left);
        program.tell('refused');
        const refused = await program.hears('refused');
        expect(refused).toMatchObject({ name: 'SignalError', code: 'EAGAIN', errno: -11 });
        expect(refused['after']).toEqual(refused['before']);
        await leave(100);
        program.tell('started');
        expect(await program.hears('started')).toMatchObject({ handled: 1 });
      },
    );
  });
});

onLinux('/proc/PID/status', () => {
  test('shows our handlers from start() to stop(), and never a blocked signal', async () => {
    const program = run(({ daemoniker, say, onCommand }) => {
      const handler = new daemoniker.SignalHandler1(null);
      onCommand((command) => {
        if (command === 'start') handler.start();
        else handler.stop();
        say('done');
      });
      say('ready');
    });
    await program.hears('ready');
    const look = (): string[][] => {
      const status = statusAtRest(program.pid);
      return ['SigCgt', 'SigIgn', 'SigBlk'].map((set) => signalSetOf(status, set));
    };
    const before = look();
    for (let round = 0; round < 2; round++) {
      program.tell('start');
      await program.hears('done');
      expect(look()).toEqual([['SIGINT', 'SIGTERM', 'SIGABRT'], [], []]);
      program.tell('stop');
      await program.hears('done');
      expect(look()).toEqual(before);
    }
  });

  // Node resets what it inherits; Bun and Deno keep it.
  test('shows ignored signals again that were inherited as such', async () => {
    const program = run(
      ({ daemoniker, say, onCommand }) => {
        const handler = new daemoniker.SignalHandler1(null);
        onCommand((command) => {
          if (command === 'start') handler.start();
          else handler.stop();
          say('done');
        });
        say('ready');
      },
      [],
      { wrapper: ['sh', '-c', 'trap \'\' INT TERM ABRT; exec "$@"', 'sh'] },
    );
    await program.hears('ready');
    const before = signalSet(program.pid, 'SigIgn');
    program.tell('start');
    await program.hears('done');
    expect(signalSet(program.pid, 'SigIgn')).toEqual([]);
    program.tell('stop');
    await program.hears('done');
    expect(signalSet(program.pid, 'SigIgn')).toEqual(before);
  });
});

describe('listeners of process.on()', () => {
  /** Interrupts the process, and waits for who hears it. */
  async function hearers(program: Fixture, ...commands: readonly string[]): Promise<string[]> {
    await program.hears('ready');
    const heard: string[] = [];
    for (const command of ['', ...commands]) {
      if (command !== '') {
        program.tell(command);
        await program.hears('done');
      }
      program.interrupt();
      heard.push((await program.hearsAny('listener', 'handler')).event);
    }
    // Nobody else has heard it, too.
    expect(program.said.filter(({ event }) => /^(listener|handler)$/.test(event))).toHaveLength(
      heard.length,
    );
    return heard;
  }

  test('that were there before get nothing while the handler runs, and all again after it', async () => {
    const program = run(({ daemoniker, say, onCommand }) => {
      process.on('SIGINT', (...given: unknown[]) => say('listener', { given }));
      const handler = new daemoniker.SignalHandler1(null, { sigint: () => say('handler') });
      onCommand((command) => {
        if (command === 'start') handler.start();
        else handler.stop();
        say('done');
      });
      say('ready');
    });
    const heard = await hearers(program, 'start', 'stop', 'start');
    expect(heard).toEqual(['listener', 'handler', 'listener', 'handler']);
    // Deno gives no number.
    const first = program.said.find(({ event }) => event === 'listener');
    expect(first).toHaveProperty(['given', 0], 'SIGINT');
  });

  test('added while the handler runs work after stop()', async () => {
    const program = run(({ daemoniker, say, onCommand }) => {
      const handler = new daemoniker.SignalHandler1(null, { sigint: () => say('handler') });
      handler.start();
      process.on('SIGINT', () => say('listener'));
      onCommand(() => {
        handler.stop();
        say('done');
      });
      say('ready');
    });
    expect(await hearers(program, 'stop')).toEqual(['handler', 'listener']);
  });

  test('removed while the handler runs leave the default behind after stop()', async () => {
    const program = run(({ daemoniker, say, onCommand }) => {
      const listener = (): void => say('listener');
      process.on('SIGINT', listener);
      const handler = new daemoniker.SignalHandler1(null, { sigint: () => say('handler') });
      handler.start();
      process.off('SIGINT', listener);
      onCommand(() => {
        handler.stop();
        say('stopped');
      });
      say('ready');
    });
    expect(await hearers(program)).toEqual(['handler']);
    program.tell('stop');
    await program.hears('stopped');
    program.interrupt();
    // The exit code of a console's default is Windows' own; Wine has another.
    const death = IS_WINDOWS ? { signal: null } : deathWithoutHandler('SIGINT');
    expect(await program.end()).toMatchObject(death);
    expect(program.stdout).not.toContain('listener');
  });

  if (NAME === 'node') {
    test('for once survive, too', async () => {
      const program = run(({ daemoniker, say, onCommand }) => {
        const handler = new daemoniker.SignalHandler1(null, { sigint: () => say('handler') });
        process.once('SIGINT', () => say('listener'));
        handler.start();
        onCommand(() => {
          handler.stop();
          say('done');
        });
        say('ready');
      });
      expect(await hearers(program, 'stop')).toEqual(['handler', 'listener']);
    });
  }

  onNode.test.each(['SIGTERM', 'beforeExit', 'exit'])(
    "of 'newListener' that throw at %s make start() fail, with everything as before",
    async (event) => {
      const program = run(
        ({ daemoniker, say, args, signalMyself, onCommand }) => {
          const events = ['SIGINT', 'SIGTERM', 'SIGABRT', 'exit', 'beforeExit'];
          const count = (): number[] => events.map((name) => process.listenerCount(name));
          const before = count();
          const handler = new daemoniker.SignalHandler1(null, { sigterm: () => say('handled') });
          const fail = (name: string | symbol): void => {
            if (name === args[0]) throw new Error('not added');
          };
          process.on('newListener', fail);
          let thrown = '';
          try {
            handler.start();
          } catch (error) {
            thrown = (error as Error).message;
          }
          process.off('newListener', fail);
          say('tried', { before, after: count(), thrown });
          if (thrown !== '') handler.start();
          signalMyself('SIGTERM');
          handler.stop();
          if (process.platform === 'win32') process.exit();
          signalMyself('SIGTERM');
          onCommand(() => undefined);
        },
        [event],
      );
      const { before, after, thrown } = await program.hears('tried');
      // Windows adds no listeners of signals.
      expect(thrown).toBe(IS_WINDOWS && event === 'SIGTERM' ? '' : 'not added');
      if (thrown !== '') expect(after).toEqual(before);
      await program.hears('handled');
      if (!IS_WINDOWS) expect(await program.end()).toMatchObject({ signal: 'SIGTERM' });
    },
  );

  onNode.test("of 'removeListener' that throw do not keep our own from being removed", async () => {
    const program = run(({ daemoniker, say, signalMyself, onCommand }) => {
      const events = ['SIGINT', 'SIGTERM', 'SIGABRT', 'exit', 'beforeExit'];
      const count = (): number[] => events.map((event) => process.listenerCount(event));
      const before = count();
      const handler = new daemoniker.SignalHandler1(null).start();
      const fail = (): never => {
        throw new Error('not removed');
      };
      process.on('removeListener', fail);
      let thrown = '';
      try {
        handler.stop();
      } catch (error) {
        thrown = (error as Error).message;
      }
      process.off('removeListener', fail); // not all: there is one of Node's own
      say('stopped', { before, after: count(), thrown });
      // It has stopped all the same, and so does the next one.
      handler.start().stop();
      new daemoniker.SignalHandler1(null).start().stop();
      say('again', { after: count() });
      if (process.platform === 'win32') return;
      process.on('SIGINT', () => say('heard'));
      signalMyself('SIGINT');
      onCommand(() => undefined);
    });
    const { before, after, thrown } = await program.hears('stopped');
    expect(thrown).toBe('not removed');
    expect(after).toEqual(before);
    expect((await program.hears('again'))['after']).toEqual(before);
    if (!IS_WINDOWS) await program.hears('heard');
  });

  test('are all that is seen of us: none is left after stop()', async () => {
    const program = run(({ daemoniker, say }) => {
      const events = ['SIGINT', 'SIGTERM', 'SIGABRT', 'exit', 'beforeExit', 'uncaughtException'];
      const count = (): number[] => events.map((event) => process.listenerCount(event));
      const before = count();
      const handler = new daemoniker.SignalHandler1(null);
      for (let i = 0; i < 3; i++) handler.start().stop();
      say('counted', { before, after: count() });
    });
    const { before, after } = await program.hears('counted');
    expect(after).toEqual(before);
  });
});

onNodeOnLinux('the terminal', () => {
  // Node's own handlers for SIGINT and SIGTERM put the terminal back before they end the process.
  test('is put back by the runtime after stop(), as without us', async () => {
    const program = run(
      ({ daemoniker, say, args, require, signals, onCommand }) => {
        const helper = require(args[0] as string) as NativeHelper;
        const before = helper.disposition(signals.SIGINT);
        new daemoniker.SignalHandler1(null).start().stop();
        say('looked', { before, after: helper.disposition(signals.SIGINT) });
        onCommand(() => undefined);
      },
      [addonPath()],
    );
    const { before, after } = await program.hears('looked');
    expect(before).toMatch(/^handler/);
    expect(after).toBe(before);
    program.kill('SIGINT');
    expect(await program.end()).toMatchObject({ signal: 'SIGINT' });
  });
});
