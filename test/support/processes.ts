// Processes that have nothing to do with the package.
import { readFileSync } from 'node:fs';
import { Fixture, PATIENCE_MS } from './fixture';

/** A program that says things in lines of its own, not in JSON. */
export async function startProgram(
  command: readonly string[],
  ready: string,
  options: ConstructorParameters<typeof Fixture>[1] = {},
): Promise<Fixture> {
  const program = new Fixture(command, options);
  await program.until(ready, () => program.stdout.includes(ready));
  return program;
}

/** The state letter of proc(5): `Z` for a zombie. */
export function stateOf(pid: number): string {
  return /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';
}

/** A zombie is not: who adopts the children of others may take its time to ask for their status. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || stateOf(pid) !== 'Z';
  } catch {
    return false;
  }
}

/** Waits until it is true, looking every few milliseconds. */
export async function eventually(what: string, isTrue: () => boolean): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!isTrue()) {
    if (Date.now() > end) throw new Error(`never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** A zombie: its parent never asks for its status. Needs python3. */
export async function makeZombie(): Promise<{ parent: Fixture; pid: number }> {
  const parent = new Fixture([
    'python3',
    '-c',
    'import os, sys\n' +
      'child = os.fork() or os._exit(0)\n' +
      'print("child", child, flush=True)\n' +
      'sys.stdin.read()',
  ]);
  await parent.until('the child', () => /child \d+\n/.test(parent.stdout));
  const pid = Number(/child (\d+)/.exec(parent.stdout)?.[1]);
  await eventually('a zombie', () => stateOf(pid) === 'Z');
  return { parent, pid };
}

/** Python that locks the file in its argument with a call, says so and waits. `HOLD` is its `-c`. */
export function lockHolder(
  path: string,
  kind: 'ofd' | 'posix' | 'flock',
  writePid: boolean,
): string[] {
  const calls = {
    ofd: 'fcntl.fcntl(file, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))',
    posix: 'fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)',
    flock: 'fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)',
  };
  const program = [
    'import fcntl, os, struct, sys',
    'file = open(sys.argv[1], "a+")',
    calls[kind],
    writePid ? 'file.truncate(0); print(os.getpid(), file=file, flush=True)' : '',
    'print("locked", flush=True)',
    'sys.stdin.read()',
  ];
  return ['python3', '-c', program.join('\n'), path];
}
