// Order of arrival, coalescing, and nothing lost around stop().
import type { SignalHandler1 } from '../../';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { directory } from '../support/each_test';
import { deathWithoutHandler } from '../support/endings';
import { onLinuxAndWindows, withSigabrtToOneself } from '../support/platform';
import type { Fixture } from '../support/fixture';
import { run } from '../support/program';
import { IS_WINDOWS, NAME } from '../support/runtime';
import { signalThrough, signalsFromAnother } from '../support/sending';

const names = (daemon: Fixture): unknown[] =>
  daemon.said.filter(({ event }) => event === 'handled').map(({ name }) => name);

describe('signals that wait', () => {
  withSigabrtToOneself.test(
    'are coalesced with others of the same kind, and counted; different ones are not',
    async () => {
      const daemon = run(({ daemoniker, say, plain, signalMyself, onCommand }) => {
        const handled = (): void => say('handled', plain(handler.received));
        const handler: SignalHandler1 = new daemoniker.SignalHandler1(
          null,
          handled,
          handled,
          handled,
        ).start();
        signalMyself('SIGTERM', 5);
        signalMyself('SIGINT', 2);
        signalMyself('SIGTERM', 3);
        signalMyself('SIGABRT');
        setImmediate(() => say('loop'));
        onCommand(() => undefined);
      });
      expect(await daemon.hears('handled')).toMatchObject({ name: 'SIGTERM', count: 8 });
      expect(await daemon.hears('handled')).toMatchObject({ name: 'SIGINT', count: 2 });
      expect(await daemon.hears('handled')).toMatchObject({ name: 'SIGABRT', count: 1 });
    },
  );

  withSigabrtToOneself.test.each([
    'SIGABRT, SIGTERM, SIGINT',
    'SIGTERM, SIGINT, SIGABRT',
    'SIGINT, SIGABRT, SIGTERM',
  ])('are handled in order of arrival: %s', async (given) => {
    const order = given.split(', ');
    const daemon = run(({ daemoniker, say, plain, args, signalMyself, onCommand }) => {
      const handled = (): void => say('handled', plain(handler.received));
      const handler: SignalHandler1 = new daemoniker.SignalHandler1(
        null,
        handled,
        handled,
        handled,
      ).start();
      for (const name of args) signalMyself(name as NodeJS.Signals);
      onCommand(() => undefined);
    }, order);
    for (let i = 0; i < 3; i++) await daemon.hears('handled');
    expect(names(daemon)).toEqual(order);
  });

  test('keep the record of the first arrival when later ones are coalesced with it', async () => {
    const daemon = run(
      ({ daemoniker, say, plain, signalMyself, signalledByAnother, onCommand }) => {
        const handler: SignalHandler1 = new daemoniker.SignalHandler1(null, {
          sigterm: () => say('handled', plain(handler.received)),
        }).start();
        const first = signalledByAnother('SIGTERM');
        const between = Date.now();
        signalMyself('SIGTERM', 2);
        say('sent', { first, between });
        onCommand(() => undefined);
      },
    );
    const { first, between } = await daemon.hears('sent');
    const handled = await daemon.hears('handled');
    expect(handled).toMatchObject({ count: 3, sender: { pid: first } });
    expect(Date.parse(handled['receivedAt'] as string)).toBeLessThanOrEqual(between as number);
  });

  test('one that arrives while its own handler runs is handled after it, not in it', async () => {
    const daemon = run(({ daemoniker, say, plain, signalMyself, onCommand }) => {
      let depth = 0;
      const handler: SignalHandler1 = new daemoniker.SignalHandler1(null, {
        sigterm: () => {
          depth++;
          if (handler.received?.count === 1) signalMyself('SIGTERM', 2);
          say('handled', { ...plain(handler.received), depth });
          depth--;
        },
      }).start();
      signalMyself('SIGTERM');
      onCommand(() => undefined);
    });
    expect(await daemon.hears('handled')).toMatchObject({ count: 1, depth: 1 });
    expect(await daemon.hears('handled')).toMatchObject({ count: 2, depth: 1 });
  });
});

