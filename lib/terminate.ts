import { toBoolean, toOptions } from './arguments';
import { PidFileError, SignalError } from './errors';
import { isLeftEmpty, type IdentifyOptions } from './identity';
import type { OtherProcess } from './other_process';
import type { SendOptions } from './send';
import { SIGTERM, signalName, toSignum, type SignalLike } from './signals';
import {
  hasEnded,
  toTarget,
  type ChildProcessLike,
  type SignalTarget,
  type Target,
} from './target';
import { happensWithin, throwIfAborted, toAbortSignal, toDuration } from './waiting';

/** Options of {@link terminate}. */
export interface TerminateOptions extends SendOptions {
  /**
   * The signal to send; 0 sends none and only waits.
   * @defaultValue SIGTERM
   */
  signal?: SignalLike | undefined;
  /**
   * Milliseconds to wait for the exit, from 0 to 2147483647, or `Infinity`.
   * @defaultValue 10_000
   */
  timeout?: number | undefined;
  /**
   * After the timeout, send SIGKILL, and wait up to another 10 seconds.
   * @defaultValue false
   */
  kill?: boolean | undefined;
  /** Gives up waiting; the signal stays sent. */
  abortSignal?: AbortSignal | undefined;
}

/** The result of {@link terminate}. */
export type Termination =
  | {
      /** The process that was signalled. */
      readonly pid: number;
      /**
       * - `'exited'`: the process is gone.
       * - `'killed'`: it is gone, after SIGKILL.
       * - `'timeout'`: it is still running.
       */
      readonly outcome: 'exited' | 'killed' | 'timeout';
      /**
       * Its exit code, if known and no signal terminated it: always for a `ChildProcess` and on Windows; on Linux 6.15
       * and later if its parent collects it within half a second, as nearly all do; on macOS never.
       */
      readonly exitCode?: number | undefined;
      /**
       * The signal that terminated it, if known in the same way. On Windows only of a child that was terminated by its
       * own `kill()`.
       */
      readonly signal?: NodeJS.Signals | `signal ${number}` | undefined;
    }
  | {
      /** Nothing was signalled. */
      readonly pid: null;
      /** There is no such process. */
      readonly outcome: 'not-running';
      /** Not known. */
      readonly exitCode?: undefined;
      /** Not known. */
      readonly signal?: undefined;
    };

const DEFAULT_TIMEOUT_MS = 10_000;
/** A process in an uninterruptible system call outlives even SIGKILL for a while. */
const KILL_PATIENCE_MS = 10_000;
/** The event comes in one of the next turns of the loop, unless something else has collected the child. */
const EXIT_EVENT_PATIENCE_MS = 1000;
const SIGKILL = 9;

const OPTIONS = ['signal', 'timeout', 'kill', 'abortSignal', 'verify', 'insecure'] as const;

/**
 * Asks the daemon of a PID file, a child process, or a process by its ID to shut down, and waits until it
 * is gone.
 *
 * It does not poll: Linux waits on the pidfd that the signal went through, macOS on a kqueue, Windows on
 * the process's handle, each on its own thread. A zombie counts as gone. Works in worker threads too.
 *
 * On Windows this is how to shut down a child gracefully: the signal goes to the child's handler, while
 * `child.kill()` terminates it at once. The child's `'exit'` event precedes the promise. A suspended child
 * (SIGSTOP) gets the signal when it is continued.
 *
 * @param target - As in {@link send}.
 * @param options - What to send, and how long to wait.
 * @returns what happened. A process that is not running is not an error, nor is a child that has exited or
 *   never started.
 * @throws as {@link send}, except for a process that is not running; the reason of `abortSignal`.
 *
 * @example
 * ```js
 * // stop.mjs
 * import { terminate } from 'daemoniker';
 *
 * const { outcome } = await terminate('my.pid', { timeout: 5000, kill: true });
 * console.log(outcome);
 * ```
 *
 * @example
 * ```js
 * // parent.mjs
 * import { spawn } from 'node:child_process';
 * import { terminate } from 'daemoniker';
 *
 * const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
 * console.log(await terminate(child)); // { pid: 42, outcome: 'exited', signal: 'SIGTERM' }
 * ```
 */
