// Is this process the one that the PID file means?
import { dirname, isAbsolute, resolve } from 'node:path';
import {
  PidFileError,
  explainSystemError,
  printable,
  systemErrorCode,
  type SignalError,
} from './errors';
import {
  Holds,
  LockState,
  Role,
  isFailure,
  native,
  type ExaminedFile,
  type FileReport,
  type ProcessDescription,
} from './native';
import { OtherProcess } from './other_process';
import { empty, isAbandoned, parsePidFile } from './pid_file_content';

/**
 * A process starts, then it writes its PID file. Clocks of files are coarse, and the start time is
 * only known to 10 ms.
 */
const TOLERANCE_MS = 2000;

/** A file may be replaced while it is looked at. */
const ATTEMPTS = 10;

export interface IdentifyOptions {
  /** Compare the process with the file. */
  readonly verify: boolean;
  /** Trust a file that others could have written, even as root. */
  readonly insecure: boolean;
  /** Find out when it started even if its lock says enough about it: to wait for it, or to tell. */
  readonly needsStart?: boolean;
}

/**
 * Finds the process of a PID file. The handle is opened before the process is checked and the
 * signal goes through it, so the PID cannot be reused in between. Throws a PidFileError, or a
 * SignalError with `ESRCH` when the process is gone.
 */
export function identify(path: string, options: IdentifyOptions): OtherProcess {
  for (let attempt = 1; ; attempt++) {
    const found = identifyOnce(path, options, attempt === ATTEMPTS);
    if (found !== null) return found;
  }
}

/** `null`: the file has changed meanwhile, and this is not the last attempt. */
function identifyOnce(
  path: string,
  options: IdentifyOptions,
  isLast: boolean,
): OtherProcess | null {
  const report = native.examinePath(path);
  if (isFailure(report)) throw unreadable(path, report.error, report.syscall);
  const pid = parsePidFile(path, report);
  if (pid === null) throw empty(path);

  const found = OtherProcess.open(pid, path);
  try {
    if (!options.insecure) refuseInsecure(path, report, pid);
    // The holder of a lock needs no further questions: a zombie holds none.
    const holds = options.verify && holdsItsLock(path, report, pid);
    if (holds === null) {
      // It may have ended since the file was looked at, and then nobody holds it any more.
      found.describe();
      if (isLast || !hasChanged(path, report)) throw foreign(path, pid);
      found.close();
      return null;
    }
    const saysEnough = holds && found.hasHandle && options.needsStart !== true;
    const isKnownDead = options.verify && isAbandoned(report, pid, report.lock);
    const living = saysEnough ? null : describeLiving(found, path, isKnownDead);
    if (options.verify && !holds && living !== null) {
      const doubt = whyNot(path, report, report.lock, pid, living.startedAt);
      if (doubt !== null) throw doubt;
    }
    found.knownBy = holds ? 'lock' : options.verify ? 'time' : null;
    return found;
  } catch (error) {
    found.close();
    throw error;
  }
}

/** One that may not be looked at need not be, if its daemon `isKnownDead`. */
function describeLiving(
  found: OtherProcess,
  path: string,
  isKnownDead: boolean,
): ProcessDescription {
  try {
    return found.describe();
  } catch (error) {
    if (!isKnownDead || (error as SignalError).code === 'ESRCH') throw error;
    throw abandoned(path, found.pid);
  }
}

/**
 * Whether the error is about a file that a daemon has left empty, because it might not delete it;
 * not one that a daemon, which holds it, is about to write.
 */
export function isLeftEmpty(error: PidFileError): boolean {
  if (error.code !== 'ERR_PID_FILE_INVALID' || error.pid !== null) return false;
  const report = native.examinePath(error.path);
  return isFailure(report) || report.lock !== LockState.Held;
}

/** By the file's time alone. */
export function startedBefore(startedAt: number, report: FileReport): boolean {
  return startedAt <= report.modifiedAt + TOLERANCE_MS;
}

/** Whether the process is known by its lock; `null` if that is another's. */
function holdsItsLock(path: string, report: ExaminedFile, pid: number): boolean | null {
  if (report.lock !== LockState.Held) return false;
  const holds = holdsLock(path, report, pid);
  // Who may not look at the holder is left with the times.
  return holds === Holds.No ? null : holds === Holds.Yes;
}

/** Whether a process holds the lock that was seen on a file. */
export function holdsLock(path: string, report: FileReport, pid: number): Holds {
  return native.holdsLock(pid, report.device, report.index, path, report.lockDescriptor);
}

function hasChanged(path: string, before: ExaminedFile): boolean {
  const now = native.examinePath(path);
  if (isFailure(now)) return true;
  return (['lock', 'device', 'index', 'content'] as const).some((key) => now[key] !== before[key]);
}

function foreign(path: string, pid: number): PidFileError {
  return new PidFileError(
    `'${path}' names process ${pid}, but another process holds its lock (perhaps a daemon in ` +
      'a container, which has its own process IDs). Nothing was signalled',
    'ERR_PID_FILE_FOREIGN',
    path,
    { pid },
  );
}

