// Daemons under those who start and end them: the table in docs/supervisors.md, as far as it can be run
// where the tests run.
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ping } from '../..';
import { directory, pidFile } from '../support/each_test';
import { Fixture } from '../support/fixture';
import { textOf } from '../support/markdown';
import { asRoot } from '../support/nobody';
import { onNodeOnUnix, onUnix, withCommand, withTools } from '../support/platform';
import { eventually } from '../support/processes';
import { ROOT, RUNTIME } from '../support/runtime';
import { commandLine } from '../support/shell';
import { shellScript, underSystemd, withSystemd } from '../support/systemd';

const CLI = [...RUNTIME, join(ROOT, 'dist', 'cli.js')];

/** The first cells of the rows that are run here. */
const covered = new Set<string>();

/** Tests of a row of the table. */
function row(name: string, tests: () => void): void {
  covered.add(name);
  describe(name, tests);
}

const said = (): string => join(directory, 'said');

/** What the daemon has said: who began its shutdown, once for each hook that has run. */
function saidLines(): string[] {
  return readFileSync(said(), 'utf8').trim().split('\n');
}

/** A daemon that says when its shutdown runs, and that it has not been cut off. */
function daemon(shutdown: object | true = true): string[] {
  const file = join(directory, 'daemon.cjs');
  writeFileSync(
    file,
    `const { SignalHandler1 } = require(${JSON.stringify(ROOT)});
    const fs = require('node:fs');
    const say = (text) => fs.appendFileSync(${JSON.stringify(said())}, text + '\\n');
    const options = { shutdown: ${JSON.stringify(shutdown)} };
    const handler = new SignalHandler1(${JSON.stringify(pidFile)}, options).start().ref();
    handler.onShutdown('hook', async ({ name }) => {
      say(name);
      // Long enough for a second signal of the same stop.
      await new Promise((resolve) => setTimeout(resolve, 200));
      say('done');
    });`,
  );
  return [...RUNTIME, file];
}

const runs = (): Promise<void> => eventually('the daemon runs', () => ping(pidFile));
const isGone = (): Promise<void> => eventually('its end', () => !ping(pidFile));

async function succeeds(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Fixture(words).end();
  expect({ words, code, stderr }).toEqual({ words, code: 0, stderr: expect.any(String) as string });
  return stdout;
}

/** A service directory of runit, s6 and daemontools. `finish` gets how it ended. */
function serviceDirectory(): { service: string; verdict: string } {
  const service = join(directory, 'service');
  const verdict = join(directory, 'verdict');
  mkdirSync(service);
  writeFileSync(join(service, 'run'), `#!/bin/sh\nexec ${commandLine(daemon())}\n`, {
    mode: 0o755,
  });
  const finish = `#!/bin/sh\necho "$1 $2" > ${commandLine([`${verdict}.new`])}
mv ${commandLine([`${verdict}.new`, verdict])}\n`;
  writeFileSync(join(service, 'finish'), finish, { mode: 0o755 });
  return { service, verdict };
}

/** Started by one command, and ended by another. */
async function isStoppedOnce(supervise: string[], stop: string[], ended: string): Promise<void> {
  const { service, verdict } = serviceDirectory();
  const supervisor = new Fixture([...supervise, service]);
  await runs();
  await succeeds(...stop, service);
  await eventually('the verdict', () => existsSync(verdict));
  expect(readFileSync(verdict, 'utf8')).toBe(ended);
  expect(saidLines()).toEqual(['SIGTERM', 'done']);
  // It knows that the service is down, and does not start it again.
  supervisor.kill('SIGKILL');
  await supervisor.end();
  expect(ping(pidFile)).toBe(false);
}

onUnix('on Unix', () => {
  row('runit', () => {
    withTools('runsv', 'sv')('itself', () => {
      test('one graceful shutdown for `sv stop`, exit code 0', () =>
        isStoppedOnce(['runsv'], ['sv', 'stop'], '0 0\n'));
    });
    withCommand(
      'busybox',
      'runsv',
      '--help',
    )('as of busybox', () => {
      test('one graceful shutdown for `sv stop`, exit code 0', () =>
        isStoppedOnce(['busybox', 'runsv'], ['busybox', 'sv', 'stop'], '0 0\n'));
    });
  });

  row('s6', () => {
    withTools('s6-supervise', 's6-svc')('itself', () => {
      test('one graceful shutdown for `s6-svc -d`, exit code 0', () =>
        isStoppedOnce(['s6-supervise'], ['s6-svc', '-wD', '-d'], '0 0\n'));
    });
  });

  row('sysvinit, LSB scripts', () => {
    withTools('start-stop-daemon')('start-stop-daemon', () => {
      test('starts it in the background, and ends it by its PID file', async () => {
        const [command = '', ...words] = daemon();
        const which = ['start-stop-daemon', '--pidfile', pidFile];
        await succeeds(...which, '--start', '--background', '--startas', command, '--', ...words);
        await runs();
        await succeeds(...which, '--stop', '--retry', 'TERM/60/KILL/5');
        expect(saidLines()).toEqual(['SIGTERM', 'done']);
        expect(existsSync(pidFile)).toBe(false);
      });
    });

    test('`daemoniker start`, `status` and `stop` have the exit statuses that a script returns', async () => {
      const status = async (): Promise<number | null> =>
        (await new Fixture([...CLI, 'status', pidFile]).end()).code;
      expect(await status()).toBe(3);
      await succeeds(...CLI, 'start', pidFile, '--', ...daemon());
      expect(await status()).toBe(0);
      await succeeds(...CLI, 'stop', pidFile);
      await succeeds(...CLI, 'stop', pidFile);
      expect(await status()).toBe(3);
      expect(saidLines()).toEqual(['SIGTERM', 'done']);
    });
  });

  row('tini', () => {
    withTools('tini')('itself', () => isPassedOn('tini', '-s', '--'));
  });
  row('dumb-init', () => {
    withTools('dumb-init')('itself', () => isPassedOn('dumb-init', '--'));
  });
  row('catatonit', () => {
    withTools('catatonit', 'unshare')('itself', () => isPassedOn('catatonit', '--'));
  });

  row('tmux', () => {
    withTools('tmux')('itself', () => {
      test('ends it by SIGHUP: one graceful shutdown if that is one of its signals', async () => {
        const socket = join(directory, 'tmux');
        const words = daemon({ signals: ['SIGINT', 'SIGTERM', 'SIGHUP'] });
        await succeeds(
          'tmux',
          '-f',
          '/dev/null',
          '-S',
          socket,
          'new-session',
          '-d',
          commandLine(words),
        );
        await runs();
        await succeeds('tmux', '-S', socket, 'kill-server');
        await isGone();
        expect(saidLines()).toEqual(['SIGHUP', 'done']);
      });
    });
  });
});

