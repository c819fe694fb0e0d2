// Handlers of signals other than the three: as theirs, in everything.
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { pidFile } from '../support/each_test';
import { deathBy } from '../support/endings';
import { Fixture, start } from '../support/fixture';
import { onLinux, onUnix, withCommand } from '../support/platform';
import { run } from '../support/program';
import { NAME, ROOT, RUNTIME } from '../support/runtime';
import { OWN_UID, SENT } from '../support/sending';

test('SIGHUP reloads a daemon, as often as it comes, on every platform', async () => {
  const fixture = run(({ daemoniker, say, saying }) => {
    const handler: InstanceType<typeof daemoniker.SignalHandler1> = new daemoniker.SignalHandler1(
      null,
      { signals: { SIGHUP: saying(() => handler, 'reload') } },
    ).start();
    setInterval(() => undefined, 1000);
    say('ready');
  });
  await fixture.hears('ready');
  for (let round = 0; round < 3; round++) {
    fixture.kill('SIGHUP');
    expect(await fixture.hears('reload')).toMatchObject({
      argument: constants.signals.SIGHUP,
      origin: SENT,
      count: 1,
      sender: { pid: process.pid, uid: OWN_UID },
    });
  }
  fixture.kill('SIGKILL');
  await fixture.end();
});

