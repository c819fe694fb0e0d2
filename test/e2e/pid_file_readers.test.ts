// Who reads a PID file, and what it makes of ours: the table in docs/pid-files.md, cell by cell.
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ping } from '../../';
import { directory, pidFile } from '../support/each_test';
import { Fixture } from '../support/fixture';
import { textOf } from '../support/markdown';
import { asRoot } from '../support/nobody';
import { contentHeldBy } from '../support/pid_file';
import { onUnix, withCommand, withTools } from '../support/platform';
import { isAlive } from '../support/processes';
import { ROOT, RUNTIME } from '../support/runtime';
import { Session } from '../support/session';
import { commandLine } from '../support/shell';
import { shellScript, underSystemd, withSystemd } from '../support/systemd';

const COLUMNS = ['locked', 'marked', 'fresh', 'stale'] as const;
type State = (typeof COLUMNS)[number];

const KILL_BY_INT = 'import os, sys; os.kill(int(open(sys.argv[1]).read()), 0)';
const PID_PACKAGE = `
import os, pid, sys
directory, name = os.path.split(sys.argv[1])
try:
    pid.PidFile(name, piddir=directory).check()
except pid.PidFileAlreadyRunningError:
    sys.exit(0)
sys.exit(1)`;
const LOCKFILE_PACKAGE = `
import os, sys
from lockfile.pidlockfile import read_pid_from_pidfile
os.kill(read_pid_from_pidfile(sys.argv[1]), 0)`;

/** Makes the file; the process that has the number in it, if there is one. */
const MAKE: Record<State, () => Promise<Session | null>> = {
  async locked() {
    const daemon = await Session.start();
    await daemon.value('(kept.handler = new SignalHandler1($0).start(), true)', pidFile);
    return daemon;
  },
  async marked() {
    const stranger = await Session.start();
    writeFileSync(pidFile, contentHeldBy(stranger.pid));
    return stranger;
  },
  async fresh() {
    const daemon = await Session.start();
    writeFileSync(pidFile, `${daemon.pid}\n`);
    return daemon;
  },
  async stale() {
    writeFileSync(pidFile, '2147483647\n');
    return Promise.resolve(null);
  },
};