export async function terminate(
  target: SignalTarget,
  options?: TerminateOptions,
): Promise<Termination> {
  const whom = toTarget(target);
  const given = toOptions<TerminateOptions>(options, OPTIONS);
  const signum = toSignum(given.signal ?? SIGTERM);
  const timeout =
    given.timeout === undefined ? DEFAULT_TIMEOUT_MS : toDuration('options.timeout', given.timeout);
  const kill = toBoolean('options.kill', given.kill, false);
  const abortSignal = toAbortSignal(given.abortSignal);
  throwIfAborted(abortSignal);

  const found = find(whom, {
    verify: toBoolean('options.verify', given.verify, true),
    insecure: toBoolean('options.insecure', given.insecure, false),
    needsStart: true,
  });
  if (found === null) return NOT_RUNNING;
  let stopHearing = (): unknown => undefined;
  try {
    const { pid } = found;
    let how: Exit = {};
    let report = (): void => undefined;
    const gone = new Promise<void>((resolve) => (report = resolve));
    // Where the system has no handles, only the parent knows for certain.
    whom.child?.once?.('exit', report);
    stopHearing = () => whom.child?.off?.('exit', report);
    // Before it is signalled, so that nothing is if the wait cannot begin.
    found.whenGone((code, signum) => {
      how = describeExit(code, signum);
      report();
    });
    if (signum !== 0 && !signal(found, signum)) return NOT_RUNNING;
    let killed = signum === SIGKILL;
    let isGone = await happensWithin(timeout, gone, abortSignal);
    if (!isGone) {
      // It may have exited just now; how, comes a moment later.
      const isLate = !found.isGone() && !(whom.child !== null && hasEnded(whom.child));
      if (isLate && !kill) return { pid, outcome: 'timeout' };
      if (isLate) killed = signal(found, SIGKILL);
      isGone = await happensWithin(KILL_PATIENCE_MS, gone, abortSignal);
    }
    if (!isGone) return { pid, outcome: 'timeout' };
    if (whom.child !== null) how = (await exitOf(whom.child)) ?? how;
    return { pid, outcome: killed ? 'killed' : 'exited', ...how };
  } finally {
    stopHearing();
    found.close();
  }
}

type Exit = Pick<Termination, 'exitCode' | 'signal'>;

/** Of a child that is gone: what it says itself; `null` if it never does. */
async function exitOf(child: ChildProcessLike): Promise<Exit | null> {
  if (!hasEnded(child) && child.once !== undefined) {
    let hear = (): void => undefined;
    const heard = new Promise<void>((resolve) => (hear = resolve));
    child.once('exit', hear);
    await happensWithin(EXIT_EVENT_PATIENCE_MS, heard, undefined);
    child.off?.('exit', hear);
  }
  if (!hasEnded(child)) return null;
  return child.signalCode
    ? { signal: child.signalCode }
    : { exitCode: child.exitCode ?? undefined };
}

function describeExit(code: number, signum: number): Exit {
  if (signum > 0) return { signal: signalName(signum) };
  return code >= 0 ? { exitCode: code } : {};
}

const NOT_RUNNING: Termination = Object.freeze({ pid: null, outcome: 'not-running' });

/** `null` when it is not running. Unlike `ping()`, a file that another process has locked is
 * an error: some daemon does run, and the caller must not believe that it has been ended. */
function find(target: Target, options: IdentifyOptions): OtherProcess | null {
  try {
    return target.open(options);
  } catch (error) {
    if (error instanceof SignalError && error.code === 'ESRCH') return null;
    if (error instanceof PidFileError) {
      if (['ENOENT', 'ERR_PID_FILE_STALE'].includes(error.code) || isLeftEmpty(error)) return null;
    }
    throw error;
  }
}

/** False when there is no such process any more. */
function signal(found: OtherProcess, signum: number): boolean {
  try {
    found.signal(signum);
    return true;
  } catch (error) {
    if (error instanceof SignalError && error.code === 'ESRCH') return false;
    throw error;
  }
}