test('what waits when its handler is taken away still meets it', async () => {
  const fixture = run(({ daemoniker, say, signalMyself }) => {
    const handler: InstanceType<typeof daemoniker.SignalHandler1> = new daemoniker.SignalHandler1(
      null,
      {
        signals: { SIGHUP: () => say('handled', { name: handler.received?.name }) },
      },
    ).start();
    signalMyself('SIGHUP');
    handler.setHandler('SIGHUP', null);
    say('taken away');
  });
  expect(await fixture.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
  expect(fixture.said).toEqual([{ event: 'handled', name: 'SIGHUP' }, { event: 'taken away' }]);
});

test('`daemoniker send <pid-file> HUP` reloads a daemon', async () => {
  const fixture = run(
    ({ daemoniker, say, args }) => {
      const reload = (): unknown => say('reload');
      new daemoniker.SignalHandler1(args[0] ?? '', { signals: { SIGHUP: reload } }).start();
      setInterval(() => undefined, 1000);
      say('ready');
    },
    [pidFile],
  );
  await fixture.hears('ready');
  const command = new Fixture([...RUNTIME, join(ROOT, 'dist', 'cli.js'), 'send', pidFile, 'HUP']);
  expect(await command.end()).toMatchObject({ code: 0, stderr: '' });
  await fixture.hears('reload');
  fixture.kill('SIGKILL');
  await fixture.end();
});

onUnix.test.each([
  'SIGUSR1',
  'SIGUSR2',
  'SIGQUIT',
  'SIGALRM',
  'SIGPIPE',
  'SIGWINCH',
  'SIGCONT',
] as const)(
  '%s has a handler while it is set, and does what it did before afterwards',
  async (name) => {
    const fixture = run(
      ({ daemoniker, say, args, onCommand }) => {
        const name = args[0] as NodeJS.Signals;
        const handler = new daemoniker.SignalHandler1(null).start();
        onCommand((command) => {
          handler.setHandler(name, command === 'set' ? () => say('handled') : null);
          say(command, { handler: typeof handler.getHandler(name) });
        });
        say('ready');
      },
      [name],
    );
    await fixture.hears('ready');
    for (let round = 0; round < 2; round++) {
      fixture.tell('set');
      expect(await fixture.hears('set')).toMatchObject({ handler: 'function' });
      fixture.kill(name);
      await fixture.hears('handled');
      fixture.tell('unset');
      expect(await fixture.hears('unset')).toMatchObject({ handler: 'undefined' });
    }
    // What is ignored by default is not worth a try. Node itself ignores SIGPIPE.
    if (!['SIGUSR2', 'SIGQUIT', 'SIGALRM'].includes(name)) {
      fixture.kill('SIGKILL');
      await fixture.end();
      return;
    }
    fixture.kill(name);
    expect(await fixture.end()).toMatchObject(deathBy(name));
  },
);

onLinux.test('a real-time signal is handled by its number', async () => {
  const fixture = run(({ daemoniker, say }) => {
    new daemoniker.SignalHandler1(null, {
      signals: { 40: (signum) => say('handled', { signum }) },
    }).start();
    setInterval(() => undefined, 1000);
    say('ready');
  });
  await fixture.hears('ready');
  fixture.kill(40);
  expect(await fixture.hears('handled')).toMatchObject({ signum: 40 });
  fixture.kill('SIGKILL');
  await fixture.end();
});

test('it goes to the newest handler that takes it, and back to the one before when that stops', async () => {
  const fixture = run(({ daemoniker, say, onCommand }) => {
    const { SignalHandler1 } = daemoniker;
    const reload = (who: string) => ({ signals: { SIGHUP: () => say('reload', { who }) } });
    new SignalHandler1(null, reload('first')).start();
    const second = new SignalHandler1(null, reload('second')).start();
    new SignalHandler1(null).start();
    onCommand(() => {
      second.stop();
      say('stopped');
    });
    say('ready');
  });
  await fixture.hears('ready');
  fixture.kill('SIGHUP');
  expect(await fixture.hears('reload')).toMatchObject({ who: 'second' });
  fixture.tell('stop');
  await fixture.hears('stopped');
  fixture.kill('SIGHUP');
  expect(await fixture.hears('reload')).toMatchObject({ who: 'first' });
  fixture.kill('SIGKILL');
  await fixture.end();
});

test('stop() delivers what waits, and only then lets go', async () => {
  const fixture = run(({ daemoniker, say, signalMyself }) => {
    const handler: InstanceType<typeof daemoniker.SignalHandler1> = new daemoniker.SignalHandler1(
      null,
      {
        signals: {
          SIGHUP: (signum): void => say('handled', { signum, count: handler.received?.count }),
        },
      },
    ).start();
    new daemoniker.SignalHandler1(null).start();
    signalMyself('SIGHUP', 3);
    handler.stop();
    say('stopped');
  });
  expect(await fixture.end()).toMatchObject({ code: 0, stderr: '' });
  expect(fixture.said).toEqual([
    { event: 'handled', signum: constants.signals.SIGHUP, count: 3 },
    { event: 'stopped' },
  ]);
});

test('it has the deadline, and the line about it names it', async () => {
  const settings = { deadline: 300 };
  const code = "handler.setHandler('SIGHUP', () => undefined); say('stuck'); stuckForEver()";
  const fixture = start('blocked', [pidFile, JSON.stringify(settings), code]);
  await fixture.hears('stuck');
  fixture.kill('SIGHUP');
  const ending = await fixture.end();
  expect(ending).toMatchObject(deathBy('SIGHUP'));
  expect(ending.stderr).toMatch(
    /^daemoniker: SIGHUP from pid \d+.* was not handled within its deadline/,
  );
});

// In a process group of its own with a parent in this session: where nobody could continue it, the
// kernel stops no process (POSIX, 2.4.3, orphaned process groups).
const IN_A_GROUP = [
  '-c',
  'import os, sys\n' +
    'pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, setpgroup=0)\n' +
    'sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))',
];

withCommand(
  'python3',
  ...IN_A_GROUP,
  'true',
)('a signal whose default action stops a process ends it with 128 + signum', () => {
  test.each([
    ['SIGTSTP', 'a deadline'],
    ['SIGTTIN', 'a deadline'],
    ['SIGTTOU', 'a deadline'],
    ['SIGTSTP', 'exitWithin()'],
    ['SIGTSTP', 'a second one during the shutdown'],
    ['SIGTSTP', 'its record, thrown'],
  ] as const)('%s: %s', async (name, way) => {
    const fixture = run(
      ({ daemoniker, args, signalMyself }) => {
        const [pidFile, name, way] = args as [string, NodeJS.Signals, string];
        setInterval(() => undefined, 1000);
        const never = new Promise(() => undefined);
        if (way === 'a second one during the shutdown') {
          const shutdown = { signals: [name], again: [name] };
          const handler = new daemoniker.SignalHandler1(pidFile, { shutdown }).start();
          handler.onShutdown('again', () => {
            setTimeout(() => signalMyself(name), 600);
            return never;
          });
        } else {
          const act = (): void => {
            if (way === 'exitWithin()') handler.exitWithin(100);
            else throw handler.received as Error;
          };
          const deadline = way === 'a deadline' ? 300 : null;
          const options = { deadline, signals: { [name]: act } };
          const handler = new daemoniker.SignalHandler1(pidFile, options).start();
        }
        signalMyself(name);
        if (way === 'a deadline') for (;;);
      },
      [pidFile, name, way],
      { wrapper: ['python3', ...IN_A_GROUP] },
    );
    const ending = await fixture.end();
    expect(ending).toMatchObject({ code: 128 + constants.signals[name], signal: null });
    expect(ending.stderr).toMatch(new RegExp(`^daemoniker: .*${name.slice(3)}`));
    expect(existsSync(pidFile)).toBe(false);
  });
});

test('IGNORE_SIGNAL ignores it', async () => {
  const fixture = run(({ daemoniker, say, onCommand }) => {
    const { IGNORE_SIGNAL, SignalHandler1 } = daemoniker;
    const handler = new SignalHandler1(null, { signals: { SIGHUP: IGNORE_SIGNAL } }).start();
    onCommand(() => say('alive', { same: handler.getHandler('SIGHUP') === IGNORE_SIGNAL }));
    say('ready');
  });
  await fixture.hears('ready');
  fixture.kill('SIGHUP');
  fixture.tell('alive?');
  expect(await fixture.hears('alive')).toMatchObject({ same: true });
  fixture.kill('SIGKILL');
  expect((await fixture.end()).stderr).toBe('');
});

describe('a signal that nobody may take', () => {
  const FAULT = 'a fault of the code that runs';
  test.each(
    [
      ['SIGKILL', 'no process can handle it'],
      ['SIGSTOP', 'no process can handle it'],
      ['SIGSEGV', FAULT],
      ['SIGBUS', FAULT],
      ['SIGFPE', FAULT],
      ['SIGILL', FAULT],
      ['SIGTRAP', FAULT],
      ['SIGSYS', FAULT],
      ['SIGCHLD', 'child processes'],
      ['SIGPROF', 'profiler'],
      ['SIGPWR', 'garbage collector'],
      ['SIGHUPP', "did you mean 'SIGHUP'?"],
      ['sigterm', "did you mean 'SIGTERM'?"],
    ].filter(
      ([name = '']) =>
        // Not all of them are there on Windows; only Bun needs SIGPWR.
        (name in constants.signals || name === 'SIGHUPP' || name === 'sigterm') &&
        (name !== 'SIGPWR' || NAME === 'bun'),
    ) as [string, string][],
  )('%s is refused, with the reason: %s', async (name, reason) => {
    const fixture = run(
      ({ daemoniker, say, args }) => {
        const { SignalHandler1 } = daemoniker;
        const name = args[0] as NodeJS.Signals;
        for (const attempt of [
          () => new SignalHandler1(null, { signals: { [name]: () => undefined } }),
          () => new SignalHandler1(null).setHandler(name, null),
          () => new SignalHandler1(null).getHandler(name),
        ]) {
          try {
            attempt();
            say('taken');
          } catch (error) {
            const { code, message } = error as NodeJS.ErrnoException;
            say('refused', { code, message });
          }
        }
      },
      [name],
    );
    await fixture.end();
    const refused = { event: 'refused', code: 'ERR_INVALID_ARG_VALUE' };
    expect(fixture.said).toMatchObject([refused, refused, refused]);
    for (const { message } of fixture.said) expect(message).toContain(reason);
  });
});
