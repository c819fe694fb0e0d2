// send() to a daemon, from a file to its handler.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SIGABRT, SIGINT, SIGTERM, ping, send } from '../../';
import { addonPath, type NativeHelper } from '../support/addon';
import { directory, pidFile } from '../support/each_test';
import { deathBy, deathWithoutHandler } from '../support/endings';
import { start, type Fixture } from '../support/fixture';
import { contentHeldBy } from '../support/pid_file';
import { onUnix } from '../support/platform';
import { run } from '../support/program';
import { OWN_UID, SENT } from '../support/sending';

const SIGNALS = [
  ['SIGINT', SIGINT],
  ['SIGTERM', SIGTERM],
  ['SIGABRT', SIGABRT],
] as const;

async function daemon(options: object = {}): Promise<Fixture> {
  const fixture = start('daemon', [pidFile, JSON.stringify(options)]);
  await fixture.hears('ready');
  return fixture;
}

describe('send() of a signal:', () => {
  test.each(SIGNALS)(
    '%s reaches the custom handler with exactly one argument, the signal number',
    async (name, signal) => {
      const fixture = await daemon();
      expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(fixture.pid));

      send(pidFile, signal);

      expect(await fixture.hears('handled')).toMatchObject({
        args: [signal.SIGNUM],
        name,
        origin: SENT,
        count: 1,
        sender: { pid: process.pid, uid: OWN_UID, command: expect.any(String) as string },
      });
      fixture.tell('exit 3');
      expect(await fixture.end()).toMatchObject({ code: 3, signal: null });
      expect(existsSync(pidFile)).toBe(false);
    },
  );

  test.each(SIGNALS)(
    '%s reaches the default handler, which ends the process',
    async (name, signal) => {
      const fixture = await daemon({ [name.toLowerCase()]: 'raise' });
      send(pidFile, signal);
      const ending = await fixture.end();
      expect(ending).toMatchObject(deathBy(name));
      expect(ending.stderr).toContain(name);
      expect(existsSync(pidFile)).toBe(false);
    },
  );

  test.each(SIGNALS)('%s is ignored by IGNORE_SIGNAL', async (name, signal) => {
    const fixture = await daemon({ [name.toLowerCase()]: 'ignore' });
    send(pidFile, signal);
    // What is ignored says nothing: ask until it has been handled.
    let value: unknown;
    while (value !== name) {
      fixture.tell('eval handler.received?.name');
      ({ value } = await fixture.hears('value'));
    }
    expect(fixture.said.filter(({ event }) => event === 'handled')).toEqual([]);
  });
});

test('a daemon shuts down gracefully', async () => {
  const result = join(directory, 'result');
  const fixture = start('graceful', [pidFile, result]);
  await fixture.hears('ready');
  send(pidFile, SIGTERM);
  expect(await fixture.hears('asked')).toMatchObject({ origin: SENT });
  expect(await fixture.end()).toMatchObject({ code: 0, stderr: '' });
  expect(readFileSync(result, 'utf8')).toBe('saved');
  expect(existsSync(pidFile)).toBe(false);
});

test('send() of 0 only checks', async () => {
  const fixture = await daemon();
  send(pidFile, 0);
  expect(ping(pidFile)).toBe(true);
  fixture.tell('eval handler.received');
  expect(await fixture.hears('value')).toMatchObject({ value: null });
});

test('SIGKILL ends even a process that has a handler', async () => {
  const fixture = await daemon();
  send(pidFile, 'SIGKILL');
  expect(await fixture.end()).toMatchObject(deathWithoutHandler('SIGKILL'));
});

test('a process without a handler that holds its file is terminated by the signal', async () => {
  const fixture = start('plain_daemon', [pidFile]);
  await fixture.hears('ready');
  send(pidFile, SIGTERM);
  expect(await fixture.end()).toMatchObject(deathWithoutHandler('SIGTERM'));
});

// It may interrupt any code, between a system call and the look at its errno.
onUnix.test('the handler of the system keeps errno', async () => {
  const program = run(
    ({ daemoniker, say, args, require, signals }) => {
      const helper = require(args[0] as string) as NativeHelper;
      const handler = new daemoniker.SignalHandler1(null, {
        sigint: () => say('handled'),
        sigterm: () => say('handled'),
      }).start();
      const after = [signals.SIGINT, signals.SIGTERM].map((signum) => helper.errnoAfter(signum));
      handler.stop();
      say('result', { after });
    },
    [addonPath()],
  );
  await program.hears('handled');
  await program.hears('handled');
  expect((await program.hears('result'))['after']).toEqual([4711, 4711]);
});
