// A signal whose handler was left out belongs to whoever listens to it with process.on(), as if this
// package were not there; to the default handler while nobody does.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { directory, pidFile } from '../support/each_test';
import { deathBy } from '../support/endings';
import { Fixture, start } from '../support/fixture';
import { onNode, onNodeOnUnix, onUnix, testUnlessOn } from '../support/platform';
import { run } from '../support/program';
import { NAME, ROOT, RUNTIME } from '../support/runtime';

/** What the default handler says when it ends the process. */
const LAST_LINE = new RegExp(
  `^daemoniker: SIGTERM received from pid ${process.pid} \\(.+\\); ending the process\\n$`,
);

function listening(when: 'before' | 'after', how: 'on' | 'once'): Fixture {
  return run(
    ({ daemoniker, say, args, onCommand }) => {
      const [when, how] = args as ['before' | 'after', 'on' | 'once'];
      const listener = (): void => say('heard', { listeners: process.listenerCount('SIGTERM') });
      if (when === 'before') process[how]('SIGTERM', listener);
      new daemoniker.SignalHandler1(null).start();
      if (when === 'after') process[how]('SIGTERM', listener);
      onCommand(() => {
        process.off('SIGTERM', listener);
        say('removed');
      });
      say('ready', { listeners: process.listeners('SIGTERM').map((one) => one === listener) });
    },
    [when, how],
  );
}

describe.each(['before', 'after'] as const)('a listener added %s start()', (when) => {
  test('hears the signal, every time; the default handler does nothing', async () => {
    const program = listening(when, 'on');
    await program.hears('ready');
    for (let round = 0; round < 3; round++) {
      program.kill('SIGTERM');
      await program.hears('heard');
    }
    program.kill('SIGKILL');
    expect((await program.end()).stderr).toBe('');
  });

  test('leaves the signal to the default handler when it is removed', async () => {
    const program = listening(when, 'on');
    await program.hears('ready');
    program.kill('SIGTERM');
    await program.hears('heard');
    program.tell('remove');
    await program.hears('removed');
    program.kill('SIGTERM');
    const { code, signal, stderr } = await program.end();
    expect({ code, signal }).toEqual(deathBy('SIGTERM'));
    expect(stderr).toMatch(LAST_LINE);
  });

  test('for once leaves the second signal to the default handler', async () => {
    const program = listening(when, 'once');
    await program.hears('ready');
    program.kill('SIGTERM');
    await program.hears('heard');
    program.kill('SIGTERM');
    const { code, signal, stderr } = await program.end();
    expect({ code, signal }).toEqual(deathBy('SIGTERM'));
    // Bun itself may catch a signal that comes in the very moment in which its last listener goes.
    if (NAME !== 'bun') expect(stderr).toMatch(LAST_LINE);
    else expect(stderr).toContain('daemoniker: SIGTERM received');
  });

  // Whoever counts the listeners (signal-exit, close-with-grace) counts none of ours.
  onNodeOnUnix.test('is the only one that process.listeners() shows', async () => {
    const program = listening(when, 'on');
    expect((await program.hears('ready'))['listeners']).toEqual([true]);
    program.kill('SIGTERM');
    expect((await program.hears('heard'))['listeners']).toBe(1);
  });

  onUnix.test('of signal-exit ends the process by the signal', async () => {
    const program = run(
      ({ daemoniker, say, args, require, onCommand }) => {
        const install = (): void => {
          const { onExit } = require('signal-exit') as typeof import('signal-exit');
          onExit((code, signal) => say('exits', { code, signal }));
        };
        if (args[0] === 'before') install();
        new daemoniker.SignalHandler1(null).start();
        if (args[0] === 'after') install();
        onCommand(() => undefined);
        say('ready');
      },
      [when],
    );
    await program.hears('ready');
    program.kill('SIGTERM');
    expect(await program.hears('exits')).toMatchObject({ signal: 'SIGTERM' });
    expect(await program.end()).toMatchObject(deathBy('SIGTERM'));
  });
});

