// Receivers in other languages, each built with its own language's tools. A peer whose tools are
// missing is left out, and the report says so.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const receivers = join(here, 'receivers');
const built = join(here, '..', 'build', 'bench');

/** `[{ name, command }]`; `command` is null where it could not be built. */
export function buildPeers() {
  mkdirSync(built, { recursive: true });
  return [
    { name: 'daemoniker (Python, the original)', command: buildPython() },
    { name: 'Go `os/signal`', command: buildGo() },
    { name: 'Rust signal-hook', command: buildRust() },
    buildFloor(),
  ];
}

/** A thread that only waits for the signal: nothing in user space can be faster. */
export function buildFloor() {
  return { name: 'C `sigwaitinfo` (the floor)', command: buildC('sigwaitinfo') };
}

/** The command of a native sender of signals, or null. */
export function buildSender() {
  return buildC('sender');
}

function buildC(name) {
  mkdirSync(built, { recursive: true });
  const program = join(built, name);
  const worked = run('cc', ['-O2', '-o', program, join(receivers, `${name}.c`)]);
  return worked ? [program] : null;
}

function buildPython() {
  const venv = join(built, 'python');
  const worked =
    run('python3', ['-m', 'venv', venv]) &&
    run(join(venv, 'bin', 'pip'), ['install', '--quiet', 'daemoniker==0.2.3']);
  return worked ? [join(venv, 'bin', 'python'), join(receivers, 'original.py')] : null;
}

function buildGo() {
  const program = join(built, 'go-receiver');
  return run('go', ['build', '-o', program, '.'], { cwd: join(receivers, 'go') })
    ? [program]
    : null;
}

function buildRust() {
  const target = join(built, 'rust');
  const manifest = join(receivers, 'rust', 'Cargo.toml');
  const worked = run('cargo', [
    'build',
    '--quiet',
    '--release',
    ...['--target-dir', target],
    ...['--manifest-path', manifest],
  ]);
  return worked ? [join(target, 'release', 'receiver')] : null;
}

function run(command, args, options = {}) {
  return (
    spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], ...options }).status === 0
  );
}
