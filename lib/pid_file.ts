/// <reference lib="esnext.disposable" preserve="true" />
import { uptime } from 'node:os';
import { resolve } from 'node:path';
import { toPath } from './arguments';
import { PidFileError, explainSystemError, illegalConstructor, systemErrorCode } from './errors';
import { holdsLock, startedBefore } from './identity';
import {
  Holds,
  LockState,
  isFailure,
  type Failure,
  type FileReport,
  type ProcessDescription,
} from './native';
import { invalid, parsePidFile } from './pid_file_content';
import { registry } from './registry';

// Claims are counted for the whole process, so every copy of the package asks the same addon.
const { native } = registry;

/** `pkill -L -F` takes a lock for an instant to see whether it can. */
const LOCK_ATTEMPTS = 10;
const LOCK_PAUSE_MS = 5;

const ACQUIRED = Symbol('acquired');

/**
 * A file that says which process the daemon is, held so that no second one can take it.
 *
 * The lock is the kernel's (Linux and macOS: fcntl(2) F_OFD_SETLK; Windows: LockFileEx) and ends
 * with the process, however it ends. Where the file system has no locks the file is used without.
 *
 * @example
 * ```js
 * const { PidFile } = require('daemoniker');
 * const pidFile = PidFile.acquire('my.pid');
 * // only one process gets here
 * pidFile.release();
 * ```
 */
export class PidFile {
  /** The absolute path. */
  readonly path: string;
  #claim: Claim | null;

  private constructor(path: string, claim: Claim, token: symbol) {
    // Private to TypeScript alone; and who holds one of these must be able to rely on it.
    if (token !== ACQUIRED) throw illegalConstructor('Use PidFile.acquire(path)');
    this.path = path;
    this.#claim = claim;
  }

  /**
   * Claims the file for this process: creates it (mode 0644 less the umask, no symbolic link is
   * followed), or takes over one that is empty, stale, or names this process already. Several
   * claims of one process are one, counted.
   *
   * @param path - A path or `file:` URL; made absolute at once.
   * @returns the claim; keep it until `release()`
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @throws PidFileError `ERR_PID_FILE_LOCKED` when another live daemon has it,
   *   `ERR_PID_FILE_INVALID` when it holds anything but a process ID, or a system error's code
   *   (`EACCES`, `ENOENT` for its directory, `ELOOP`, `ENOSPC`, `EROFS`). Nothing is changed
   *   then; on a full disk a stale file may be left empty.
   */
  static acquire(path: string | URL): PidFile {
    const absolute = resolve(toPath('path', path));
    const prepared = prepareClaim(absolute);
    prepared.publish();
    return new PidFile(absolute, prepared, ACQUIRED);
  }

  /**
   * Lets go of the file, and deletes it if `acquire()` created or replaced it and the path still
   * names it. Never throws; a second call does nothing.
   */
  release(): void {
    this.#claim?.release();
    this.#claim = null;
  }

  /** As `release()`, for `using`. */
  [Symbol.dispose](): void {
    this.release();
  }
}

/** A file that is locked, or known to be ours; not yet written. */
export interface Claim {
  /** Writes the PID. On failure the claim is gone and the error is thrown. */
  publish(): void;
  release(): void;
}

/**
 * The first half of `PidFile.acquire()`. It is separate so that `start()` can put the handlers in
 * place before anybody can read whom to signal.
 */
export function prepareClaim(path: string): Claim {
  for (let attempt = 1; ; attempt++) {
    const opened = native.openClaim(path);
    if (isFailure(opened)) return claimWithoutWriting(path, opened.error, opened.syscall);
    const { claim, created, shared } = opened;
    if (shared)
      return { publish: () => undefined, release: () => native.releaseClaim(claim, false) };
    try {
      const lock = native.lockClaim(claim);
      if (native.isClaimCurrent(claim)) {
        if (lock !== LockState.Held) return takeOver(path, claim, created);
        const isAnothers = attempt >= LOCK_ATTEMPTS && isHeldByAnother(path);
        if (isAnothers || attempt >= LOCK_ATTEMPTS * 10) {
          throw locked(path, holderOfClaim(path, claim));
        }
      } else if (attempt >= LOCK_ATTEMPTS * 10) {
        throw locked(path, null); // others create and delete it all the time
      }
      native.releaseClaim(claim, false);
      if (lock === LockState.Held) pause(LOCK_PAUSE_MS);
    } catch (error) {
      // Even one that was just created: somebody else has locked it or written to it since.
      native.releaseClaim(claim, false);
      throw error;
    }
  }
}

