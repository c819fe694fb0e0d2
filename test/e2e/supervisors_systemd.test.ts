// Daemons under a real systemd: rows of the table in docs/supervisors.md, by the names that they have
// there. More of them are in notify_systemd.test.ts and systemd.test.ts.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { directory, pidFile } from '../support/each_test';
import { FOR_NOBODY, asRoot } from '../support/nobody';
import { ROOT, RUNTIME } from '../support/runtime';
import { commandLine } from '../support/shell';
import { CLI, daemon, gracefully, saidLines } from '../support/supervised';
import { shellScript, underSystemd, withSystemd } from '../support/systemd';

/** Of the shell: waits until there is something in the file. */
const hasText = (path: string): string =>
  `while ! [ -s ${commandLine([path])} ]; do sleep 0.01; done`;

const VERDICT = 'systemctl show mine -p Result -p ExecMainStatus';
const SUCCESS = 'Result=success\nExecMainStatus=0\n';

const run = (words: readonly string[]): string => shellScript(`exec ${commandLine(words)}`);

asRoot('as root', () => {
  withSystemd('systemd', () => {
    describe('systemd, `Type=exec`', () => {
      test('`systemctl stop` is one shutdown, and a success', async () => {
        const unit = `[Service]\nType=exec\nExecStart=${run(daemon())}\n`;
        const said = await underSystemd(
          { 'mine.service': unit },
          `systemctl start mine; ${hasText(pidFile)}; systemctl stop mine; ${VERDICT}`,
        );
        expect(said).toBe(SUCCESS);
        expect(saidLines()).toEqual(gracefully('SIGTERM'));
      });
    });

    describe('systemd, `Type=forking`', () => {
      const unit = (words: readonly string[]): string =>
        `[Service]\nType=forking\nPIDFile=${pidFile}\n` +
        `ExecStart=${run([...CLI, 'start', pidFile, '--', ...words])}\n`;

      test('it knows the process of `daemoniker start`, and that it has ended well', async () => {
        const said = await underSystemd(
          { 'mine.service': unit(daemon()) },
          `systemctl start mine && systemctl show mine -p ActiveState
          [ $(systemctl show mine --value -p MainPID) = $(head -n 1 ${commandLine([pidFile])}) ] && echo same
          systemctl stop mine; ${VERDICT}`,
        );
        expect(said).toBe(`ActiveState=active\nsame\n${SUCCESS}`);
        expect(saidLines()).toEqual(gracefully('SIGTERM'));
      });

      test('a start that fails is one to it, at once', async () => {
        const broken = [...RUNTIME, join(directory, 'broken.cjs')];
        writeFileSync(join(directory, 'broken.cjs'), 'process.exit(3);');
        const said = await underSystemd(
          { 'mine.service': unit(broken) },
          'systemctl start mine || systemctl show mine -p Result',
        );
        expect(said).toBe('Result=exit-code\n');
      });
    });

    describe('systemd, user manager', () => {
      test('one shutdown, with a PID file in `$XDG_RUNTIME_DIR`', async () => {
        const units = join(directory, 'user-units');
        mkdirSync(units);
        const file = '/run/mine/test.pid';
        const service = `[Service]\nType=exec\nExecStart=${run(daemon({ root: FOR_NOBODY.root, file }))}\n`;
        for (const [name, text] of Object.entries({
          'mine.service': service,
          'default.target': '',
          'exit.target': '',
          'shutdown.target': '',
          'basic.target': '',
          'sockets.target': '',
          'timers.target': '',
          'paths.target': '',
        })) {
          writeFileSync(join(units, name), `[Unit]\nDefaultDependencies=no\n${text}`);
        }
        const manager = `[Service]
Type=notify
User=nobody
RuntimeDirectory=mine
Environment=XDG_RUNTIME_DIR=/run/mine HOME=/nonexistent "SYSTEMD_UNIT_PATH=${units}"
ExecStart=/lib/systemd/systemd --user
Delegate=yes
`;
        const user = 'runuser -u nobody -- env XDG_RUNTIME_DIR=/run/mine systemctl --user';
        const said = await underSystemd(
          { 'manager.service': manager },
          `systemctl start manager || systemctl status manager
          ${user} start mine; ${hasText(file)}; ${user} stop mine
          ${user} show mine -p Result -p ExecMainStatus`,
        );
        expect(said).toBe(SUCCESS);
        expect(saidLines()).toEqual(gracefully('SIGTERM'));
      });
    });

    describe('systemd, hardened units', () => {
      test('one shutdown, by `daemoniker stop` from inside, with a PID file in `RuntimeDirectory=`', async () => {
        const { root } = FOR_NOBODY;
        const file = '/run/mine/test.pid';
        const stop = [...RUNTIME, join(root, 'dist', 'cli.js'), 'stop', file];
        // Parts of this package and the runtime may lie in the /tmp that `PrivateTmp=` hides.
        const needed = [ROOT, root, ...RUNTIME.filter(isAbsolute).map((path) => dirname(path))];
        const paths = [...new Set(needed)].map((path) =>
          JSON.stringify(path).replaceAll('%', '%%'),
        );
        const unit = `[Service]
Type=exec
ExecStart=${run(daemon({ root, file }))}
ExecStop=${run(stop)}
DynamicUser=yes
RuntimeDirectory=mine
BindPaths=${directory}
BindReadOnlyPaths=${paths.join(' ')}
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=read-only
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
ProtectSystem=strict
CapabilityBoundingSet=
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service @pkey
UMask=0077
`;
        const said = await underSystemd(
          { 'mine.service': unit },
          `systemctl start mine; ${hasText(file)}; systemctl stop mine; ${VERDICT}`,
        );
        expect(said).toBe(SUCCESS);
        expect(saidLines()).toEqual(gracefully('SIGTERM'));
      });
    });
  });
});
