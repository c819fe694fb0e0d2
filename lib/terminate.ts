import { toBoolean, toOptions, toPath } from './arguments';
import { PidFileError, SignalError } from './errors';
import { identify, isLeftEmpty, type IdentifyOptions, type Target } from './identity';
import type { SendOptions } from './send';
import { SIGTERM, signalName, toSignum, type SignalLike } from './signals';
import { happensWithin, toAbortSignal, toDuration } from './waiting';

/** Options of {@link terminate}. */
export interface TerminateOptions extends SendOptions {
  /**
   * The signal that asks the daemon to end; 0 sends none and only waits.
   * @defaultValue SIGTERM
   */
  signal?: SignalLike | undefined;
  /**
   * Milliseconds to wait for the end; `Infinity` for ever.
   * @defaultValue 10_000
   */
  timeout?: number | undefined;
  /**
   * After the timeout, end it by SIGKILL, and wait up to another 10 seconds.
   * @defaultValue false
   */
  kill?: boolean | undefined;
  /** Gives up waiting. The daemon keeps the signal that it has been sent. */
  abortSignal?: AbortSignal | undefined;
}

/** How {@link terminate} ended. */
export type Termination =
  | {
      /** The process that was signalled. */
      readonly pid: number;
      /**
       * - `'exited'`: the process is gone.
       * - `'killed'`: it is gone, and SIGKILL was sent to it.
       * - `'timeout'`: it still runs.
       */
      readonly outcome: 'exited' | 'killed' | 'timeout';
      /**
       * Its exit code, where the system tells and it was not ended by a signal. Linux 6.15 and later tell it if
       * its parent asks for it within half a second, as nearly all do; Windows always; macOS does not.
       */
      readonly exitCode?: number | undefined;
      /** The name of the signal that ended it, likewise; never on Windows, which has exit codes only. */
      readonly signal?: NodeJS.Signals | `signal ${number}` | undefined;
    }
  | {
      /** There was no such daemon; nothing was signalled. */
      readonly pid: null;
      /** The daemon does not run. */
      readonly outcome: 'not-running';
      /** Not known. */
      readonly exitCode?: undefined;
      /** Not known. */
      readonly signal?: undefined;
    };

const DEFAULT_TIMEOUT_MS = 10_000;
/** A process in an uninterruptible system call outlives even SIGKILL for a while. */
const KILL_PATIENCE_MS = 10_000;
const SIGKILL = 9;

const OPTIONS = ['signal', 'timeout', 'kill', 'abortSignal', 'verify', 'insecure'] as const;

/**
 * Asks the daemon of a PID file to end, and waits until its process is gone.
 *
 * It does not poll: Linux waits on the same pidfd that the signal goes through, macOS on a kqueue,
 * Windows on the process's handle, each on a thread of its own, so neither the event loop nor libuv's
 * thread pool is blocked. A zombie counts as gone. Works in worker threads too.
 *
 * @param pidFile - A path or `file:` URL.
 * @param options - How to ask, and how long to wait.
 * @returns what happened; a daemon that does not run is no error.
 * @throws as {@link send} for a file that is no PID file or cannot be trusted and for a process that
 *   may not be signalled (`EPERM`), but not for one that does not run; the reason of `abortSignal`.
 *
 * @example
 * ```js
 * const { terminate } = require('daemoniker');
 * terminate('my.pid', { timeout: 5000, kill: true }).then(({ outcome }) => console.log(outcome));
 * ```
 */
export async function terminate(
  pidFile: string | URL,
  options?: TerminateOptions,
): Promise<Termination> {
  const path = toPath('pidFile', pidFile);
  const given = toOptions<TerminateOptions>(options, OPTIONS);
  const signum = toSignum(given.signal ?? SIGTERM);
  const timeout =
    given.timeout === undefined ? DEFAULT_TIMEOUT_MS : toDuration('options.timeout', given.timeout);
  const kill = toBoolean('options.kill', given.kill, false);
  const abortSignal = toAbortSignal(given.abortSignal);
  abortSignal?.throwIfAborted();

  const target = find(path, {
    verify: toBoolean('options.verify', given.verify, true),
    insecure: toBoolean('options.insecure', given.insecure, false),
    needsStart: true,
  });
  if (target === null) return NOT_RUNNING;
  try {
    const { pid } = target;
    let how: Pick<Termination, 'exitCode' | 'signal'> = {};
    let report = (): void => undefined;
    const gone = new Promise<void>((resolve) => (report = resolve));
    // Before it is signalled, so that nothing is if the wait cannot begin.
    target.whenGone((code, signum) => {
      how = describeExit(code, signum);
      report();
    });
    if (signum !== 0 && !signal(target, signum)) return NOT_RUNNING;
    let killed = signum === SIGKILL;
    let isGone = await happensWithin(timeout, gone, abortSignal);
    if (!isGone) {
      // It may have ended in this very moment; how, comes a moment later.
      const isLate = !target.isGone();
      if (isLate && !kill) return { pid, outcome: 'timeout' };
      if (isLate) killed = signal(target, SIGKILL);
      isGone = await happensWithin(KILL_PATIENCE_MS, gone, abortSignal);
    }
    if (!isGone) return { pid, outcome: 'timeout' };
    return { pid, outcome: killed ? 'killed' : 'exited', ...how };
  } finally {
    target.close();
  }
}

function describeExit(code: number, signum: number): Pick<Termination, 'exitCode' | 'signal'> {
  if (signum > 0) return { signal: signalName(signum) };
  return code >= 0 ? { exitCode: code } : {};
}

const NOT_RUNNING: Termination = Object.freeze({ pid: null, outcome: 'not-running' });

/** `null` when the daemon does not run. Unlike `ping()`, a file that another process has locked is
 * an error: some daemon does run, and the caller must not believe that it has been ended. */
function find(path: string, options: IdentifyOptions): Target | null {
  try {
    return identify(path, options);
  } catch (error) {
    if (error instanceof SignalError && error.code === 'ESRCH') return null;
    if (error instanceof PidFileError) {
      if (['ENOENT', 'ERR_PID_FILE_STALE'].includes(error.code) || isLeftEmpty(error)) return null;
    }
    throw error;
  }
}

/** False when there is no such process any more. */
function signal(target: Target, signum: number): boolean {
  try {
    target.signal(signum);
    return true;
  } catch (error) {
    if (error instanceof SignalError && error.code === 'ESRCH') return false;
    throw error;
  }
}
