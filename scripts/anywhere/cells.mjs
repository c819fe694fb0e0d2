// The places and environments in which scripts/test-anywhere.mjs tries a clone.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { RUNTIMES } from '../runtimes/runtimes.mjs';

const NOBODY = { uid: 65534, gid: 65534 };
const IS_ROOT = process.getuid() === 0;
const POWERLESS = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs', '--'];
const ONE_PROCESSOR = ['taskset', '--cpu-list', '0'];

/** All that the tools of this repository run on, but for this one. */
const OTHER_NODES = RUNTIMES.filter(
  ({ name }) =>
    /^Node (20|22|24|26)\.[\d.]+$/.test(name) && name !== `Node ${process.versions.node}`,
);

/**
 * All of them, below a directory. Of each cell:
 *
 * - `place`: where the clone is; `closed`: a folder above it that only its owner may enter; `through`: the
 *   symbolic link by which it is entered
 * - `wrapper`: the words before each command, the cloning one included
 * - `env`: what is different; undefined is not there at all
 * - `node`: resolves to the directory of the node that comes first in PATH
 * - `user`: who runs it, if not whoever runs the script
 * - `complete`: a file of tests of which none may be skipped
 * - `needs`: what is missing here for it, or null
 */
export function cellsBelow(directory) {
  return [
    {
      what: 'a path with a space, an umlaut, quotation marks and a $',
      place: `a "clone" of Zoë's $HOME`,
    },
    {
      what: 'a folder that only root may enter',
      place: 'closed/clone',
      closed: 'closed',
      complete: 'send_as_root',
      needs: IS_ROOT ? null : 'root',
    },
    { what: 'a symbolic link to the clone', place: 'real/clone', through: 'link' },
    { what: 'umask 000', place: 'open', wrapper: umask('000') },
    { what: 'umask 077', place: 'private', wrapper: umask('077') },
    { what: 'no HOME, no TERM', place: 'bare', env: { HOME: undefined, TERM: undefined } },
    {
      what: 'no terminal, stdin closed',
      place: 'unattended', // every cell runs in a session of its own, which has no terminal
      wrapper: ['sh', '-c', 'exec "$@" <&-', 'sh'],
    },
    {
      what: 'a temporary directory with a long name and spaces in it',
      place: 'elsewhere',
      env: { TMPDIR: join(directory, 'tmp', 'a long name '.repeat(16).trim()) },
    },
    {
      what: 'a temporary directory in which nothing can be executed',
      place: 'noexec',
      ...withMounted('TMPDIR', join(directory, 'mounted'), 'noexec,mode=1777'),
    },
    {
      what: 'a read-only home',
      place: 'read-only-home',
      ...withMounted('HOME', join(directory, 'home'), 'ro'),
    },
    {
      what: 'another user, who has no home',
      place: 'of-nobody',
      user: NOBODY,
      env: { HOME: '/nonexistent', USER: 'nobody', LOGNAME: 'nobody' },
      needs: canRun(['npm', '--version'], NOBODY) ? null : 'root, and an npm that others may run',
    },
    {
      what: 'root without any capability, as in a container with --cap-drop=ALL',
      place: 'powerless',
      wrapper: POWERLESS,
      needs: IS_ROOT && canRun([...POWERLESS, 'true']) ? null : 'root, and setpriv',
    },
    {
      what: 'one processor',
      place: 'one-processor',
      wrapper: ONE_PROCESSOR,
      needs: canRun([...ONE_PROCESSOR, 'true']) ? null : 'taskset',
    },
    {
      what: '16 processors',
      place: 'many-processors',
      needs: availableParallelism() >= 16 ? null : 'a machine that has them',
    },
    ...OTHER_NODES.map(withNode),
  ];
}

function umask(mode) {
  return ['sh', '-c', 'umask "$0" && exec "$@"', mode];
}

/** A directory that is mounted for this cell alone, and named by that variable. */
function withMounted(variable, directory, options) {
  mkdirSync(directory);
  const mount = `mount -t tmpfs -o ${options} tmpfs "$0" && exec "$@"`;
  const wrapper = ['unshare', '--mount', 'sh', '-c', mount, directory];
  const needs = canRun([...wrapper, 'true']) ? null : 'the right to mount';
  return { wrapper, env: { [variable]: directory }, needs };
}

/** npm is that of this machine, and runs on it. */
function withNode({ name, command }) {
  return {
    what: `${name} as the node in PATH`,
    place: name.replace(' ', '-'),
    node: async () => dirname((await command())[0]),
    needs: process.arch === 'x64' ? null : 'x64',
  };
}

function canRun([command, ...args], user) {
  return spawnSync(command, args, { cwd: '/', stdio: 'ignore', ...user }).status === 0;
}
