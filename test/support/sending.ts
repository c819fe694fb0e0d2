// Signals to fixtures, on each platform: kill(2), or on Windows, which has none, send().
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { send } from '../../';
import { PATIENCE_MS } from './fixture';
import { TELLS_KILL_FROM_RAISE } from './platform';
import { signalSet } from './proc';
import { FIXTURES, IS_WINDOWS, RUNTIME } from './runtime';

type SignalName = 'SIGINT' | 'SIGTERM' | 'SIGABRT';

/** The origin of a signal that one of these has sent. */
export const SENT = IS_WINDOWS ? 'pipe' : 'process';

/** The origin of one that a process has sent itself with `signalMyself()`. */
export const SENT_TO_ITSELF = TELLS_KILL_FROM_RAISE ? SENT : 'thread';

/** The user whom a record names as the sender, when it is this one. Windows tells none. */
export const OWN_UID = process.getuid?.() ?? null;

/** From this process. */
export function signal(pid: number, name: NodeJS.Signals | number): void {
  // SIGKILL is all that Windows' own kill() can do.
  if (!IS_WINDOWS || name === 'SIGKILL') process.kill(pid, name);
  else send(pid, name);
}

/**
 * From this process, one that must be seen: it waits until the kernel of Linux has handed the signal
 * to a thread, so that a next one is not coalesced with it by the kernel. On Windows a signal that has
 * been sent has been recorded. For tests that are `onLinuxAndWindows`.
 */
export function signalThrough(pid: number, name: SignalName): void {
  signal(pid, name);
  if (IS_WINDOWS) return;
  const patience = Date.now() + PATIENCE_MS;
  while (signalSet(pid, 'ShdPnd').includes(name)) {
    // A process that has died keeps what was pending.
    if (Date.now() > patience) throw new Error(`process ${pid} does not take ${name}: it has died`);
  }
}

interface SenderOptions {
  readonly times?: number;
  /** Stays until it is killed. */
  readonly waits?: boolean;
}

/** From a process of its own, as fast as it can: a shell, or on Windows Node.js. */
export function startSender(
  pid: number,
  name: SignalName,
  { times = 1, waits = false }: SenderOptions = {},
): ChildProcess {
  const loop = `i=0; while [ $i -lt ${times} ]; do kill -${name.slice(3)} ${pid}; i=$((i+1)); done`;
  const [command = '', ...args] = IS_WINDOWS
    ? [...RUNTIME, join(FIXTURES, 'send_to.cjs'), String(pid), name, String(times), String(waits)]
    : ['sh', '-c', `${loop}; ${waits ? 'read line' : 'true'}`];
  return spawn(command, args, { stdio: ['pipe', 'ignore', 'inherit'] });
}

/**
 * The name of the program of {@link startSender}, as the system has it. /bin/sh may run as another one:
 * on macOS it starts bash.
 */
export function programOf({ pid }: ChildProcess): string {
  if (IS_WINDOWS) return basename(RUNTIME[0] as string);
  if (process.platform === 'linux') return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  const { stdout } = spawnSync('ps', ['-o', 'ucomm=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim();
}

/** As many signals from a process of its own, which has ended then. */
export async function signalsFromAnother(
  pid: number,
  name: SignalName,
  times: number,
): Promise<void> {
  const [code] = (await once(startSender(pid, name, { times }), 'exit')) as [number | null];
  if (code !== 0) throw new Error(`a sender of signals ended with ${String(code)}`);
}