/** A send() waits for its acknowledgement, as kill(2) does not, and takes 10 ms or more under Wine. */
const AMOUNT = IS_WINDOWS
  ? { whileBlocked: 100, ofEach: 100, rounds: 6, inARow: 50 }
  : { whileBlocked: 300, ofEach: 500, rounds: 15, inARow: 200 };

onLinuxAndWindows('a blocked event loop', () => {
  test('sees later, counted, every signal that the kernel handed over meanwhile', async () => {
    const flag = join(directory, 'go on');
    const daemon = run(
      ({ daemoniker, say, args, require, onCommand }) => {
        const { existsSync } = require('node:fs') as typeof import('node:fs');
        let counted = 0;
        let calls = 0;
        const handler: SignalHandler1 = new daemoniker.SignalHandler1(null, {
          sigterm: () => {
            counted += handler.received?.count ?? NaN;
            say('counted', { counted, calls: ++calls });
          },
        }).start();
        say('ready');
        // Blocked until the test has sent what it wants to send.
        while (!existsSync(args[0] as string));
        onCommand(() => undefined);
      },
      [flag],
    );
    await daemon.hears('ready');
    for (let i = 0; i < AMOUNT.whileBlocked; i++) signalThrough(daemon.pid, 'SIGTERM');
    expect(daemon.said).toHaveLength(1); // nothing was handled yet
    writeFileSync(flag, '');
    await daemon.until(
      'all signals',
      () => daemon.said.at(-1)?.['counted'] === AMOUNT.whileBlocked,
    );
    expect(daemon.said.at(-1)).toMatchObject({ calls: 1 });
  });

  test('sees signals of several senders at once, never more than were sent', async () => {
    const daemon = run(({ daemoniker, say, onCommand }) => {
      let counted = 0;
      const handler: SignalHandler1 = new daemoniker.SignalHandler1(null, {
        sigterm: () => (counted += handler.received?.count ?? NaN),
        sigint: () => say('counted', { counted }),
      }).start();
      onCommand(() => undefined);
      say('ready');
    });
    await daemon.hears('ready');
    await Promise.all(
      [1, 2, 3].map(() => signalsFromAnother(daemon.pid, 'SIGTERM', AMOUNT.ofEach)),
    );
    signalThrough(daemon.pid, 'SIGINT');
    const { counted } = await daemon.hears('counted');
    expect(counted).toBeGreaterThan(0);
    expect(counted).toBeLessThanOrEqual(3 * AMOUNT.ofEach);
  });
});

