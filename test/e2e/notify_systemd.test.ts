// What a real systemd makes of what a service tells it.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { directory } from '../support/each_test';
import { FOR_NOBODY, asRoot } from '../support/nobody';
import { only } from '../support/platform';
import { NAME, RUNTIME } from '../support/runtime';
import { commandLine } from '../support/shell';
import { shellScript, underSystemd, withSystemd } from '../support/systemd';

/** A service whose main process runs this code. */
function service(code: string, settings: string): string {
  const daemon = join(directory, 'daemon.cjs');
  writeFileSync(
    daemon,
    `const { SignalHandler1, notify } = require(${JSON.stringify(FOR_NOBODY.root)});
    const file = (name) => require('node:path').join(${JSON.stringify(directory)}, name);
    const fs = require('node:fs');
    ${code}
    setInterval(() => undefined, 1000);`,
  );
  return `[Service]
Type=notify
NotifyAccess=main
TimeoutStartSec=60
ExecStart=${shellScript(`exec ${commandLine([...RUNTIME, daemon])}`)}
${settings}
`;
}

/** Of the shell: waits until the service is in that state. */
const until = (state: string): string =>
  `while ! systemctl show mine -p ActiveState | grep -q =${state}; do sleep 0.01; done`;

const asked = spawnSync('systemctl', ['--version'], { encoding: 'utf8' });
const version = Number(/^systemd (\d+)/.exec(asked.stdout)?.[1]);

asRoot('as root', () => {
  withSystemd('systemd', () => {
    test('believes a user without rights, with NotifyAccess=main: the message comes from the service itself', async () => {
      const said = await underSystemd(
        {
          'mine.service': service(
            "notify({ ready: true, status: 'process ' + process.pid });",
            'User=nobody',
          ),
        },
        `systemctl start mine && systemctl show mine -p ActiveState -p StatusText
        echo "process $(systemctl show mine --value -p MainPID)"`,
      );
      const [, pid] = /^process (\d+)$/m.exec(said) ?? [];
      expect(said).toBe(`StatusText=process ${pid}\nActiveState=active\nprocess ${pid}\n`);
    });

    test('gives a shutdown that takes longer than TimeoutStopSec= its time', async () => {
      const said = await underSystemd(
        {
          'mine.service': service(
            `const handler = new SignalHandler1(null, { shutdown: 30_000 }).start();
            handler.onShutdown('slow', () => new Promise((resolve) => setTimeout(resolve, 2500)));
            notify({ ready: true });`,
            'TimeoutStopSec=1',
          ),
        },
        'systemctl start mine; systemctl stop mine; systemctl show mine -p Result -p ExecMainStatus',
      );
      expect(said).toBe('Result=success\nExecMainStatus=0\n');
    });

    test('ends a stuck event loop by WatchdogSec=, with a line on stderr (on Node its stack) and a core dump', async () => {
      const said = await underSystemd(
        {
          'mine.service': service(
            `new SignalHandler1(null, { watchdog: true, shutdown: true, deadline: 500 }).start();
            notify({ ready: true });
            setTimeout(function getsStuck() { for (;;); }, 2500); // later than the watchdog's time`,
            `WatchdogSec=2
LimitCORE=infinity
WorkingDirectory=${directory}
StandardError=file:${join(directory, 'stderr')}`,
          ),
        },
        `systemctl start mine; ${until('failed')}
        systemctl show mine -p Result -p ExecMainCode -p ExecMainStatus`,
      );
      // CLD_DUMPED, SIGABRT
      expect(said).toBe('Result=watchdog\nExecMainCode=3\nExecMainStatus=6\n');
      const stderr = readFileSync(join(directory, 'stderr'), 'utf8');
      expect(stderr).toContain('SIGABRT');
      if (NAME === 'node') expect(stderr).toContain('at getsStuck');
    });

    test('knows that it reloads, until it is ready again', async () => {
      const said = await underSystemd(
        {
          'mine.service': service(
            `const reload = () => {
              notify({ reloading: true });
              const timer = setInterval(() => {
                if (!fs.existsSync(file('configuration'))) return;
                clearInterval(timer);
                notify({ ready: true });
              }, 10);
            };
            new SignalHandler1(null, { signals: { SIGHUP: reload } }).start();
            notify({ ready: true });`,
            '',
          ),
        },
        `systemctl start mine; systemctl show mine -p ActiveState
        systemctl kill -s HUP mine; ${until('reloading')}
        > ${commandLine([join(directory, 'configuration')])}; ${until('active')}
        systemctl show mine -p ActiveState`,
      );
      expect(said).toBe('ActiveState=active\nActiveState=active\n');
    });

    // The command ends when the service has said that it reloads.
    test('`systemctl reload` waits until it is ready again, with ExecReload=', async () => {
      const said = await underSystemd(
        {
          'mine.service': service(
            `const reload = () => {
              notify({ reloading: true });
              fs.writeFileSync(file('reloading'), '');
              setTimeout(() => {
                fs.writeFileSync(file('reloaded'), '');
                notify({ ready: true });
              }, 1000);
            };
            new SignalHandler1(null, { signals: { SIGHUP: reload } }).start();
            notify({ ready: true });`,
            `ExecReload=${shellScript(`kill -HUP $MAINPID
            until [ -e ${commandLine([join(directory, 'reloading')])} ]; do sleep 0.01; done`)}`,
          ),
        },
        `systemctl start mine; systemctl reload mine && ls ${commandLine([directory])} | grep reloaded`,
      );
      expect(said).toBe('reloaded\n');
    });

    only('needs systemd 253', version >= 253).test(
      '`systemctl reload` waits until it is ready again, with Type=notify-reload',
      async () => {
        const said = await underSystemd(
          {
            'mine.service': service(
              `const reload = () => {
                notify({ reloading: true });
                setTimeout(() => {
                  fs.writeFileSync(file('reloaded'), '');
                  notify({ ready: true });
                }, 500);
              };
              new SignalHandler1(null, { signals: { SIGHUP: reload } }).start();
              notify({ ready: true });`,
              'Type=notify-reload',
            ),
          },
          `systemctl start mine; systemctl reload mine && ls ${commandLine([directory])} | grep reloaded`,
        );
        expect(said).toBe('reloaded\n');
      },
    );

    test('goes on when a worker of a cluster is replaced, although it would listen to it', async () => {
      const said = await underSystemd(
        {
          'mine.service': service(
            `const cluster = require('node:cluster');
            if (cluster.isPrimary) {
              const start = () => cluster.fork().on('message', ready);
              const ready = () => {
                if (fs.existsSync(file('replaced'))) return;
                notify({ ready: true });
                fs.writeFileSync(file('replaced'), '');
                const [worker] = Object.values(cluster.workers);
                worker.on('exit', start);
                worker.on('exit', () => fs.writeFileSync(file('gone'), ''));
                worker.process.kill('SIGTERM');
              };
              new SignalHandler1(null, { shutdown: true }).start();
              start();
            } else {
              new SignalHandler1(null, { shutdown: true, watchdog: true }).start();
              process.send('ready');
            }`,
            'NotifyAccess=all',
          ),
        },
        `systemctl start mine
        while ! [ -e ${commandLine([join(directory, 'gone')])} ]; do sleep 0.01; done
        systemctl show mine -p ActiveState -p SubState`,
      );
      expect(said).toBe('ActiveState=active\nSubState=running\n');
    });
  });
});