function takeOver(path: string, claim: number, created: boolean): Claim {
  const report = native.reportClaim(claim);
  if (isFailure(report)) throw unwritable(path, report.error, report.syscall);
  const daemon = runningDaemon(path, report);
  const found = daemon?.pid === process.pid;
  if (daemon !== null && !found) throw locked(path, daemon.pid);
  let published = false;
  const release = (): void => {
    native.releaseClaim(claim, created && !published);
  };
  return {
    publish() {
      const error = found ? 0 : native.writeClaim(claim, `${process.pid}\n`);
      if (error !== 0) {
        release();
        throw unwritable(path, error, 'write');
      }
      native.confirmClaim(claim, !found);
      published = true;
    },
    release,
  };
}

/** A file that this process may not write is still good if it names this process. */
function claimWithoutWriting(path: string, errno: number, syscall: string): Claim {
  const report = native.examinePath(path);
  // What a symbolic link leads to is none of our business.
  if (!isFailure(report) && report.linkUid === -1) {
    const daemon =
      report.lock === LockState.Held
        ? { pid: holderOf(path, report) }
        : runningDaemon(path, report);
    if (daemon?.pid === process.pid) return { publish: () => undefined, release: () => undefined };
    if (daemon !== null) throw locked(path, daemon.pid);
  }
  throw unwritable(path, errno, syscall);
}

function runningDaemon(path: string, report: FileReport): { readonly pid: number } | null {
  const pid = parsePidFile(path, report);
  return pid !== null && isRunning(path, pid, report) ? { pid } : null;
}

/** Nobody holds the file, but a daemon that takes no lock may have written it. */
function isRunning(path: string, pid: number, report: FileReport): boolean {
  const process = describeByHandle(pid);
  if (!isFailure(process)) return !process.zombie && startedBefore(process.startedAt, report);
  if (systemErrorCode(process.error) === 'ESRCH' || isOlderThanBoot(report)) return false;
  // We may not look at it, or cannot: that says nothing about it.
  throw undecided(path, pid, process.error, process.syscall);
}

/** And not by another thread of this process, which is about to share it or to let it go. */
function isHeldByAnother(path: string): boolean {
  const isOurs = (report: FileReport): boolean =>
    holdsLock(path, report, process.pid) === Holds.Yes;
  const before = native.examinePath(path);
  if (isFailure(before) || isOurs(before)) return false;
  const after = native.examinePath(path);
  return !isFailure(after) && after.lock === LockState.Held && !isOurs(after);
}

function holderOfClaim(path: string, claim: number): number | null {
  const report = native.reportClaim(claim);
  return isFailure(report) ? null : holderOf(path, report);
}

/** The PID in a file that somebody holds, if it is not known to be another's. */
function holderOf(path: string, report: FileReport): number | null {
  let pid: number | null;
  try {
    pid = parsePidFile(path, report);
  } catch {
    return null;
  }
  // The winner of a race holds the lock before its PID stands in the file.
  if (pid === null || holdsLock(path, report, pid) === Holds.No) return null;
  return pid;
}

function locked(path: string, pid: number | null): PidFileError {
  const holder = pid === null ? 'another process' : `process ${pid}`;
  return new PidFileError(
    `'${path}' is held by ${holder}: the daemon runs already`,
    'ERR_PID_FILE_LOCKED',
    path,
    { pid },
  );
}

function unwritable(path: string, errno: number, syscall: string): PidFileError {
  const code = systemErrorCode(errno);
  if (code === 'EISDIR') return invalid(path, 'it is a directory');
  return new PidFileError(
    `Cannot write PID file '${path}': ${explainSystemError(errno)}`,
    code,
    path,
    { errno, syscall },
  );
}

/** With a handle, a process that /proc hides from us (proc(5), hidepid) is not taken for gone. */
function describeByHandle(pid: number): ProcessDescription | Failure {
  const opened = native.openProcess(pid);
  if (isFailure(opened)) return opened;
  const description = native.describeProcess(pid, opened.handle);
  native.closeProcess(opened.handle);
  return description;
}

/** Whatever process wrote it is gone. */
function isOlderThanBoot(report: FileReport): boolean {
  return !startedBefore(Date.now() - uptime() * 1000, report);
}

function undecided(path: string, pid: number, errno: number, syscall: string): PidFileError {
  return new PidFileError(
    `Cannot tell whether process ${pid} of PID file '${path}' runs: ${explainSystemError(errno)}. ` +
      'The file was left as it is',
    systemErrorCode(errno),
    path,
    { pid, errno, syscall },
  );
}

function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
