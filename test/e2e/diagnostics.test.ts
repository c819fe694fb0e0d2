// What node:diagnostics_channel tells operators, without a change of the daemon's code.
import type { SignalMessage } from '../../';
import { removeDirectory, temporaryDirectory } from '../support/directory';
import { endAll } from '../support/fixture';
import { SENT } from '../support/sending';
import { run } from '../support/program';
import { join } from 'node:path';

afterEach(endAll);

test('start, signal, handler begin and end, and stop are published in that order', async () => {
  const directory = temporaryDirectory();
  const pidFile = join(directory, 'my.pid');
  const daemon = run(
    ({ daemoniker, say, plain, args, require, onCommand }) => {
      const { subscribe } = require('node:diagnostics_channel') as {
        subscribe: (name: string, listener: (message: unknown) => void) => void;
      };
      const watch = (name: string): void =>
        subscribe(`daemoniker:${name}`, (message) => {
          const { received, ...rest } = message as Partial<SignalMessage>;
          const record = received === undefined ? {} : { received: plain(received) };
          say('published', { name, ...rest, ...record });
        });
      ['start', 'signal', 'handler:begin', 'handler:end', 'stop'].forEach(watch);
      const handler = new daemoniker.SignalHandler1(args[0] as string, {
        sigterm: (signum) => {
          say('handled');
          return signum + 1;
        },
      }).start();
      onCommand(() => handler.stop());
    },
    [pidFile],
  );
  expect(await daemon.hears('published')).toEqual({ event: 'published', name: 'start', pidFile });
  daemon.kill('SIGTERM');
  const received = expect.objectContaining({ name: 'SIGTERM', origin: SENT, count: 1 }) as object;
  const signal = { event: 'published', pidFile, received, ignored: false };
  expect(await daemon.hears('published')).toEqual({ ...signal, name: 'signal' });
  expect(await daemon.hears('published')).toEqual({ ...signal, name: 'handler:begin' });
  await daemon.hears('handled');
  expect(await daemon.hears('published')).toEqual({ ...signal, name: 'handler:end', result: 16 });
  daemon.tell('stop');
  expect(await daemon.hears('published')).toEqual({ event: 'published', name: 'stop', pidFile });
  daemon.child.stdin?.end();
  expect(await daemon.end()).toMatchObject({ code: 0, stderr: '' });
  removeDirectory(directory);
});

test('an ignored signal is told, and no handler; one that throws ends with its error', async () => {
  const daemon = run(({ daemoniker, say, require, onCommand }) => {
    const { subscribe } = require('node:diagnostics_channel') as {
      subscribe: (name: string, listener: (message: unknown) => void) => void;
    };
    const remembered = new WeakSet();
    subscribe('daemoniker:signal', (message) => {
      const { received, ignored } = message as SignalMessage;
      say('signal', { name: received.name, ignored });
    });
    subscribe('daemoniker:handler:begin', (message) => {
      remembered.add(message as object);
      say('begin');
    });
    subscribe('daemoniker:handler:end', (message) => {
      const { received, error } = message as SignalMessage;
      const same = remembered.has(message as object);
      say('end', { same, threwTheRecord: error === received });
    });
    subscribe('daemoniker:stop', () => say('stop'));
    process.on('exit', () => say('exit'));
    new daemoniker.SignalHandler1(null, { sigint: daemoniker.IGNORE_SIGNAL }).start();
    onCommand(() => undefined);
    say('ready');
  });
  await daemon.hears('ready');
  daemon.kill('SIGINT');
  expect(await daemon.hears('signal')).toMatchObject({ name: 'SIGINT', ignored: true });
  daemon.kill('SIGTERM');
  expect(await daemon.hears('signal')).toMatchObject({ name: 'SIGTERM', ignored: false });
  expect(await daemon.hears('end')).toMatchObject({ same: true, threwTheRecord: true });
  await daemon.end();
  const told = daemon.said.map(({ event }) => event);
  expect(told.filter((event) => event === 'begin')).toHaveLength(1);
  expect(told.filter((event) => event === 'stop')).toHaveLength(1);
});

test('a start() that fails publishes nothing', async () => {
  const daemon = run(({ daemoniker, say, require }) => {
    const { subscribe } = require('node:diagnostics_channel') as {
      subscribe: (name: string, listener: (message: unknown) => void) => void;
    };
    for (const name of ['start', 'stop']) subscribe(`daemoniker:${name}`, () => say(name));
    try {
      new daemoniker.SignalHandler1(process.cwd()).start();
    } catch (error) {
      say('refused', { code: (error as { code: string }).code });
    }
  });
  expect(await daemon.hears('refused')).toMatchObject({ code: 'ERR_PID_FILE_INVALID' });
  await daemon.end();
  expect(daemon.said).toHaveLength(1);
});

test('what a subscriber throws does not keep the handler from being called', async () => {
  const daemon = run(({ daemoniker, say, require, onCommand }) => {
    const { subscribe } = require('node:diagnostics_channel') as {
      subscribe: (name: string, listener: () => void) => void;
    };
    subscribe('daemoniker:signal', () => {
      throw new Error('a bad subscriber');
    });
    process.on('uncaughtException', ({ message }) => say('uncaught', { message }));
    new daemoniker.SignalHandler1(null, { sigterm: () => say('handled') }).start();
    onCommand(() => undefined);
    say('ready');
  });
  await daemon.hears('ready');
  daemon.kill('SIGTERM');
  await daemon.hears('handled');
  expect(await daemon.hears('uncaught')).toMatchObject({ message: 'a bad subscriber' });
});