test('a deadline spares a listener, and holds again when the last one is removed', async () => {
  const code = `
    const listener = () => {
      say('heard');
      process.off('SIGTERM', listener);
      setImmediate(() => { say('stuck'); stuckForEver(); });
    };
    process.on('SIGTERM', listener);
    setImmediate(() => { say('busy'); blockFor(1500); });
    liveOn();
  `;
  const settings = { sigterm: 'raise', deadline: 200 };
  const fixture = start('blocked', [pidFile, JSON.stringify(settings), code]);
  await fixture.hears('busy');
  fixture.kill('SIGTERM');
  await fixture.hears('heard');
  await fixture.hears('stuck');
  fixture.kill('SIGTERM');
  const ending = await fixture.end();
  expect(ending).toMatchObject(deathBy('SIGTERM'));
  expect(ending.stderr).toContain('was not handled within its deadline');
});

test('a handler takes the signal from the listeners of others while it is set', async () => {
  const program = run(({ daemoniker, say, onCommand }) => {
    process.on('SIGTERM', () => say('listener'));
    const handler = new daemoniker.SignalHandler1(null).start();
    onCommand((command) => {
      if (command === 'assign') handler.sigterm = () => say('handler');
      else delete handler.sigterm;
      say(command);
    });
    say('ready');
  });
  await program.hears('ready');
  for (const [command, hearer] of [
    ['assign', 'handler'],
    ['delete', 'listener'],
    ['assign', 'handler'],
    ['delete', 'listener'],
  ] as const) {
    program.tell(command);
    await program.hears(command);
    program.kill('SIGTERM');
    expect((await program.hearsAny('handler', 'listener')).event).toBe(hearer);
  }
});

// It removes all listeners of SIGINT, ours too, and installs a handler of its own, for as long as a
// script runs. (Where nobody listens, with the default handler, its own stays: nothing tells us.)
onNode.test('vm with breakOnSigint gives the signal back to our handler', async () => {
  const program = run(({ daemoniker, say, require, onCommand }) => {
    const { runInThisContext } = require('node:vm') as typeof import('node:vm');
    new daemoniker.SignalHandler1(null, { sigint: () => say('handled') }).start();
    onCommand((command) => {
      runInThisContext('1', { breakOnSigint: true });
      say(command);
    });
    say('ready');
  });
  await program.hears('ready');
  for (let round = 0; round < 2; round++) {
    program.tell('ran');
    await program.hears('ran');
    program.kill('SIGINT');
    await program.hears('handled');
  }
});

onNodeOnUnix.test(
  'a listener that left while a handler ran leaves nothing after stop()',
  async () => {
    const program = run(({ daemoniker, say, signalMyself }) => {
      const listener = (): void => say('heard');
      process.on('SIGTERM', listener);
      const handler = new daemoniker.SignalHandler1(null).start();
      process.off('SIGTERM', listener);
      setImmediate(() => {
        handler.stop();
        signalMyself('SIGTERM');
        process.exit(1); // it was swallowed
      });
    });
    expect(await program.end()).toMatchObject({ signal: 'SIGTERM', stderr: '' });
  },
);

