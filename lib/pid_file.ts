/// <reference lib="esnext.disposable" preserve="true" />
import { uptime } from 'node:os';
import { resolve } from 'node:path';
import { toPath } from './arguments';
import {
  PidFileError,
  explainSystemError,
  illegalConstructor,
  invalidThis,
  missingDirectory,
  systemErrorCode,
} from './errors';
import { holdsLock, startedBefore, whyNot } from './identity';
import {
  FileKind,
  Holds,
  LockState,
  Role,
  isFailure,
  type Failure,
  type FileReport,
  type ProcessDescription,
} from './native';
import { explainUnexamined } from './other_process';
import { MARK, contentFor, invalid, isAbandoned, parsePidFile } from './pid_file_content';
import { registry } from './registry';

// Claims are counted for the whole process, so every copy of the package asks the same addon.
const { native } = registry;

/** `pkill -L -F` takes a lock for an instant to see whether it can. */
const LOCK_ATTEMPTS = 10;
const LOCK_PAUSE_MS = 5;

/** How many may be faster in a row, before it must be something else. */
const MOST_OTHERS = 100;

const ACQUIRED = Symbol('acquired');

/**
 * A file that names the daemon's process, held by a kernel lock so that no second daemon can take it.
 *
 * The lock (Linux and macOS: fcntl(2) F_OFD_SETLK; Windows: LockFileEx) ends with the process, however
 * that ends. On a file system without locks the file is used without one.
 *
 * @example
 * ```js
 * // job.mjs
 * import { PidFile } from 'daemoniker';
 *
 * const pidFile = PidFile.acquire('my.pid');
 * // Only one process at a time gets here.
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
   * Claims the file for this process: creates it (mode 0644 less the umask; symbolic links are not
   * followed), replaces an empty or stale one, or uses one that already names this process. If the
   * directory takes no new file, and on Windows, it is written in place. Claims of one process are
   * counted: the last `release()` releases the file.
   *
   * @param path - A path or `file:` URL; made absolute at once.
   * @returns the claim; keep it until `release()`
   * @throws PidFileError `ERR_PID_FILE_LOCKED`, `ERR_PID_FILE_INVALID`, or a system error's code
   *   (`EACCES`, `EMFILE`, `ENOENT` for its directory, `ELOOP`, `ENOSPC`, `EROFS`). Nothing is changed
   *   then, except that on a full disk a stale file written in place may be left empty.
   */
  static acquire(path: string | URL): PidFile {
    const absolute = resolve(toPath('path', path));
    const prepared = prepareClaim(absolute);
    prepared.publish();
    return new PidFile(absolute, prepared, ACQUIRED);
  }

  /**
   * Releases the file, and deletes it if `acquire()` created or replaced it and the path still names
   * it. A second call does nothing.
   */
  release(): void {
    PidFile.#require(this, 'pidFile.release()');
    this.#claim?.release();
    this.#claim = null;
  }

  /** As `release()`, for `using`. */
  [Symbol.dispose](): void {
    PidFile.#require(this, 'pidFile[Symbol.dispose]()');
    this.release();
  }

  /** Throws when a method is called without its object. */
  static #require(value: unknown, use: string): void {
    const isPidFile = typeof value === 'object' && value !== null && #claim in value;
    if (!isPidFile) throw invalidThis(PidFile, use, value);
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
 * place before the PID can be read.
 *
 * @param attempts - How often to try to lock a file that is locked; the event loop is blocked
 *   meanwhile.
 */
export function prepareClaim(path: string, attempts = LOCK_ATTEMPTS): Claim {
  let prepared = prepareOnce(path, attempts);
  return {
    publish() {
      for (let others = 0; !prepared.publish(); others++) {
        if (others === MOST_OTHERS) throw locked(path, null);
        prepared = prepareOnce(path, attempts);
      }
    },
    release() {
      prepared.release();
    },
  };
}

interface Attempt {
  /** False if another process has taken the file over first; then the claim is gone. */
  publish(): boolean;
  release(): void;
}

function prepareOnce(path: string, attempts: number): Attempt {
  for (let attempt = 1; ; attempt++) {
    const opened = native.openClaim(path);
    if (isFailure(opened)) throw unopened(path, opened);
    const { claim, created, shared, pending } = opened;
    if (pending) throw beingClaimed(path);
    if (shared) return { publish: () => true, release: () => native.releaseClaim(claim, false) };
    const isLast = attempt >= attempts * 10;
    try {
      const lock = native.lockClaim(claim);
      if (!native.isClaimCurrent(claim)) {
        if (isLast) throw locked(path, null); // others create and delete it all the time
      } else if (lock === LockState.Free || lock === LockState.Unsupported) {
        return takeOver(path, claim, lock, created);
      } else if (lock === LockState.Obstructed) {
        if (attempt >= attempts || !opened.writable) {
          // Without the lock it may be another's by now, even if it was created here.
          return takeOver(path, claim, LockState.Free, false);
        }
      } else if (attempt >= attempts) {
        const report = native.reportClaim(claim);
        // Through another addon, that of a copy of the package which a worker has loaded. (On macOS
        // each process that has the file open seems to hold it, and this one has.)
        const isOurs =
          !isFailure(report) &&
          namesThisProcess(report) &&
          holdsLock(path, report, process.pid) === Holds.Yes;
        if (!isOurs) throw locked(path, holderOfClaim(path, claim));
        native.releaseClaim(claim, false);
        return NOTHING_TO_DO;
      }
      native.releaseClaim(claim, false);
      if (lock !== LockState.Free) pause(LOCK_PAUSE_MS);
    } catch (error) {
      // Even one that was just created: another process has locked it or written to it since.
      native.releaseClaim(claim, false);
      throw error;
    }
  }
}

