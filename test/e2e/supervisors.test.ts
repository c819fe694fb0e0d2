// Daemons under those who start and end them: rows of the table in docs/supervisors.md, by the names
// that they have there. Each is run where it is installed: one stop is one shutdown, to its end, and
// the supervisor knows how it went.
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { ping, send } from '../../';
import { directory, pidFile } from '../support/each_test';
import { Fixture } from '../support/fixture';
import { asRoot } from '../support/nobody';
import { only, onNodeOnUnix, withTools } from '../support/platform';
import { eventually } from '../support/processes';
import { RUNTIME } from '../support/runtime';
import { commandLine } from '../support/shell';
import {
  CLI,
  daemon,
  gracefully,
  isGone,
  isThere,
  runScript,
  runs,
  saidLines,
  script,
  succeeds,
} from '../support/supervised';

/** Shutdowns, the exit code by which a supervisor knows them, and what the daemon says. */
const VERDICTS = [
  ['a shutdown', true, 0, gracefully('SIGTERM')],
  ['a shutdown that is late', 100, 124, ['SIGTERM']],
] as const;

const within = (name: string): string => join(directory, name);

function write(name: string, text: string, mode = 0o600): string {
  writeFileSync(within(name), text, { mode });
  return within(name);
}

/** In the foreground, until the daemon runs. */
async function supervisor(
  words: readonly string[],
  options: ConstructorParameters<typeof Fixture>[1] = {},
): Promise<Fixture> {
  const fixture = new Fixture(words, options);
  await runs();
  return fixture;
}

/** Ends what stands in the foreground. */
async function end(fixture: Fixture, signal: NodeJS.Signals = 'SIGTERM') {
  fixture.kill(signal);
  return fixture.end();
}

withTools('runsv', 'sv')('runit', () => isStoppedOnce(['runsv'], ['sv', 'stop']));

withTools('s6-supervise', 's6-svc')('s6', () => isStoppedOnce(['s6-supervise'], ['s6-svc', '-d']));

/** By a service directory: `run` starts it, and `finish` is told how it has ended. */
function isStoppedOnce(supervise: readonly string[], stop: readonly string[]): void {
  test.each(VERDICTS)('%s is the exit code that `finish` gets', async (_, shutdown, code, said) => {
    const service = within('service');
    mkdirSync(service);
    runScript('service/run', daemon({ shutdown }));
    const [unfinished, verdict] = [within('verdict.new'), within('verdict')];
    script(
      'service/finish',
      `echo "$1" > ${commandLine([unfinished])}; mv ${commandLine([unfinished, verdict])}`,
    );
    const itself = await supervisor([...supervise, service]);
    await succeeds(...stop, service);
    await isThere(verdict);
    expect(readFileSync(verdict, 'utf8')).toBe(`${code}\n`);
    expect(saidLines()).toEqual(said);
    // It knows that the service is to be down, and does not start it again.
    await end(itself, 'SIGKILL');
    expect(ping(pidFile)).toBe(false);
  });
}

withTools(
  'supervise',
  'svc',
  'svstat',
)('daemontools', () => {
  test('`svc -d` is one shutdown, and it stays down', async () => {
    mkdirSync(within('service'));
    runScript('service/run', daemon());
    const itself = await supervisor(['supervise', within('service')]);
    await succeeds('svc', '-d', within('service'));
    const isDown = `svstat ${commandLine([within('service')])} | grep -q ': down'`;
    await succeeds('sh', '-c', `until ${isDown}; do sleep 0.01; done`);
    expect(saidLines()).toEqual(gracefully('SIGTERM'));
    await end(itself, 'SIGKILL');
  });
});

