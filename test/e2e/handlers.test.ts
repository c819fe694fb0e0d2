// start(), stop() and the handler properties while signals arrive.
import { constants } from 'node:os';
import { deathWithoutHandler } from '../support/endings';
import { endAll } from '../support/fixture';
import { withSigabrtToOneself } from '../support/platform';
import { run } from '../support/program';
import { SENT } from '../support/sending';

afterEach(endAll);

describe('SignalHandler1', () => {
  // What the tests of the Python original check of receiving.
  test('calls each handler for its own signal, with exactly one argument, its number', async () => {
    const daemon = run(({ daemoniker, say, onCommand }) => {
      const saying =
        (name: string) =>
        (...args: unknown[]) =>
          say('handled', { name, args });
      new daemoniker.SignalHandler1(
        null,
        saying('sigint'),
        saying('sigterm'),
        saying('sigabrt'),
      ).start();
      onCommand(() => undefined);
      say('ready');
    });
    await daemon.hears('ready');
    daemon.kill('SIGINT');
    expect(await daemon.hears('handled')).toMatchObject({ name: 'sigint', args: [2] });
    daemon.kill('SIGTERM');
    expect(await daemon.hears('handled')).toMatchObject({ name: 'sigterm', args: [15] });
    daemon.kill('SIGABRT');
    expect(await daemon.hears('handled')).toMatchObject({
      name: 'sigabrt',
      args: [constants.signals.SIGABRT],
    });
  });

  test('is not confused by a process.emit() that names a signal', async () => {
    const daemon = run(({ daemoniker, say, onCommand }) => {
      const handler = new daemoniker.SignalHandler1(null, () => say('handled')).start();
      onCommand(() => undefined);
      const emitter: NodeJS.EventEmitter = process;
      emitter.emit('SIGINT');
      // Nothing that could not be taken may be left waiting: it would keep the messenger busy.
      setImmediate(() => {
        emitter.emit('SIGINT', 'SIGNOTHING', 99);
        say('ready');
      });
      process.on('exit', () => handler.stop());
    });
    await daemon.hears('ready');
    daemon.kill('SIGINT');
    await daemon.hears('handled');
    expect(daemon.child.exitCode).toBe(null);
  });

  test('receives nothing before start(): a signal then does what it does without us', async () => {
    const daemon = run(({ daemoniker, say, onCommand }) => {
      new daemoniker.SignalHandler1(null, { sigterm: () => say('handled') });
      onCommand(() => undefined);
      say('ready');
    });
    await daemon.hears('ready');
    daemon.kill('SIGTERM');
    expect(await daemon.end()).toMatchObject({ ...deathWithoutHandler('SIGTERM'), stderr: '' });
    expect(daemon.stdout).not.toContain('handled');
  });

  test('receives nothing after stop()', async () => {
    const daemon = run(({ daemoniker, say, onCommand }) => {
      const handler = new daemoniker.SignalHandler1(null, { sigterm: () => say('handled') });
      handler.start();
      handler.stop();
      onCommand(() => undefined);
      say('ready');
    });
    await daemon.hears('ready');
    daemon.kill('SIGTERM');
    expect(await daemon.end()).toMatchObject({ ...deathWithoutHandler('SIGTERM'), stderr: '' });
    expect(daemon.stdout).not.toContain('handled');
  });

  test('start() returns the handler; a second start() is a SignalError that changes nothing', async () => {
    const daemon = run(({ daemoniker, say, onCommand }) => {
      const handler = new daemoniker.SignalHandler1(null, { sigterm: () => say('handled') });
      const returned = handler.start();
      try {
        handler.start();
      } catch (error) {
        const { name, code } = error as Error & { code: string };
        const known = error instanceof daemoniker.SignalError;
        say('refused', { name, code, known, same: returned === handler });
      }
      onCommand(() => undefined);
    });
    expect(await daemon.hears('refused')).toEqual({
      event: 'refused',
      name: 'SignalError',
      code: 'ERR_HANDLER_RUNNING',
      known: true,
      same: true,
    });
    daemon.kill('SIGTERM');
    await daemon.hears('handled');
  });

  test('stop() is idempotent, start() works again after it, and so does `using`', async () => {
    const daemon = run(({ daemoniker, say, signalMyself }) => {
      let handled = 0;
      const handler = new daemoniker.SignalHandler1(null, { sigterm: () => handled++ });
      for (let round = 0; round < 3; round++) {
        handler.start();
        signalMyself('SIGTERM');
        if (round === 1) handler[Symbol.dispose]();
        else handler.stop();
        handler.stop();
      }
      say('result', { handled });
    });
    expect(await daemon.hears('result')).toMatchObject({ handled: 3 });
    expect(await daemon.end()).toMatchObject({ code: 0, signal: null });
  });

  test('takes new handlers, the default and IGNORE_SIGNAL while it runs', async () => {
    const daemon = run(({ daemoniker, say, onCommand }) => {
      const handler = new daemoniker.SignalHandler1(null, { sigterm: () => say('first') });
      handler.start();
      process.on('uncaughtException', (error) => say('raised', { name: error.name }));
      onCommand((command) => {
        if (command === 'assign') handler.sigterm = () => say('second');
        if (command === 'delete') delete handler.sigterm;
        if (command === 'ignore') handler.sigterm = daemoniker.IGNORE_SIGNAL;
        say(command);
      });
      say('ready');
    });
    await daemon.hears('ready');
    daemon.kill('SIGTERM');
    await daemon.hears('first');
    for (const [command, event] of [
      ['assign', 'second'],
      ['delete', 'raised'],
      ['assign', 'second'],
    ] as const) {
      daemon.tell(command);
      await daemon.hears(command);
      daemon.kill('SIGTERM');
      await daemon.hears(event);
    }
    daemon.tell('ignore');
    await daemon.hears('ignore');
    daemon.kill('SIGTERM');
    daemon.kill('SIGINT'); // handled after what is ignored: the default handler
    expect(await daemon.hears('raised')).toMatchObject({ name: 'SIGINT' });
    expect(daemon.said.filter(({ event }) => event === 'second')).toHaveLength(2);
  });

  withSigabrtToOneself.test(
    'a signal that waits meets the handler that is set when its turn comes',
    async () => {
      const daemon = run(({ daemoniker, say, signalMyself, onCommand }) => {
        const handler = new daemoniker.SignalHandler1(null, {
          sigterm: () => say('old'),
          sigint: () => {
            handler.sigabrt = () => say('new', { signal: 'SIGABRT' });
          },
          sigabrt: () => say('old'),
        }).start();
        signalMyself('SIGTERM');
        signalMyself('SIGINT');
        signalMyself('SIGABRT');
        handler.sigterm = () => say('new', { signal: 'SIGTERM' });
        onCommand(() => undefined);
      });
      expect(await daemon.hears('new')).toMatchObject({ signal: 'SIGTERM' });
      expect(await daemon.hears('new')).toMatchObject({ signal: 'SIGABRT' });
      expect(daemon.stdout).not.toContain('old');
    },
  );

  test('handler.received is the one being handled, then the last one', async () => {
    const daemon = run(({ daemoniker, say, onCommand, plain }) => {
      const handled = (): void => say('during', plain(handler.received));
      const handler = new daemoniker.SignalHandler1(null, handled, handled, handled);
      say('ready', { before: handler.start().received });
      onCommand(() => {
        const { received } = handler;
        const { SIGTERM } = daemoniker;
        say('after', { ...plain(received), right: received instanceof SIGTERM });
      });
    });
    expect(await daemon.hears('ready')).toMatchObject({ before: null });
    daemon.kill('SIGINT');
    expect(await daemon.hears('during')).toMatchObject({ name: 'SIGINT' });
    const sentAt = Date.now();
    daemon.kill('SIGTERM');
    const during = await daemon.hears('during');
    const handledAt = Date.now();
    expect(during).toMatchObject({ name: 'SIGTERM', signum: 15, count: 1, origin: SENT });
    const receivedAt = Date.parse(during['receivedAt'] as string);
    expect(receivedAt).toBeGreaterThanOrEqual(sentAt - 1);
    expect(receivedAt).toBeLessThanOrEqual(handledAt + 1);
    daemon.tell('look');
    expect(await daemon.hears('after')).toMatchObject({
      name: 'SIGTERM',
      receivedAt: during['receivedAt'],
      right: true,
    });
  });

  test('sees the AsyncLocalStorage store of its own start(), whoever was first', async () => {
    const program = run(({ daemoniker, say, require, signalMyself, onCommand }) => {
      const { AsyncLocalStorage } =
        require('node:async_hooks') as typeof import('node:async_hooks');
      const storage = new AsyncLocalStorage<string>();
      const make = (): InstanceType<typeof daemoniker.SignalHandler1> => {
        const seen = (): void => say('handled', { store: storage.getStore() ?? null });
        return new daemoniker.SignalHandler1(null, seen, seen);
      };
      const running = [
        make().start(),
        storage.run('first', () => make().start()),
        storage.run('second', () => make().start()),
      ];
      onCommand((command) => {
        // Neither who stops it nor who causes the signal makes a difference.
        storage.run('another', () => {
          if (command === 'signal') signalMyself('SIGTERM');
          else {
            signalMyself('SIGINT');
            running.pop()?.stop();
          }
        });
      });
      say('ready');
    });
    await program.hears('ready');
    for (const store of ['second', 'first', null]) {
      program.tell('signal');
      expect(await program.hears('handled')).toMatchObject({ store });
      program.tell('stop');
      expect(await program.hears('handled')).toMatchObject({ store });
    }
  });

  test('process.exit() in a handler ends the process with that code', async () => {
    const daemon = run(({ daemoniker, say, onCommand }) => {
      new daemoniker.SignalHandler1(null, { sigterm: () => process.exit(7) }).start();
      process.on('exit', (code) => say('exit', { code }));
      onCommand(() => undefined);
      say('ready');
    });
    await daemon.hears('ready');
    daemon.kill('SIGTERM');
    expect(await daemon.hears('exit')).toMatchObject({ code: 7 });
    expect(await daemon.end()).toMatchObject({ code: 7, signal: null, stderr: '' });
  });
});
