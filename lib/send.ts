import { toBoolean, toOptions, toPath } from './arguments';
import { PidFileError, SignalError } from './errors';
import { identify } from './identity';
import { toSignum, type SignalLike } from './signals';
import { toTarget, type SignalTarget } from './target';

/** Options of {@link send} for PID files; a process ID or a child needs no verification. */
export interface SendOptions {
  /**
   * Make sure that the process is the one that the file means. `false` signals whichever process has
   * that number now, even PID 1, a kernel thread or an ancestor of this process.
   * @defaultValue true
   */
  verify?: boolean | undefined;
  /**
   * Trust, as root, a file that anyone may write or that belongs to a third user; for file systems
   * that show mode 0777 for everything.
   * @defaultValue false
   */
  insecure?: boolean | undefined;
}

/**
 * Sends a signal to the process that a PID file names, and to no other; or to a child process, or to a
 * process by its ID.
 *
 * Linux signals through a pidfd that was opened before the process was checked. macOS, and Linux
 * without pidfd_open(2), check, signal and check again, which leaves a window of microseconds. On
 * Windows the signal goes to the process's handler; if it has none, SIGINT, SIGTERM, SIGABRT and SIGKILL
 * terminate it, with the signal's number as exit code.
 *
 * A child that has exited is never mistaken for a process that has since got its ID, even before its
 * `'exit'` event. A bare process ID means whichever process has it at that moment.
 *
 * @param target - The path or `file:` URL of a PID file, a process ID, or a `ChildProcess`. A string is
 *   always a path.
 * @param signal - A class, an instance, a number, a name, or 0 to check only.
 * @param options - Which checks of the PID file to skip.
 * @throws RangeError `ERR_OUT_OF_RANGE` for a number that is not a process ID, such as 0 or a negative one.
 * @throws SignalError `ERR_UNKNOWN_SIGNAL`, before the target is examined; `ESRCH` for a process that is
 *   gone or a zombie, or a child that never started; `EPERM`; on Windows also `EPROTO`, `ETIMEDOUT` and
 *   `ENOSYS`.
 * @throws PidFileError `ERR_PID_FILE_INVALID`, `ERR_PID_FILE_STALE`, `ERR_PID_FILE_FOREIGN`,
 *   `ERR_PID_FILE_UNVERIFIED`, `ERR_PID_FILE_INSECURE`, or a system error's code such as `ENOENT`.
 *
 * @example
 * ```js
 * // stop.mjs
 * import { SIGTERM, send } from 'daemoniker';
 *
 * send('my.pid', SIGTERM);
 * ```
 */
export function send(target: SignalTarget, signal: SignalLike, options?: SendOptions): void {
  const whom = toTarget(target);
  const { verify, insecure } = toOptions<SendOptions>(options, ['verify', 'insecure']);
  const identification = {
    verify: toBoolean('options.verify', verify, true),
    insecure: toBoolean('options.insecure', insecure, false),
  };
  const signum = toSignum(signal);
  const found = whom.open(identification);
  try {
    found.signal(signum);
  } finally {
    found.close();
  }
}

/**
 * Whether the daemon of a PID file is running, even if it may not be signalled. `false` if the file is
 * missing or empty, or its process is gone, a zombie, not the daemon, or unverified
 * (`ERR_PID_FILE_UNVERIFIED`).
 *
 * @param pidFile - A path or `file:` URL.
 * @throws PidFileError `ERR_PID_FILE_INVALID`, or a system error's code (`EACCES`) if the file cannot be read, or is
 *   locked and older than a process that may not be examined.
 * @throws SignalError `EACCES` if /proc hides the process, or is not mounted.
 *
 * @example
 * ```js
 * // status.mjs
 * import { ping } from 'daemoniker';
 *
 * console.log(ping('my.pid') ? 'running' : 'stopped');
 * ```
 */
export function ping(pidFile: string | URL): boolean {
  const path = toPath('pidFile', pidFile);
  try {
    identify(path, { verify: true, insecure: true }).close();
    return true;
  } catch (error) {
    if (meansNotRunning(error)) return false;
    throw error;
  }
}

const NOT_RUNNING: readonly string[] = [
  'ENOENT',
  'ERR_PID_FILE_FOREIGN',
  'ERR_PID_FILE_STALE',
  'ERR_PID_FILE_UNVERIFIED',
];

function meansNotRunning(error: unknown): boolean {
  if (error instanceof SignalError) return error.code === 'ESRCH';
  if (!(error instanceof PidFileError)) return false;
  const isEmpty = error.code === 'ERR_PID_FILE_INVALID' && error.pid === null;
  return isEmpty || NOT_RUNNING.includes(error.code);
}
