// A real systemd, as process 1 of namespaces of its own.
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { directory } from './each_test';
import { Fixture } from './fixture';
import { withTools } from './platform';
import { eventually } from './processes';
import { commandLine, scriptText } from './shell';

const SYSTEMD = ['/usr/lib/systemd/systemd', '/lib/systemd/systemd'].find((path) =>
  existsSync(path),
);

/** Within `asRoot`: to make namespaces is root's. */
export const withSystemd = withTools(SYSTEMD ?? 'systemd', 'systemctl', 'unshare', 'mount');

/** Controllers that it would see from their root, where it removes each cgroup that is empty: of other tests, too. */
const KEEP_CGROUPS = `
  while read -r _ directory type options _; do
    case $type,$options in
      cgroup,*name=*) ;;
      cgroup,*) mount -o remount,bind,ro "$directory" || exit ;;
    esac
  done < /proc/mounts`;

/**
 * Starts systemd with these units (their names and what stands in them, but for `DefaultDependencies=`),
 * runs a script of the shell under it, in the directory of the test, and returns what it has printed.
 */
export async function underSystemd(
  units: Readonly<Record<string, string>>,
  script: string,
): Promise<string> {
  chmodSync(directory, 0o777); // for services of other users
  const unitPath = join(directory, 'units');
  const answer = join(directory, 'answer');
  const [unfinished, finished] = [`${answer}.new`, answer].map((path) => commandLine([path]));
  mkdirSync(unitPath);
  const all: Record<string, string> = {
    ...units,
    'script.service': `[Service]
Type=oneshot
TimeoutStartSec=infinity
ExecStart=${shellScript(`cd ${commandLine([directory])}\nexec > ${unfinished}\n${script}\nmv ${unfinished} ${finished}\n`)}
`,
  };
  // What units refer to implicitly, without what a whole system would start for it.
  for (const name of ['basic', 'sysinit', 'shutdown', 'umount', 'final', 'exit']) {
    all[`${name}.target`] = '';
  }
  for (const [name, text] of Object.entries(all)) {
    writeFileSync(join(unitPath, name), `[Unit]\nDefaultDependencies=no\n${text}`);
  }
  const systemd = new Fixture([
    ...['unshare', '--mount', '--uts', '--ipc', '--cgroup', '--pid', '--fork', '--kill-child'],
    ...['--mount-proc', 'sh', '-c'],
    `${KEEP_CGROUPS}
    mount -t tmpfs tmpfs /run && mkdir /run/systemd && exec env -i container=lxc "PATH=$PATH" \\
      SYSTEMD_UNIT_PATH="$0" "$1" --system --unit=script.service --log-target=null`,
    ...[unitPath, SYSTEMD as string],
  ]);
  await eventually('what the script says', () => existsSync(answer));
  systemd.kill('SIGKILL');
  await systemd.end();
  return readFileSync(answer, 'utf8');
}

let scripts = 0;

/** What a unit says to run a script of the shell, whatever stands in it (see systemd.service(5)). */
export function shellScript(script: string): string {
  const file = join(directory, `script-${++scripts}.sh`);
  writeFileSync(file, scriptText(script));
  return `/bin/sh ${JSON.stringify(file).replaceAll('%', '%%').replaceAll('$', '$$$$')}`;
}