/** One SIGTERM to what stands in front is one shutdown, and its exit code is the daemon's. */
function isPassedOn(...init: string[]): void {
  // It waits for its children, as process 1 of a container does.
  withCommand(
    'unshare',
    '--pid',
    '--fork',
    '--mount-proc',
    'true',
  )('as process 1', () => {
    test('passes SIGTERM on, and ends with the exit code of the daemon', async () => {
      const namespace = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];
      const container = new Fixture([...namespace, ...init, ...daemon()]);
      // Seen from outside, the number in the file means another process.
      await eventually('the daemon runs', () => existsSync(pidFile));
      const children = `/proc/${container.pid}/task/${container.pid}/children`;
      const [first] = readFileSync(children, 'latin1').split(' ');
      process.kill(Number(first), 'SIGTERM');
      expect(await container.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
      expect(saidLines()).toEqual(['SIGTERM', 'done']);
    });
  });
}

onNodeOnUnix('Node', () => {
  row('node --watch', () => {
    test('passes SIGTERM on: one graceful shutdown', async () => {
      const [node = '', ...words] = daemon();
      const watcher = new Fixture([node, '--watch', ...words]);
      await runs();
      watcher.kill('SIGTERM');
      await isGone();
      expect(saidLines()).toEqual(['SIGTERM', 'done']);
      await watcher.end();
    });
  });
});

asRoot('as root', () => {
  withSystemd('systemd', () => {
    row('systemd, `Type=exec`', () => {
      test('one graceful shutdown for `systemctl stop`: a success', async () => {
        const answer = await underSystemd(
          {
            'mine.service': `[Service]\nType=exec\nExecStart=${shellScript(`exec ${commandLine(daemon())}`)}\n`,
          },
          `systemctl start mine; ${exists(pidFile)}; systemctl stop mine
          systemctl show mine -p Result -p ExecMainStatus`,
        );
        expect(answer).toBe('Result=success\nExecMainStatus=0\n');
        expect(saidLines()).toEqual(['SIGTERM', 'done']);
      });
    });

    row('systemd, `Type=forking`', () => {
      test('`daemoniker start` as ExecStart=: it knows the process, and that it has ended well', async () => {
        const start = commandLine([...CLI, 'start', pidFile, '--', ...daemon()]);
        const answer = await underSystemd(
          {
            'mine.service': `[Service]\nType=forking\nPIDFile=${pidFile}
ExecStart=${shellScript(start)}\n`,
          },
          `systemctl start mine && systemctl show mine -p ActiveState
          [ "$(systemctl show mine --value -p MainPID)" = $(head -n 1 ${commandLine([pidFile])}) ] && echo same
          systemctl stop mine; systemctl show mine -p Result -p ExecMainStatus`,
        );
        expect(answer).toBe('ActiveState=active\nsame\nResult=success\nExecMainStatus=0\n');
        expect(saidLines()).toEqual(['SIGTERM', 'done']);
      });

      test('a start that fails is one to systemd, at once', async () => {
        chmodSync(directory, 0o755);
        const broken = [...RUNTIME, '-e', 'process.exit(3)'];
        const start = commandLine([...CLI, 'start', pidFile, '--', ...broken]);
        const answer = await underSystemd(
          {
            'mine.service': `[Service]\nType=forking\nPIDFile=${pidFile}
ExecStart=${shellScript(start)}\n`,
          },
          'systemctl start mine || systemctl show mine -p Result',
        );
        expect(answer).toBe('Result=exit-code\n');
      });
    });
  });
});

const exists = (path: string): string =>
  `while ! [ -s ${commandLine([path])} ]; do sleep 0.01; done`;

onUnix.test(
  'each row of docs/supervisors.md that is said to be run is one of these, or names its tests',
  () => {
    const rows = textOf('docs/supervisors.md')
      .split('\n')
      .filter((line) => /^\| (?!-)/.test(line))
      .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));
    const header = rows.findIndex((cells) => cells.at(-2) === 'run');
    const table = rows
      .slice(header + 1)
      .map((cells) => [cells[1] ?? '', cells.at(-2) ?? ''] as const);
    expect(header).toBeGreaterThanOrEqual(0);
    expect(table.length).toBeGreaterThan(20);
    const files = table.flatMap(([, run]) => run.match(/test\/\S+\.test\.ts/g) ?? []);
    expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
    const here = table.filter(([, run]) => run === 'yes').map(([name]) => name);
    expect(here.sort()).toEqual([...covered].sort());
    for (const [name, run] of table) {
      expect([name, run]).toEqual([name, expect.stringMatching(/^(yes|not run.*|`?test\/.*)$/)]);
    }
    return Promise.resolve();
  },
);