/** The rows of the table, by the first cell. */
function documented(): Map<string, string[]> {
  const rows = textOf('docs/pid-files.md')
    .split('\n')
    .filter((line) => /^\| (?!-)/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const header = rows.findIndex((row) => row[1] === 'locked');
  return new Map(rows.slice(header + 1).map(([name = '', ...cells]) => [name, cells]));
}

const table = documented();
const tested = new Set<string>();

/** Tests one row: whether the reader finds a process in each of the files. */
function row(name: string, finds: (target: Session | null) => Promise<boolean> | boolean): void {
  tested.add(name);
  test.each(COLUMNS)(`${name}: %s`, async (state) => {
    const target = await MAKE[state]();
    chmodSync(pidFile, 0o644);
    chmodSync(directory, 0o755);
    const who = state === 'marked' ? 'stranger' : 'daemon';
    const found = (await finds(target)) ? who : 'nobody';
    expect([state, found]).toEqual([state, table.get(name)?.[COLUMNS.indexOf(state)]]);
  });
}

/** A row whose reader is a command; it finds a process if it succeeds. `$0` is the file. */
function shell(name: string, script: string, command = 'sh'): void {
  row(name, async () => (await new Fixture([command, '-c', script, pidFile]).end()).code === 0);
}

onUnix('readers', () => {
  row('`ping()`, `send()`', () => ping(pidFile));
  row('`Number()`, `parseInt()` (Node.js, pm2)', () => {
    const text = readFileSync(pidFile, 'utf8');
    expect(Number(text)).toBe(parseInt(text, 10));
    return isAlive(Number(text));
  });
  shell('`kill $(cat file)`', 'kill -0 $(cat "$0")');
  shell('`kill "$(cat file)"`', 'kill -0 "$(cat "$0")"');
  shell('`read -r pid < file`', 'read -r pid < "$0" && kill -0 "$pid"');

  withTools('bash')('of bash', () => {
    shell('the same in bash', 'kill -0 "$(cat "$0")" && kill -0 "$(<"$0")"', 'bash');
  });
  withTools('kill', 'env')('of util-linux or procps', () => {
    shell('the same with kill(1)', 'env kill -0 "$(cat "$0")"');
  });
  withTools('pgrep')('of procps', () => {
    shell('`pkill -F`, `pgrep -F`', 'pgrep -F "$0"');
    shell('`pkill -L -F`', 'pgrep -L -F "$0"');
  });
  withTools('start-stop-daemon')('of dpkg', () => {
    shell('start-stop-daemon (Debian)', 'start-stop-daemon --status --pidfile "$0"');
    withCommand(
      'sh',
      '-c',
      '. /lib/lsb/init-functions',
    )('of the LSB', () => {
      shell('`pidofproc` (LSB)', '. /lib/lsb/init-functions; pidofproc -p "$0" daemon');
      row('`killproc` (LSB)', async (target) => {
        const script = '. /lib/lsb/init-functions; killproc -p "$0" "$1" CONT';
        const name = target === null ? 'daemon' : nameOf(target.pid);
        return (await new Fixture(['sh', '-c', script, pidFile, name]).end()).code === 0;
      });
    });
  });
  withCommand('busybox', 'true')('of busybox', () => {
    shell('start-stop-daemon (busybox)', 'busybox start-stop-daemon -K -t -p "$0"');
    shell('`kill "$(cat file)"` (busybox)', `busybox sh -c 'kill -0 "$(cat "$0")"' "$0"`);
  });
  withTools('monit')('of monit', () => {
    row('monit', async () => {
      const rc = join(directory, 'monitrc');
      const files = ['pidfile', 'idfile', 'statefile'].map(
        (name) => `set ${name} ${join(directory, name)}\n`,
      );
      writeFileSync(
        rc,
        `set daemon 5\n${files.join('')}check process mine with pidfile ${pidFile}\n`,
        { mode: 0o600 },
      );
      const { stdout, stderr } = await new Fixture(['monit', '-c', rc, '-v', 'validate']).end();
      return `${stdout}${stderr}`.includes("'mine' process is running with pid");
    });
  });
  withTools('pidproxy')('of supervisor', () => {
    // Its child has it pass a signal on; that fails if there is no such process.
    shell('pidproxy (supervisord)', `pidproxy "$0" /bin/sh -c 'kill -TERM $PPID'`);
  });
  withTools('daemon')('of libslack', () => {
    shell('daemon(1)', 'daemon --running --name=mine --pidfile="$0"');
  });
  withTools('python3')('of Python', () => {
    shell('`int(file.read())` (Python)', `python3 -c '${KILL_BY_INT}' "$0"`);
    withCommand(
      'python3',
      '-c',
      'import pid',
    )('with the package pid', () => {
      shell('pid (PyPI)', `python3 -c '${PID_PACKAGE}' "$0"`);
    });
    withCommand(
      'python3',
      '-c',
      'import lockfile',
    )('with the package lockfile', () => {
      shell('lockfile, python-daemon (PyPI)', `python3 -c '${LOCKFILE_PACKAGE}' "$0"`);
    });
  });
  withTools('go')('of Go', () => {
    for (const [name, parse] of [
      ['`strconv.Atoi(strings.TrimSpace())` (Go)', 'strconv.Atoi(strings.TrimSpace(string(text)))'],
      ['`fmt.Sscanln()` (Go, lockfile)', 'scan(string(text))'],
    ] as const) {
      row(name, async () => {
        const program = join(directory, 'main.go');
        writeFileSync(program, goProgram(parse));
        const { code, stderr } = await new Fixture(['go', 'run', program, pidFile]).end();
        expect([0, 1]).toContain(code);
        if (code === 1) expect(stderr).toContain('exit status 1');
        return code === 0;
      });
    }
  });
});

asRoot('as root', () => {
  withSystemd('as process 1', () => {
    const name = '`PIDFile=` (systemd)';
    tested.add(name);
    test.each(COLUMNS)(`${name}: %s`, async (state) => {
      const who = state === 'marked' ? 'stranger' : 'daemon';
      const found = (await isMainProcess(state)) ? who : 'nobody';
      expect([state, found]).toEqual([state, table.get(name)?.[COLUMNS.indexOf(state)]]);
    });
  });
});

test('each reader in docs/pid-files.md is one of these, or named as not available', () => {
  const missing = [...table].filter(([name, cells]) => {
    return !tested.has(name) && !cells.every((cell) => cell === 'not available');
  });
  // Where a command is missing its row is skipped, so that no test has it.
  expect(table.size).toBeGreaterThan(15);
  expect([...tested].filter((name) => !table.has(name))).toEqual([]);
  expect(missing).toEqual([]);
});

function nameOf(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
}

function goProgram(parse: string): string {
  return `package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

var _ = strconv.Atoi
var _ = strings.TrimSpace

func scan(text string) (pid int, err error) {
	_, err = fmt.Sscanln(text, &pid)
	return
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	pid := 0
	if err == nil {
		pid, err = ${parse}
	}
	if err == nil {
		err = syscall.Kill(pid, 0)
	}
	if err != nil {
		os.Exit(1)
	}
}
`;
}

/** Whether systemd takes the process of the file for that of a service. */
async function isMainProcess(state: State): Promise<boolean> {
  const daemon = join(directory, 'daemon.cjs');
  writeFileSync(
    daemon,
    `new (require(${JSON.stringify(ROOT)}).SignalHandler1)(${JSON.stringify(pidFile)}).start();
    setInterval(() => undefined, 1000);`,
  );
  const file = commandLine([pidFile]);
  const make: Record<State, string> = {
    locked: `${commandLine([...RUNTIME, daemon])} & while ! [ -s ${file} ]; do sleep 0.01; done`,
    marked: `sleep 600 & printf '%s\\n\\n\\n' $! > ${file}`,
    fresh: `sleep 600 & echo $! > ${file}`,
    stale: `echo 4000000 > ${file}`,
  };
  const said = await underSystemd(
    {
      'mine.service': `[Service]
Type=forking
PIDFile=${pidFile}
TimeoutStartSec=${state === 'stale' ? 1 : 'infinity'}
ExecStart=${shellScript(make[state])}
`,
    },
    // systemd itself removes a stale one.
    `systemctl start mine; systemctl show mine -p MainPID --value; ! [ -e ${file} ] || cat ${file}`,
  );
  const [mainPid, inFile] = said.split('\n');
  return mainPid === inFile;
}
