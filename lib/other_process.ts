// Another process: found by its number, watched and signalled.
import { readlinkSync } from 'node:fs';
import { PidFileError, SignalError, explainSystemError, systemErrorCode } from './errors';
import {
  isFailure,
  native,
  type ExitWait,
  type OnExit,
  type ProcessDescription,
  type ProcessDetails,
} from './native';

const NO_HANDLE = -1;
const UNKNOWN: ProcessDetails = { command: '', user: '', suspended: false };
const ESRCH = process.platform === 'win32' ? -4040 : -3;

/** A process that is held by a handle where the system has these, so that its number may be reused. Must be closed. */
export class OtherProcess {
  readonly pid: number;
  /** Why it is taken for the daemon of a PID file: it holds the lock, or the times say so; `null` if not verified. */
  knownBy: 'lock' | 'time' | null = null;
  readonly #path: string | undefined;
  readonly #handle: number;
  #living: ProcessDescription | null = null;
  #wait: ExitWait | null = null;

  /** `path` is the PID file that names it. Throws a SignalError, with `ESRCH` when there is no such process. */
  static open(pid: number, path?: string): OtherProcess {
    const opened = native.openProcess(pid);
    if (isFailure(opened)) throw notExamined(pid, path, opened.error, opened.syscall);
    return new OtherProcess(pid, path, opened.handle);
  }

  private constructor(pid: number, path: string | undefined, handle: number) {
    this.pid = pid;
    this.#path = path;
    this.#handle = handle;
  }

  /** Without one, its start time distinguishes it from others with its PID. */
  get hasHandle(): boolean {
    return this.#handle !== NO_HANDLE;
  }

  /** Milliseconds since the epoch; `null` if that was not looked up. */
  get startedAt(): number | null {
    return this.#living?.startedAt ?? null;
  }

  /** The number of its parent, 0 where that is not known; `null` as above. */
  get parent(): number | null {
    return this.#living?.parent ?? null;
  }

  /** Looks it up. Throws a SignalError, with `ESRCH` when it has ended, as a zombie has. */
  describe(): ProcessDescription {
    const found = native.describeProcess(this.pid, this.#handle);
    if (isFailure(found)) throw notExamined(this.pid, this.#path, found.error, found.syscall);
    if (found.zombie) throw notExamined(this.pid, this.#path, ESRCH, 'kill');
    return (this.#living = found);
  }

  /** Nothing is known any more once it has ended. */
  details(): ProcessDetails {
    const details = native.processDetails(this.pid, this.#handle);
    // They are read by the number, which may be another one's by now.
    return this.isGone() ? UNKNOWN : details;
  }

  /** Sends a signal to exactly this process. Throws a SignalError. */
  signal(signum: number): void {
    const error = native.signalProcess(this.pid, this.#handle, signum);
    if (error !== 0) throw this.#fails('signal', error, 'kill');
    if (!this.hasHandle) this.#checkAgain();
  }

  /** Whether it has ended, a zombie included. */
  isGone(): boolean {
    const now = native.describeProcess(this.pid, this.#handle);
    if (isFailure(now)) return now.error === ESRCH;
    if (now.zombie) return true;
    // A handle means exactly this process, whatever the clock says meanwhile.
    return !this.hasHandle && this.#living !== null && now.birth !== this.#living.birth;
  }

  /** Calls back, once, when it has ended. Until `close()` this keeps the event loop alive. */
  whenGone(callback: OnExit): void {
    const birth = this.#living?.birth ?? 0;
    const result = native.waitForExit(this.pid, this.#handle, birth, callback);
    if (isFailure(result)) throw this.#fails('wait for the end of', result.error, result.syscall);
    this.#wait = result;
  }

  close(): void {
    if (this.#wait !== null) native.stopWaiting(this.#wait);
    else if (this.hasHandle) native.closeProcess(this.#handle);
  }

  #fails(toDo: string, errno: number, syscall: string): SignalError {
    const reason = explainSystemError(errno, whose(this.details()));
    return new SignalError(
      `Cannot ${toDo} ${named(this.pid, this.#path)}: ${reason}`,
      systemErrorCode(errno),
      details(this.pid, this.#path, errno, syscall),
    );
  }

  /** The weaker form, without a handle: at least tell when the PID was reused under our hands. */
  #checkAgain(): void {
    if (this.#living === null) return;
    const now = native.describeProcess(this.pid, NO_HANDLE);
    if (isFailure(now) || now.birth === this.#living.birth) return;
    const message =
      `${beginning(named(this.pid, this.#path))} ended while it was being signalled, and its number ` +
      'was given to another process, which may have received the signal';
    if (this.#path === undefined) {
      throw new SignalError(message, 'ESRCH', details(this.pid, undefined, ESRCH, 'kill'));
    }
    throw new PidFileError(message, 'ERR_PID_FILE_STALE', this.#path, { pid: this.pid });
  }
}

/** A child that has ended, or was never started: it has no number that would still be its own. */
export function childGone(pid: number | undefined): SignalError {
  const which = pid === undefined ? 'The child process' : `Child process ${pid}`;
  const problem =
    pid === undefined ? 'it was never started' : 'it has ended, or is not a child of this process';
  return new SignalError(`${which}: ESRCH: no such process; ${problem}`, 'ESRCH', {
    errno: ESRCH,
    syscall: 'kill',
    ...(pid === undefined ? {} : { pid }),
  });
}

function notExamined(
  pid: number,
  path: string | undefined,
  errno: number,
  syscall: string,
): SignalError {
  const code = systemErrorCode(errno);
  const end = path === undefined ? '' : '; the daemon is not running';
  const problem =
    code === 'ESRCH'
      ? `ESRCH: no such process${end}`
      : `it cannot be examined: ${explainUnexamined(pid, errno)}`;
  const message = `${beginning(named(pid, path))}: ${problem}`;
  return new SignalError(message, code, details(pid, path, errno, syscall));
}

/** Why the system says nothing about a process. */
export function explainUnexamined(pid: number, errno: number): string {
  const found = native.processDetails(pid, NO_HANDLE);
  const isHidden = process.platform === 'linux' && found.user === '';
  return explainSystemError(errno, isHidden ? { EACCES: whyNotInProc() } : whose(found));
}

/** Names the users, for explainSystemError(); nothing where that is not the reason, or is not known. */
function whose({ user }: ProcessDetails): Readonly<Record<string, string>> {
  const ours = native.processDetails(process.pid, NO_HANDLE).user;
  if (user === '' || ours === '' || user === ours) return {};
  const users = `the process belongs to ${user}, and this one to ${ours}`;
  return {
    EACCES: `permission denied; ${users}`,
    EPERM: `operation not permitted; ${users}`,
  };
}

/** A process that is alive, and is not there. */
function whyNotInProc(): string {
  let self: string;
  try {
    self = readlinkSync('/proc/self');
  } catch {
    return '/proc is not mounted here; mount it first (mount -t proc proc /proc)';
  }
  return self === String(process.pid)
    ? '/proc does not show it to this user (hidepid); ask as its own user or as root'
    : '/proc belongs to another PID namespace; mount that of this one (mount -t proc proc /proc)';
}

function named(pid: number, path: string | undefined): string {
  return path === undefined ? `process ${pid}` : `process ${pid} of PID file '${path}'`;
}

/** Of a sentence. */
function beginning(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function details(
  pid: number,
  path: string | undefined,
  errno: number,
  syscall: string,
): ConstructorParameters<typeof SignalError>[2] {
  return { errno, syscall, pid, ...(path === undefined ? {} : { path }) };
}