describe('packages that end a process gracefully do so as without our handler', () => {
  test.each(['before', 'after'] as const)('close-with-grace, loaded %s start()', async (when) => {
    const program = run(
      ({ daemoniker, say, args, require, onCommand }) => {
        const install = (): void => {
          const closeWithGrace = require('close-with-grace') as (
            options: object,
            close: (reason: { signal?: string }) => Promise<void>,
          ) => void;
          // Deno refuses listeners for these.
          const skip = ['SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSEGV'];
          closeWithGrace({ delay: 60_000, skip }, async ({ signal }) => {
            await Promise.resolve();
            say('closes', { signal });
          });
        };
        if (args[0] === 'before') install();
        new daemoniker.SignalHandler1(null).start();
        if (args[0] === 'after') install();
        onCommand(() => undefined);
        say('ready');
      },
      [when],
    );
    await program.hears('ready');
    program.kill('SIGTERM');
    expect(await program.hears('closes')).toMatchObject({ signal: 'SIGTERM' });
    expect(await program.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
  });

  onNode.test('terminus', async () => {
    const program = run(({ daemoniker, say, require }) => {
      const { createTerminus } = require('@godaddy/terminus') as {
        createTerminus: (server: object, options: object) => void;
      };
      const { createServer } = require('node:http') as typeof import('node:http');
      const server = createServer();
      createTerminus(server, {
        signals: ['SIGTERM'],
        useExit0: true,
        onSignal: async () => {
          await Promise.resolve();
          say('closes');
        },
      });
      new daemoniker.SignalHandler1(null).start();
      server.listen(0, () => say('ready'));
    });
    await program.hears('ready');
    program.kill('SIGTERM');
    await program.hears('closes');
    expect(await program.end()).toMatchObject({ code: 0, signal: null });
  });

  onUnix.test.each(['before', 'after'])('signal-exit 3, loaded %s start()', async (when) => {
    const program = run(
      ({ daemoniker, say, args, require, onCommand }) => {
        const install = (): void => {
          const onExit = require('signal-exit-3') as (
            listener: (code: number | null, signal: string | null) => void,
          ) => void;
          onExit((code, signal) => say('exits', { code, signal }));
        };
        if (args[0] === 'before') install();
        new daemoniker.SignalHandler1(null).start();
        if (args[0] === 'after') install();
        onCommand(() => undefined);
        say('ready');
      },
      [when],
    );
    await program.hears('ready');
    program.kill('SIGTERM');
    expect(await program.hears('exits')).toMatchObject({ signal: 'SIGTERM' });
    expect(await program.end()).toMatchObject(deathBy('SIGTERM'));
  });
});

// tsx asks the process that it started whether the signal has arrived, by a listener that
// process.listeners() does not show, and kills it after 30 ms without an answer.
onNodeOnUnix.test('under tsx a clean-up runs to its end', async () => {
  const program = join(directory, 'daemon.ts');
  writeFileSync(
    program,
    `const { SignalHandler1 } = require(${JSON.stringify(ROOT)}) as typeof import('daemoniker');
    const say = (event: string): void => console.log(JSON.stringify({ event }));
    new SignalHandler1(null, {
      sigterm: () => {
        say('begins');
        setTimeout(() => { say('done'); process.exit(7); }, 1500);
      },
    }).start();
    setInterval(() => undefined, 1000);
    say('ready');`,
  );
  // It waits 30 ms for whether the program has the signal already, passes it on, and waits again. What is
  // tested is whether it then gets its answer, and not how fast a busy machine is.
  const patient = join(directory, 'patient.cjs');
  writeFileSync(
    patient,
    `const { setTimeout } = globalThis;
    let waits = 0;
    globalThis.setTimeout = (callback, delay, ...rest) =>
      setTimeout(callback, delay === 30 && ++waits > 1 ? 30_000 : delay, ...rest);`,
  );
  const tsx = new Fixture([...RUNTIME, '--require', patient, require.resolve('tsx/cli'), program]);
  await tsx.hears('ready');
  tsx.kill('SIGTERM');
  expect(await tsx.end()).toMatchObject({ code: 7, signal: null });
  expect(tsx.said.map(({ event }) => event)).toEqual(['ready', 'begins', 'done']);
});

describe('a handler with other listeners beside it', () => {
  const WARNING = /DAEMONIKER_LISTENERS_NOT_CALLED.*process\.on\('SIGTERM'\).*listeners: true/;

  test.each(['before', 'after'] as const)(
    'warns once that those added %s start() are not called',
    async (when) => {
      const program = run(
        ({ daemoniker, say, args, onCommand }) => {
          const listen = (): unknown => process.on('SIGTERM', () => say('listener'));
          if (args[0] === 'before') listen();
          const handler = new daemoniker.SignalHandler1(null, {
            sigterm: () => say('handler'),
          }).start();
          if (args[0] === 'after') listen();
          onCommand(() => {
            handler.stop();
            handler.start();
            process.on('SIGTERM', () => undefined);
            setImmediate(() => process.exit(0));
          });
          setImmediate(() => say('ready'));
        },
        [when],
      );
      await program.hears('ready');
      program.kill('SIGTERM');
      expect((await program.hearsAny('handler', 'listener')).event).toBe('handler');
      program.tell('again');
      const { stderr } = await program.end();
      expect(stderr).toMatch(WARNING);
      expect(stderr.match(/DAEMONIKER_LISTENERS_NOT_CALLED/g)).toHaveLength(1);
    },
  );

  test('says nothing about signal-exit', async () => {
    const program = run(({ daemoniker, require }) => {
      (require('signal-exit') as typeof import('signal-exit')).onExit(() => undefined);
      new daemoniker.SignalHandler1(null, { sigterm: () => undefined }).start();
      setImmediate(() => process.exit(0));
    });
    expect(await program.end()).toMatchObject({ code: 0, stderr: '' });
  });

  test('calls them with { listeners: true }, after its own, with name and number, once() once', async () => {
    const program = run(({ daemoniker, say, onCommand, signals }) => {
      process.once('SIGTERM', (name: string, number: number) => {
        say('once', { name, right: number === signals.SIGTERM });
      });
      process.on('SIGTERM', () => say('on'));
      new daemoniker.SignalHandler1(null, {
        listeners: true,
        sigterm: () => say('handler'),
      }).start();
      onCommand(() => undefined);
      say('ready');
    });
    await program.hears('ready');
    for (let round = 0; round < 2; round++) {
      program.kill('SIGTERM');
      await program.hears('on');
    }
    program.kill('SIGKILL');
    expect((await program.end()).stderr).toBe('');
    expect(program.said.slice(1)).toEqual([
      { event: 'handler' },
      { event: 'once', name: 'SIGTERM', right: true },
      { event: 'on' },
      { event: 'handler' },
      { event: 'on' },
    ]);
  });

  testUnlessOn('bun', 'it does not tell which listeners are for once, and calls them itself')(
    'calls those that were there before its own, each, though one throws',
    async () => {
      const program = run(({ daemoniker, say, onCommand }) => {
        process.on('uncaughtException', (error) => say('uncaught', { message: error.message }));
        process.on('SIGTERM', () => {
          throw new Error('thrown');
        });
        process.on('SIGTERM', () => say('second'));
        new daemoniker.SignalHandler1(null, {
          listeners: true,
          sigterm: () => process.once('SIGTERM', () => say('added')),
        }).start();
        onCommand(() => undefined);
        say('ready');
      });
      await program.hears('ready');
      program.kill('SIGTERM');
      await program.hears('second');
      program.kill('SIGTERM');
      await program.hears('added');
      program.kill('SIGKILL');
      expect((await program.end()).stderr).toBe('');
      const round = [{ event: 'uncaught', message: 'thrown' }, { event: 'second' }];
      expect(program.said.slice(1)).toEqual([...round, ...round, { event: 'added' }]);
    },
  );
});

test('our listeners do not make the runtime warn of too many', async () => {
  const program = run(({ daemoniker }) => {
    const listeners = process.listenerCount('exit');
    for (let i = listeners; i < process.getMaxListeners(); i++) process.on('exit', () => undefined);
    const handler = new daemoniker.SignalHandler1(null).start();
    handler.stop();
    handler.start();
    setImmediate(() => process.exit(0));
  });
  expect(await program.end()).toMatchObject({ code: 0, stderr: '' });
});
