// A running handler neither keeps the process alive nor loses what arrives at its end.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SignalHandler1 } from '../../';
import { directory } from '../support/each_test';
import { eventually } from '../support/processes';
import { run } from '../support/program';
import { IS_WINDOWS } from '../support/runtime';

describe('an otherwise empty event loop', () => {
  test('ends although a handler runs', async () => {
    const program = run(({ daemoniker, say }) => {
      new daemoniker.SignalHandler1(null).start();
      process.on('exit', (code) => say('exit', { code }));
    });
    expect(await program.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
  });

  test('loses no signal that arrived before it ends (nodejs/node#28502), in 200 rounds', async () => {
    const program = run(({ daemoniker, say, signalMyself }) => {
      let handled = 0;
      new daemoniker.SignalHandler1(null, {
        sigterm: () => {
          if (++handled < 200) setImmediate(() => signalMyself('SIGTERM'));
        },
      }).start();
      process.on('exit', () => say('exit', { handled }));
      signalMyself('SIGTERM');
    });
    await program.end();
    expect(program.said).toEqual([{ event: 'exit', handled: 200 }]);
  });

  test('turns once more for one that arrives while the last one is handled', async () => {
    const program = run(({ daemoniker, say, signalMyself }) => {
      // Before ours: at the end of the loop, when nothing is left to do.
      process.once('beforeExit', () => signalMyself('SIGTERM'));
      new daemoniker.SignalHandler1(null, {
        sigterm: () => signalMyself('SIGINT'),
        // Too late in an 'exit' listener.
        sigint: () => setImmediate(() => say('handled')),
      }).start();
    });
    await program.end();
    expect(program.said).toEqual([{ event: 'handled' }]);
  });

  test("loses none that arrives in a later 'beforeExit' listener: handled before 'exit'", async () => {
    const program = run(({ daemoniker, say, signalMyself }) => {
      process.on('exit', () => say('exit'));
      new daemoniker.SignalHandler1(null, { sigterm: () => say('handled') }).start();
      process.once('beforeExit', () => signalMyself('SIGTERM'));
      process.on('exit', () => say('exit'));
    });
    expect(await program.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(program.said.map(({ event }) => event)).toEqual(['handled', 'exit', 'exit']);
  });

  test('loses none that another process has sent either', async () => {
    // A sender is a Node.js of its own on Windows, which takes a while to start.
    const rounds = IS_WINDOWS ? 8 : 25;
    const [asks, sent] = ['asks', 'sent'].map((name) => join(directory, name)) as [string, string];
    const program = run(
      ({ daemoniker, say, args, require, signalledByAnother }) => {
        const { existsSync, rmSync, writeFileSync } =
          require('node:fs') as typeof import('node:fs');
        const [rounds, asks = '', sent = ''] = args;
        // A thread that runs, and blocks no signals, gets it at once. One that starts a child or waits for
        // it may be passed over for a thread that has yet to run, and the end of the loop cannot know.
        const spinning = (): void => {
          writeFileSync(asks, '');
          while (!existsSync(sent));
          rmSync(sent);
        };
        const ask = process.platform === 'win32' ? () => signalledByAnother('SIGINT') : spinning;
        let handled = 0;
        new daemoniker.SignalHandler1(null, {
          sigint: () => {
            if (++handled < Number(rounds)) setImmediate(ask);
          },
        }).start();
        process.on('exit', () => say('exit', { handled }));
        ask();
      },
      [String(rounds), asks, sent],
    );
    for (let round = 0; round < rounds && !IS_WINDOWS; round++) {
      await eventually('it asks for one', () => existsSync(asks) || program.said.length > 0);
      rmSync(asks);
      program.kill('SIGINT');
      writeFileSync(sent, '');
    }
    await program.end();
    expect(program.said).toEqual([{ event: 'exit', handled: rounds }]);
  });

  test('goes on when a handler gives it something to do', async () => {
    const program = run(({ daemoniker, say, signalMyself }) => {
      new daemoniker.SignalHandler1(null, {
        sigterm: () => setTimeout(() => say('worked'), 20),
      }).start();
      signalMyself('SIGTERM');
    });
    expect(await program.end()).toMatchObject({ code: 0 });
    expect(program.said).toEqual([{ event: 'worked' }]);
  });
});

describe('ref()', () => {
  test('keeps the process alive until unref()', async () => {
    const program = run(
      ({ daemoniker, say, plain }) => {
        const handler: SignalHandler1 = new daemoniker.SignalHandler1(null, {
          sigint: () => say('handled', plain(handler.received)),
          sigterm: () => handler.unref(),
        });
        handler.ref().start();
        say('ready');
        process.on('exit', () => say('exit'));
      },
      [],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    await program.hears('ready');
    program.kill('SIGINT');
    await program.hears('handled');
    expect(program.stdout).not.toContain('exit');
    program.kill('SIGTERM');
    await program.hears('exit');
    expect(await program.end()).toMatchObject({ code: 0, signal: null });
  });

  test('works while it runs, and ends with stop()', async () => {
    const program = run(
      ({ daemoniker, say }) => {
        const handler: SignalHandler1 = new daemoniker.SignalHandler1(null, {
          sigterm: () => handler.stop(),
        });
        handler.start().ref().ref();
        say('ready');
      },
      [],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    await program.hears('ready');
    program.kill('SIGTERM');
    expect(await program.end()).toMatchObject({ code: 0, signal: null });
  });

  test('of one of several handlers is enough', async () => {
    const program = run(
      ({ daemoniker, say }) => {
        const referenced = new daemoniker.SignalHandler1(null).ref().start();
        new daemoniker.SignalHandler1(null, { sigterm: () => referenced.unref() }).start();
        say('ready');
      },
      [],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    await program.hears('ready');
    program.kill('SIGTERM');
    expect(await program.end()).toMatchObject({ code: 0, signal: null });
  });
});