withTools('supervisord', 'supervisorctl')('supervisord', () => {
  test.each(VERDICTS)('%s is an exit status in its log', async (_, shutdown, code, said) => {
    const socket = within('socket');
    const run = runScript('run', daemon({ shutdown }));
    const configuration = write(
      'supervisord.conf',
      `[supervisord]
nodaemon=true
logfile=${within('log')}
pidfile=${within('supervisord.pid')}
childlogdir=${directory}
[unix_http_server]
file=${socket}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://${socket}
[program:mine]
command=/bin/sh "${run}"
stopwaitsecs=60
`.replaceAll('%', '%%'),
    );
    const itself = await supervisor(['supervisord', '-c', configuration]);
    await isThere(socket);
    await succeeds('supervisorctl', '-c', configuration, 'stop', 'mine');
    expect(readFileSync(within('log'), 'utf8')).toContain(`stopped: mine (exit status ${code})`);
    expect(saidLines()).toEqual(said);
    expect(await end(itself)).toMatchObject({ code: 0 });
  });
});

withTools('circusd', 'circusctl')('circus', () => {
  test('`circusctl stop` is one shutdown', async () => {
    const endpoint = `ipc://${within('endpoint')}`;
    const configuration = write(
      'circus.ini',
      `[circus]
endpoint = ${endpoint}
pubsub_endpoint = ipc://${within('events')}
[watcher:mine]
cmd = /bin/sh "${runScript('run', daemon())}"
graceful_timeout = 60
`,
    );
    const itself = await supervisor(['circusd', configuration]);
    const tell = ['circusctl', '--endpoint', endpoint, '--timeout', '60'];
    await succeeds(...tell, 'stop', 'mine', '--waiting');
    expect(await succeeds(...tell, 'status', 'mine')).toContain('stopped');
    expect(saidLines()).toEqual(gracefully('SIGTERM'));
    expect(await end(itself)).toMatchObject({ code: 0 });
  });
});

withTools('monit')('monit', () => {
  test('starts, watches and stops it by `daemoniker start`, its PID file and `daemoniker stop`', async () => {
    const start = runScript('start', [...CLI, 'start', pidFile, '--', ...daemon()]);
    const stop = runScript('stop', [...CLI, 'stop', pidFile]);
    const configuration = write(
      'monitrc',
      `set daemon 1
set log "${within('log')}"
set pidfile "${within('monit.pid')}"
set idfile "${within('monit.id')}"
set statefile "${within('monit.state')}"
set httpd unixsocket "${within('socket')}" allow monit:monit
check process mine with pidfile "${pidFile}"
  start program = "/bin/sh ${start}" with timeout 60 seconds
  stop program = "/bin/sh ${stop}" with timeout 60 seconds
`,
    );
    // It starts what does not run.
    const itself = await supervisor(['monit', '-I', '-c', configuration]);
    const log = (): string => readFileSync(within('log'), 'utf8');
    await eventually('it watches it', () => /'mine' (start:|process is running)/.test(log()));
    await succeeds('monit', '-c', configuration, 'stop', 'mine');
    await eventually('its verdict', () => log().includes("'mine' stop action done"));
    await isGone();
    expect(saidLines()).toEqual(gracefully('SIGTERM'));
    expect(await end(itself)).toMatchObject({ code: 0 });
  });
});

describe('sysvinit, LSB scripts', () => {
  withTools('start-stop-daemon').test(
    'start-stop-daemon starts it in the background, and ends it by its PID file',
    async () => {
      const which = ['start-stop-daemon', '--pidfile', pidFile];
      const command = runScript('run', daemon());
      await succeeds(...which, '--start', '--background', '--startas', command);
      await runs();
      await succeeds(...which, '--stop', '--retry', 'TERM/60/KILL/5');
      expect(saidLines()).toEqual(gracefully('SIGTERM'));
      expect(existsSync(pidFile)).toBe(false);
    },
  );

  test('`daemoniker start`, `status` and `stop` have the exit statuses that a script returns', async () => {
    const status = async (): Promise<number | null> =>
      (await new Fixture([...CLI, 'status', pidFile]).end()).code;
    expect(await status()).toBe(3);
    await succeeds(...CLI, 'start', pidFile, '--', ...daemon());
    expect(await status()).toBe(0);
    await succeeds(...CLI, 'stop', pidFile);
    await succeeds(...CLI, 'stop', pidFile);
    expect(await status()).toBe(3);
  });
});

