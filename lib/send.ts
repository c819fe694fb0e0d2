import { toBoolean, toOptions, toPath } from './arguments';
import { PidFileError, SignalError } from './errors';
import { identify } from './identity';
import { toSignum, type SignalLike } from './signals';
import { toTarget, type SignalTarget } from './target';

/** Options of {@link send}, for PID files. With a process ID or a child there is nothing to verify. */
export interface SendOptions {
  /**
   * Make sure that the process is the one that the file means. `false` signals whatever process has
   * that number now, also PID 1, a process of the kernel or an ancestor of this one.
   * @defaultValue true
   */
  verify?: boolean | undefined;
  /**
   * Trust, as root, a file that anybody may write or that belongs to a third user. For file systems
   * that show mode 0777 for everything.
   * @defaultValue false
   */
  insecure?: boolean | undefined;
}

/**
 * Sends a signal to the process that a PID file names, and to no other; or to a child of this process, or to
 * the process with a number.
 *
 * Linux signals through a pidfd that was opened before the process was checked. macOS, and Linux
 * where pidfd_open(2) is refused, check, signal and check again, which leaves a window of
 * microseconds. On Windows the signal goes to the handler that runs in the process; only where there
 * is none does SIGINT, SIGTERM, SIGABRT or SIGKILL end the process, with the signal's number as exit
 * code.
 *
 * A child that has ended is never mistaken for another process that has since been given its number, also
 * before its `'exit'` event. A bare process ID means whichever process has it at that moment.
 *
 * @param target - The path or `file:` URL of a PID file, a process ID, or a `ChildProcess`. A string is
 *   always a path.
 * @param signal - A class, an instance, a number, a name, or 0 to check only.
 * @param options - Which checks of the PID file to leave out.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
 * @throws RangeError `ERR_OUT_OF_RANGE` for a number that is no process ID: 0 and negative ones included.
 * @throws SignalError `ERR_UNKNOWN_SIGNAL` before the target is looked at; `ESRCH` when the process is
 *   gone or a zombie, or a child was never started; `EPERM` when it may not be signalled; on Windows also
 *   `EPROTO`, `ETIMEDOUT` and `ENOSYS`.
 * @throws PidFileError `ERR_PID_FILE_INVALID`, `ERR_PID_FILE_STALE`, `ERR_PID_FILE_FOREIGN`,
 *   `ERR_PID_FILE_UNVERIFIED`, `ERR_PID_FILE_INSECURE`, or a system error's code such as `ENOENT`.
 *
 * @example
 * ```js
 * const { send, SIGTERM } = require('daemoniker');
 * send('/run/my-daemon.pid', SIGTERM);
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
 * Whether the daemon of a PID file runs, also when it may not be signalled. `false` when there is
 * no such file, when it is empty, or when its process is gone, a zombie or another one; also when
 * nothing shows that it is not another one (`ERR_PID_FILE_UNVERIFIED`).
 *
 * @param pidFile - A path or `file:` URL.
 * @returns whether it runs
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
 * @throws PidFileError `ERR_PID_FILE_INVALID` for a file that is no PID file, or a system error's
 *   code (`EACCES`) for one that cannot be read, or that is locked by a process that may not be looked at and
 *   has a time before the start of the process that it names.
 *
 * @example
 * ```js
 * const { ping } = require('daemoniker');
 * console.log(ping('/run/my-daemon.pid') ? 'running' : 'stopped');
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