const NOTHING_TO_DO: Attempt = { publish: () => true, release: () => undefined };

/** No other process holds the file: it is locked by this claim, or cannot be locked now. */
function takeOver(path: string, claim: number, lock: LockState, created: boolean): Attempt {
  const report = native.reportClaim(claim);
  if (isFailure(report)) throw unwritable(path, report);
  const daemon = runningDaemon(path, report, lock);
  const found = daemon === process.pid;
  if (daemon !== null && !found) throw locked(path, daemon);
  let published = false;
  const release = (): void => {
    native.releaseClaim(claim, created && !published);
  };
  return {
    publish() {
      const won = found || native.publishClaim(claim, contentFor(process.pid), MARK);
      if (won !== true) release();
      if (won === false) return false;
      if (won !== true) throw won.syscall === 'lock' ? locked(path, null) : unwritable(path, won);
      native.confirmClaim(claim, !found);
      published = true;
      return true;
    },
    release,
  };
}

/** Nobody holds the file, but a daemon that takes no lock may have written it. */
function runningDaemon(path: string, report: FileReport, lock: LockState): number | null {
  const pid = parsePidFile(path, report);
  if (pid === null) return null;
  const process = describeByHandle(pid);
  if (!isFailure(process)) {
    if (process.zombie) return null;
    const doubt = whyNot(path, report, lock, pid, process.startedAt);
    return doubt === null || isParentWithoutLocks(report, lock, pid, doubt) ? pid : null;
  }
  if (isAbandoned(report, pid, lock)) return null;
  if (systemErrorCode(process.error) === 'ESRCH' || isOlderThanBoot(report)) return null;
  // We may not look at it, or cannot: that says nothing about it.
  throw undecided(path, pid, process);
}

/** Where no daemon can show a lock, one that starts a child must not lose its file to that. */
function isParentWithoutLocks(
  report: FileReport,
  lock: LockState,
  pid: number,
  doubt: PidFileError,
): boolean {
  if (lock !== LockState.Unsupported || doubt.code !== 'ERR_PID_FILE_UNVERIFIED') return false;
  return native.roleOf(pid, report.uid) === Role.Ancestor;
}

function namesThisProcess(report: FileReport): boolean {
  return report.content.startsWith(contentFor(process.pid));
}

function holderOfClaim(path: string, claim: number): number | null {
  const report = native.reportClaim(claim);
  return isFailure(report) ? null : holderOf(path, report);
}

/** Whether another process holds the file; its PID is `null` if it is not known. Only asks. */
export function findHolder(path: string): { readonly pid: number | null } | null {
  const report = native.examinePath(path);
  if (isFailure(report) || report.linkUid !== -1 || report.lock !== LockState.Held) return null;
  // A claim of this process is shared. (On macOS, to watch a file is to have it open.)
  if (namesThisProcess(report) && holdsLock(path, report, process.pid) === Holds.Yes) return null;
  return { pid: holderOf(path, report) };
}

/** The PID in a file that is held, unless the holder is known to be, or can only be, another process. */
function holderOf(path: string, report: FileReport): number | null {
  let pid: number | null;
  try {
    pid = parsePidFile(path, report);
  } catch {
    return null;
  }
  // The winner of a race holds the lock before its PID stands in the file.
  if (pid === null) return null;
  const holds = holdsLock(path, report, pid);
  // This process has the file open to ask, which is all that FUSE shows.
  return holds === Holds.Yes || (holds === Holds.Unknown && pid !== process.pid) ? pid : null;
}

export function locked(path: string, pid: number | null): PidFileError {
  const holder = pid === null ? 'another process' : `process ${pid}`;
  return new PidFileError(
    `'${path}' is held by ${holder}: the daemon is already running`,
    'ERR_PID_FILE_LOCKED',
    path,
    { pid },
  );
}

/** Not by another daemon: this process itself is between the two halves of a claim. */
function beingClaimed(path: string): PidFileError {
  return new PidFileError(
    `'${path}' is being claimed by this process: a start() or acquire() has not returned yet`,
    'ERR_PID_FILE_LOCKED',
    path,
    { pid: process.pid },
  );
}

function unopened(path: string, failure: Failure): PidFileError {
  const report = native.examinePath(path);
  // What a symbolic link leads to is none of our business.
  const isLookedAt = !isFailure(report) && report.linkUid === -1;
  if (isLookedAt && report.kind !== FileKind.Regular) parsePidFile(path, report);
  return unwritable(path, failure);
}

function unwritable(path: string, { error: errno, syscall }: Failure): PidFileError {
  const code = systemErrorCode(errno);
  if (code === 'EISDIR') return invalid(path, 'it is a directory');
  return new PidFileError(
    `Cannot write PID file '${path}': ${explainSystemError(errno, missingDirectory(path))}`,
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

function undecided(path: string, pid: number, { error: errno, syscall }: Failure): PidFileError {
  return new PidFileError(
    `Cannot tell whether process ${pid} of PID file '${path}' is running: ${explainUnexamined(pid, errno)}. ` +
      'The file was left as it is',
    systemErrorCode(errno),
    path,
    { pid, errno, syscall },
  );
}

function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