describe('foreman, honcho', () => {
  withTools('foreman').test('foreman passes SIGTERM on, and sees exit code 0', async () => {
    write('Procfile', `mine: exec ${runScript('run', daemon()).replaceAll(' ', '\\ ')}\n`);
    const itself = await supervisor(['foreman', 'start', '--timeout', '60'], { cwd: directory });
    expect((await end(itself)).stdout).toContain('exited with code 0');
    expect(saidLines()).toEqual(gracefully('SIGTERM'));
  });

  withTools('honcho').test('honcho passes SIGTERM on', async () => {
    write('Procfile', `mine: exec ${commandLine([runScript('run', daemon())])}\n`);
    const itself = await supervisor(['honcho', 'start'], { cwd: directory });
    await end(itself);
    expect(saidLines()).toEqual(gracefully('SIGTERM'));
    expect(ping(pidFile)).toBe(false);
  });
});

const INITS = [
  ['tini', ['tini', '--']],
  ['dumb-init', ['dumb-init', '--']],
  ['catatonit', ['catatonit', '--']],
] as const;

for (const [name, words] of INITS) {
  withTools(name, 'unshare')(name, () => {
    asRoot.test(
      'as process 1 it passes SIGTERM on, and ends with the exit code of the daemon',
      async () => {
        const namespace = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];
        const container = new Fixture([...namespace, ...words, ...daemon()]);
        // Seen from outside, the number in the file means another process.
        await eventually('it runs', () => existsSync(pidFile) && statSync(pidFile).size > 0);
        const children = `/proc/${container.pid}/task/${container.pid}/children`;
        const [first] = readFileSync(children, 'latin1').split(' ');
        process.kill(Number(first), 'SIGTERM');
        expect(await container.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
        expect(saidLines()).toEqual(gracefully('SIGTERM'));
      },
    );
  });
}

const WITH_SIGHUP = { signals: ['SIGINT', 'SIGTERM', 'SIGHUP'] };

withTools('tmux')('tmux', () => {
  test('ends it by SIGHUP: one shutdown if that is one of its signals', async () => {
    const tmux = ['tmux', '-f', '/dev/null', '-S', within('socket')];
    const words = commandLine(daemon({ shutdown: WITH_SIGHUP }));
    await succeeds(...tmux, 'new-session', '-d', words);
    await runs();
    await succeeds(...tmux, 'kill-server');
    await isGone();
    expect(saidLines()).toEqual(gracefully('SIGHUP'));
  });
});

withTools('screen')('screen', () => {
  test('ends it by SIGHUP: one shutdown if that is one of its signals', async () => {
    const options = { env: { ...process.env, SCREENDIR: directory } };
    const screen = async (...words: readonly string[]): Promise<void> => {
      expect(await new Fixture(['screen', ...words], options).end()).toMatchObject({ code: 0 });
    };
    await screen('-dmS', 'mine', ...daemon({ shutdown: WITH_SIGHUP }));
    await runs();
    await screen('-S', 'mine', '-X', 'quit');
    await isGone();
    expect(saidLines()).toEqual(gracefully('SIGHUP'));
  });
});

onNodeOnUnix('node --watch', () => {
  test('passes SIGTERM on: one shutdown', async () => {
    const [program = '', ...node] = daemon().reverse();
    const itself = await supervisor([...node.reverse(), '--watch', program]);
    itself.kill('SIGTERM');
    await isGone();
    expect(saidLines()).toEqual(gracefully('SIGTERM'));
    await itself.end();
  });
});