describe('stop()', () => {
  test('delivers synchronously what waits, in order, and nothing afterwards', async () => {
    const daemon = run(({ daemoniker, say, plain, signalMyself }) => {
      const handled = (): void => say('handled', plain(handler.received));
      const handler: SignalHandler1 = new daemoniker.SignalHandler1(
        null,
        handled,
        handled,
        handled,
      ).start();
      signalMyself('SIGTERM', 2);
      signalMyself('SIGINT');
      handler.stop();
      say('stopped');
      setTimeout(() => say('later'), 50);
    });
    await daemon.end();
    expect(daemon.said).toMatchObject([
      { event: 'handled', name: 'SIGTERM', count: 2 },
      { event: 'handled', name: 'SIGINT', count: 1 },
      { event: 'stopped' },
      { event: 'later' },
    ]);
  });

  withSigabrtToOneself.test('does so as well when it is called in a handler', async () => {
    const daemon = run(({ daemoniker, say, plain, signalMyself }) => {
      const handled = (): void => say('handled', plain(handler.received));
      const handler: SignalHandler1 = new daemoniker.SignalHandler1(null, {
        sigterm: () => {
          handler.stop();
          say('stopped', plain(handler.received));
        },
        sigint: handled,
        sigabrt: handled,
      }).start();
      signalMyself('SIGTERM');
      signalMyself('SIGABRT');
      signalMyself('SIGINT');
      setTimeout(() => say('later'), 50);
    });
    expect(await daemon.end()).toMatchObject({ code: 0 });
    expect(daemon.said).toMatchObject([
      { event: 'handled', name: 'SIGABRT' },
      { event: 'handled', name: 'SIGINT' },
      { event: 'stopped', name: 'SIGTERM' },
      { event: 'later' },
    ]);
  });

  test('and start() in a handler that stop() calls leaves the handler running', async () => {
    const daemon = run(({ daemoniker, say, signalMyself, onCommand }) => {
      let handled = 0;
      const handler: SignalHandler1 = new daemoniker.SignalHandler1(null, {
        sigterm: () => {
          say('handled', { nth: ++handled });
          if (handled === 1) {
            handler.stop();
            handler.start();
          }
        },
      }).start();
      signalMyself('SIGTERM');
      handler.stop();
      onCommand(() => {
        handler.stop();
        say('stopped');
      });
      say('ready');
    });
    await daemon.hears('ready');
    daemon.kill('SIGTERM');
    await daemon.until('a second call', () => daemon.said.at(-1)?.['nth'] === 2);
    daemon.tell('stop');
    await daemon.hears('stopped');
    daemon.kill('SIGTERM');
    expect(await daemon.end()).toMatchObject({
      ...deathWithoutHandler('SIGTERM'),
      stderr: '',
    });
  });

  test('lets a handler that it calls start another one, which then receives', async () => {
    const daemon = run(({ daemoniker, say, signalMyself, onCommand }) => {
      const second = new daemoniker.SignalHandler1(null, {
        sigterm: () => say('second', { signal: 'SIGTERM' }),
        sigint: () => say('second', { signal: 'SIGINT' }),
      });
      const first = new daemoniker.SignalHandler1(null, {
        sigterm: () => second.start(),
        sigint: () => say('first'),
      }).start();
      signalMyself('SIGTERM');
      signalMyself('SIGINT');
      first.stop();
      onCommand(() => undefined);
      say('ready');
    });
    await daemon.hears('ready');
    daemon.kill('SIGTERM');
    await daemon.until('its signal', () => daemon.said.at(-1)?.['signal'] === 'SIGTERM');
    daemon.child.stdin?.end();
    expect(await daemon.end()).toMatchObject({ code: 0, signal: null });
  });
});

onLinuxAndWindows('across stop() and start()', () => {
  // Bun and Deno coalesce signals on their way to process.on(), so there the sum would not be exact; on
  // Windows process.on() hears nothing of what is sent.
  const others =
    NAME === 'node' && !IS_WINDOWS ? ['another handler', 'process.on'] : ['another handler'];

  // Underneath, somebody else always handles the signal, or it would be the end of the process.
  test.each(others)('with %s underneath nothing is lost', async (under) => {
    const daemon = run(
      ({ daemoniker, say, args, onCommand }) => {
        const { SignalHandler1 } = daemoniker;
        let below = 0;
        let above = 0;
        const base = new SignalHandler1(null, {
          sigterm: () => (below += base.received?.count ?? NaN),
        });
        if (args[0] === 'process.on') process.on('SIGTERM', () => below++);
        else base.start();
        const handler = new SignalHandler1(null, {
          sigterm: () => (above += handler.received?.count ?? NaN),
        });
        let cycling = true;
        const cycle = (): void => {
          for (let i = 0; i < 5; i++) handler.start().stop();
          handler.start();
          setTimeout(() => {
            handler.stop();
            if (cycling) setTimeout(cycle, 1);
            else report();
          }, 1);
        };
        const report = (): void => {
          say('counted', { below, above, counted: below + above });
          setTimeout(report, 10);
        };
        cycle();
        onCommand((command) => {
          if (command === 'stop') cycling = false;
          else say('looked', { both: above > 0 && below > 0 });
        });
        say('ready');
      },
      [under],
    );
    await daemon.hears('ready');
    let sent = 0;
    let both: unknown = false;
    for (let round = 0; round < AMOUNT.rounds || both !== true; round++) {
      for (let i = 0; i < AMOUNT.inARow; i++, sent++) signalThrough(daemon.pid, 'SIGTERM');
      daemon.tell('look');
      ({ both } = await daemon.hears('looked'));
    }
    daemon.tell('stop');
    await daemon.until('all signals', () => daemon.said.at(-1)?.['counted'] === sent);
  });
});