const ROLES = {
  [Role.Init]: process.platform === 'win32' ? 'a critical process of Windows' : 'the init process',
  [Role.Kernel]: 'a process of the kernel',
  [Role.Ancestor]: 'an ancestor of this process',
} as const;

/**
 * Why a process that is alive, and is not known by a lock, is not the one that the file means; `null`
 * if it is.
 */
export function whyNot(
  path: string,
  report: FileReport,
  lock: LockState,
  pid: number,
  startedAt: number,
): PidFileError | null {
  if (isAbandoned(report, pid, lock)) return abandoned(path, pid);
  if (!startedBefore(startedAt, report)) {
    // Somebody lives who holds the file, whatever its time says: perhaps this one, which we cannot see.
    if (lock === LockState.Held) return undecided(path, pid);
    return stale(
      path,
      pid,
      `it started at ${time(startedAt)}, but the file was written at ${time(report.modifiedAt)}`,
    );
  }
  if (lock === LockState.Held || pid === process.pid) return null;
  const role = native.roleOf(pid, report.uid);
  if (role === Role.Ordinary) return null;
  return new PidFileError(
    `'${path}' names process ${pid}, ${ROLES[role]}, and no lock shows that it is the daemon: ` +
      'the number may come from a container, or from before a reboot. Nothing was signalled; if ' +
      'you do mean that process, pass { verify: false }',
    'ERR_PID_FILE_UNVERIFIED',
    path,
    { pid },
  );
}

function abandoned(path: string, pid: number): PidFileError {
  const reason = 'the daemon held a lock on the file, which no process holds any more';
  const error = stale(path, pid, reason);
  ABANDONED.add(error);
  return error;
}

const ABANDONED = new WeakSet<PidFileError>();

/** Whether it is `ERR_PID_FILE_STALE` because of the lock, not because of the times. */
export function isLockGone(error: PidFileError): boolean {
  return ABANDONED.has(error);
}

function undecided(path: string, pid: number): PidFileError {
  // Root sees all that the kernel knows.
  const whichOne =
    process.geteuid?.() === 0
      ? 'the system does not tell which one, as on FUSE or without the capability CAP_SYS_PTRACE. ' +
        'Nothing was signalled; if it is not the daemon, delete the file'
      : 'this user may not see which one. Nothing was signalled; ask as root';
  const error = new PidFileError(
    `Cannot tell whether process ${pid} of PID file '${path}' is the daemon: EACCES: a process holds the ` +
      `lock of the file, and ${whichOne}`,
    'EACCES',
    path,
    { pid },
  );
  UNDECIDED.add(error);
  return error;
}

const UNDECIDED = new WeakSet<PidFileError>();

/** Whether it is `EACCES` because a process holds the file, and it is not shown which one. */
export function isHeldUnseen(error: PidFileError): boolean {
  return UNDECIDED.has(error);
}

function stale(path: string, pid: number, reason: string): PidFileError {
  return new PidFileError(
    `'${path}' is stale: it names process ${pid}, which is not the daemon, because ${reason}. ` +
      'Nothing was signalled; the next start() replaces the file',
    'ERR_PID_FILE_STALE',
    path,
    { pid },
  );
}

/** Root may signal any process, so only root and the daemon's own user may choose which. */
function refuseInsecure(path: string, report: FileReport, pid: number): void {
  if (process.geteuid?.() !== 0) return;
  const byAnyone = (report.mode & 0o002) !== 0;
  const isRootsOwn = report.uid === 0 && (report.linkUid === -1 || report.linkUid === 0);
  if (isRootsOwn && !byAnyone) return;
  const owner = native.processOwner(pid);
  const trusted = (uid: number): boolean => uid === 0 || uid === owner;
  if (!byAnyone && trusted(report.uid) && (report.linkUid === -1 || trusted(report.linkUid))) {
    return;
  }
  const mode = report.mode.toString(8).padStart(4, '0');
  const link = report.linkUid === -1 ? '' : `, through a symbolic link of uid ${report.linkUid}`;
  throw new PidFileError(
    `root does not trust '${path}': it belongs to uid ${report.uid} with mode ${mode}${link}, ` +
      `and process ${pid} belongs to uid ${owner < 0 ? 'unknown' : owner}. Whoever may write it ` +
      'could have root signal any process. Nothing was signalled; fix its owner and mode, or ' +
      'pass { insecure: true }',
    'ERR_PID_FILE_INSECURE',
    path,
    { pid },
  );
}

function unreadable(path: string, errno: number, syscall: string): PidFileError {
  return new PidFileError(
    `Cannot read PID file '${path}': ${explainSystemError(errno, relativeTo(path))}`,
    systemErrorCode(errno),
    path,
    { errno, syscall },
  );
}

/** Where a relative path was looked up: seldom where its user thinks, if nothing is there. */
function relativeTo(path: string): Readonly<Record<string, string>> {
  if (isAbsolute(path)) return {};
  try {
    return { ENOENT: `there is no such file in '${printable(dirname(resolve(path)))}'` };
  } catch {
    return {}; // the working directory itself is gone
  }
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