withTools('logrotate')('logrotate', () => {
  const log = (): string => within('daemon.log');
  /** Rotates the log once, with these words about it. */
  async function rotate(words: string): Promise<void> {
    const configuration = write('logrotate.conf', `"${log()}" {\n  rotate 1\n  ${words}\n}\n`);
    await succeeds('logrotate', '--force', '--state', within('state'), configuration);
  }

  test('`daemoniker reload` in `postrotate`: the daemon opens its new log', async () => {
    const words = daemon({
      code: `const open = () => fs.openSync(${JSON.stringify(log())}, 'a');
      let log = open();
      fs.writeSync(log, 'before\\n');
      handler.setHandler('SIGHUP', () => {
        fs.closeSync(log);
        log = open();
        fs.writeSync(log, 'after\\n');
      });`,
    });
    await succeeds(...CLI, 'start', pidFile, '--', ...words);
    await eventually('its first line', () => existsSync(log()) && statSync(log()).size > 0);
    const reload = script('reload', commandLine([...CLI, 'reload', pidFile]));
    await rotate(`create\n  postrotate\n    /bin/sh ${commandLine([reload])}\n  endscript`);
    await eventually('its next line', () => statSync(log()).size > 0);
    expect(readFileSync(log(), 'utf8')).toBe('after\n');
    expect(readFileSync(`${log()}.1`, 'utf8')).toBe('before\n');
  });

  test('`copytruncate` with the log of `daemoniker start`: it begins again, without a hole', async () => {
    const words = daemon({
      code: `console.log('before');
      handler.setHandler('SIGHUP', () => console.log('after'));`,
    });
    await succeeds(...CLI, 'start', pidFile, '--log', log(), '--', ...words);
    await eventually('its first line', () => statSync(log()).size > 0);
    await rotate('copytruncate');
    expect(statSync(log()).size).toBe(0);
    send(pidFile, 'SIGHUP');
    await eventually('its next line', () => statSync(log()).size > 0);
    expect(readFileSync(log(), 'utf8')).toBe('after\n');
    expect(readFileSync(`${log()}.1`, 'utf8')).toBe('before\n');
  });
});

// Both keep things in /run, and have to be root.
asRoot('as root', () => {
  withTools(
    'cron',
    'unshare',
    'mount',
  )('cron', () => {
    test('`@reboot daemoniker start`: it outlives cron', async () => {
      const start = runScript('start', [...CLI, 'start', pidFile, '--', ...daemon()]);
      const table = write('crontab', `@reboot root ${start.replaceAll(/[ %]/g, '\\$&')}\n`, 0o644);
      const mounts = `mount -t tmpfs tmpfs /run && mount --bind "$0" /etc/crontab
      for folder in /etc/cron.d /var/spool/cron; do mount -t tmpfs tmpfs $folder; done
      mkdir /var/spool/cron/crontabs; exec cron -f`;
      const itself = await supervisor(['unshare', '--mount', 'sh', '-c', mounts, table]);
      await end(itself);
      expect(ping(pidFile)).toBe(true);
      expect(existsSync(within('said'))).toBe(false);
      await succeeds(...CLI, 'stop', pidFile);
    });
  });

  withTools(
    'openrc-run',
    'unshare',
    'mount',
  )('OpenRC', () => {
    // To stop it, it looks for a process that runs this command.
    only('no command in front', isAbsolute(RUNTIME[0] as string)).test(
      'a service with `command_background` and `retry` is one shutdown',
      async () => {
        const ready = within('ready');
        const [command = '', ...words] = daemon({
          code: `fs.writeFileSync(${JSON.stringify(ready)}, '');`,
        });
        const service = within('mine');
        writeFileSync(
          service,
          `#!/sbin/openrc-run
command=${commandLine([command])}
command_args=${commandLine([commandLine(words)])}
command_background=true
pidfile=${commandLine([pidFile])}
retry=TERM/60/KILL/5
`,
          { mode: 0o755 },
        );
        // As where OpenRC has booted the system.
        const both = `mount -t tmpfs tmpfs /run
      for state in starting started stopping exclusive daemons options init.d tmp
      do mkdir -p /run/openrc/$state; done; > /run/openrc/softlevel
      "$0" start && until [ -e "$1" ]; do sleep 0.01; done && "$0" status && "$0" stop; echo "status $?"; "$0" status`;
        const commands = ['unshare', '--mount', 'sh', '-c', both, service, ready];
        const { stdout } = await new Fixture(commands).end();
        expect(stdout).toContain('status 0');
        expect(stdout).toContain('status: stopped');
        expect(saidLines()).toEqual(gracefully('SIGTERM'));
        // The file is OpenRC's, which wrote it first.
        expect(ping(pidFile)).toBe(false);
      },
    );
  });
});
