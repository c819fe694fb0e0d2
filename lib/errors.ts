import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { getSystemErrorName, inspect } from 'node:util';

/**
 * The base class of all errors of this package, except for wrong arguments and calls. Those are a
 * `TypeError` (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_INVALID_THIS`) or a `RangeError`
 * (`ERR_OUT_OF_RANGE`), which any function may throw. docs/troubleshooting.md explains every code.
 *
 * @example
 * ```js
 * // stop.mjs
 * import { DaemonikerException, send } from 'daemoniker';
 *
 * try {
 *   send('my.pid', 'SIGTERM');
 * } catch (error) {
 *   if (!(error instanceof DaemonikerException)) throw error;
 *   console.error(error.message);
 * }
 * ```
 */
export class DaemonikerException extends Error {
  static {
    nameAfterClass(this);
  }
}

/** Gives the instances of an error class its name, as the built-in error classes do. */
export function nameAfterClass(errorClass: { name: string; prototype: Error }): void {
  Object.defineProperty(errorClass.prototype, 'name', {
    value: errorClass.name,
    configurable: true,
    writable: true,
  });
}

/** What a failed system call adds to an error, as in Node's own system errors. */
export interface SystemErrorDetails {
  /** The system error's number, negative, as in `util.getSystemErrorName()`. */
  readonly errno?: number;
  /** The system call that failed. */
  readonly syscall?: string;
}

/** The `code` of a {@link SignalError}. */
export type SignalErrorCode =
  | 'ERR_HANDLER_RUNNING'
  | 'ERR_HANDLER_STOPPED'
  | 'ERR_NOT_MAIN_THREAD'
  | 'ERR_SHUTDOWN_OVER'
  | 'ERR_UNKNOWN_SIGNAL'
  | 'EACCES'
  | 'EAGAIN'
  | 'EMFILE'
  | 'ENFILE'
  | 'ENOSYS'
  | 'EPERM'
  | 'EPROTO'
  | 'ESRCH'
  | 'ETIMEDOUT'
  // Any other of the system, without taking those above out of the completion.
  | (string & Record<never, never>);

/** The `code` of a {@link PidFileError}. */
export type PidFileErrorCode =
  | 'ERR_PID_FILE_FOREIGN'
  | 'ERR_PID_FILE_INSECURE'
  | 'ERR_PID_FILE_INVALID'
  | 'ERR_PID_FILE_LOCKED'
  | 'ERR_PID_FILE_STALE'
  | 'ERR_PID_FILE_UNVERIFIED'
  | 'EACCES'
  | 'ELOOP'
  | 'ENAMETOOLONG'
  | 'ENOENT'
  | 'ENOSPC'
  | 'ENOTDIR'
  | 'EROFS'
  // Any other of the system, without taking those above out of the completion.
  | (string & Record<never, never>);

export interface SignalErrorDetails extends SystemErrorDetails {
  readonly path?: string;
  readonly pid?: number;
}

/**
 * Signal handling or sending failed. `code` says why:
 *
 * - `ERR_HANDLER_RUNNING`: the handler is already running, or another Node.js environment of this process
 *   (in an embedder) handles its signals.
 * - `ERR_HANDLER_STOPPED`: `stop()` was called while `start({ wait })` was waiting.
 * - `ERR_NOT_MAIN_THREAD`: `start()`, `shutDown()` or `exitWithin()` was called in a worker thread.
 * - `ERR_SHUTDOWN_OVER`: `onShutdown()` was called after the last hook had run.
 * - `ERR_UNKNOWN_SIGNAL`: this platform has no such signal.
 * - A system error's code, with `errno` and `syscall`: `ESRCH` (no such process), `EPERM` (not permitted),
 *   `EACCES` (/proc hides the process, or is not mounted), `EAGAIN` (no thread left), `EMFILE` or `ENFILE` (no
 *   descriptor left).
 * - On Windows also `EPROTO` (what answers on its pipe is not a daemoniker handler), `ETIMEDOUT` (no answer
 *   within two seconds) and `ENOSYS` (no handler, and Windows itself can only terminate a process).
 *
 * @example
 * ```js
 * // stop.mjs
 * import { SignalError, send } from 'daemoniker';
 *
 * try {
 *   send('my.pid', 'SIGTERM');
 * } catch (error) {
 *   if (!(error instanceof SignalError && error.code === 'ESRCH')) throw error;
 *   console.log(`process ${error.pid} is already gone`);
 * }
 * ```
 */
export class SignalError extends DaemonikerException {
  static {
    nameAfterClass(this);
  }

  /** Why, for programs. */
  declare readonly code: SignalErrorCode;
  /** The system error's number, negative, as in `util.getSystemErrorName()`. */
  declare readonly errno?: number;
  /** The system call that failed. */
  declare readonly syscall?: string;
  /** The PID file, if one was given. */
  declare readonly path?: string;
  /** The process that was to be signalled. */
  declare readonly pid?: number;

  /** @hidden */
  constructor(message: string, code: string, details: SignalErrorDetails = {}) {
    super(message);
    Object.assign(this, { code }, details);
  }
}

/**
 * The supervisor could not be notified; see {@link notify} for the codes.
 *
 * @example
 * ```js
 * // service.mjs
 * import { NotifyError, notify } from 'daemoniker';
 *
 * try {
 *   notify('READY=1');
 * } catch (error) {
 *   if (!(error instanceof NotifyError)) throw error;
 *   console.error(error.message); // continues; systemd will report that the start timed out
 * }
 * ```
 */
export class NotifyError extends DaemonikerException {
  static {
    nameAfterClass(this);
  }

  /** Why, for programs. */
  declare readonly code: string;
  /** The system error's number, negative, as in `util.getSystemErrorName()`. */
  declare readonly errno?: number;
  /** The system call that failed. */
  declare readonly syscall?: string;

  /** @hidden */
  constructor(message: string, code: string, details: SystemErrorDetails = {}) {
    super(message);
    Object.assign(this, { code }, details);
  }
}

export interface LaunchErrorDetails extends SystemErrorDetails {
  readonly path: string;
  readonly exitCode?: number;
  readonly signal?: NodeJS.Signals;
  readonly stderr?: string;
  readonly pids?: readonly number[];
  readonly cause?: unknown;
}

/** The `code` of a {@link LaunchError}. */
export type LaunchErrorCode =
  | 'ERR_LAUNCH_ENDED'
  | 'ERR_LAUNCH_NOT_ENDED'
  | 'ERR_LAUNCH_TIMEOUT'
  | 'EACCES'
  | 'ELOOP'
  | 'ENOENT'
  | 'ENOTDIR'
  // Any other of the system, without taking those above out of the completion.
  | (string & Record<never, never>);

/**
 * A daemon was not started. Except for `ERR_LAUNCH_NOT_ENDED`, nothing of it is left running. `code` says why:
 *
 * - `ERR_LAUNCH_ENDED`: it exited before it held its PID file.
 * - `ERR_LAUNCH_TIMEOUT`: it did not hold the PID file in time, and was terminated.
 * - `ERR_LAUNCH_NOT_ENDED`: some of its processes (`pids`) could not be terminated, for example because they belong
 *   to another user; `cause` is why they had to be.
 * - A system error's code (`ENOENT`, `EACCES`, `ELOOP`, `ENOTDIR`), with `errno` and `syscall`: the command, the
 *   working directory or the log file cannot be used.
 *
 * @example
 * ```js
 * // launch.mjs
 * import { LaunchError, launch } from 'daemoniker';
 *
 * try {
 *   await launch('my.pid', process.execPath, ['daemon.mjs']);
 * } catch (error) {
 *   if (!(error instanceof LaunchError)) throw error;
 *   console.error(error.code, error.exitCode, error.stderr);
 * }
 * ```
 */
export class LaunchError extends DaemonikerException {
  static {
    nameAfterClass(this);
  }

  /** Why, for programs. */
  declare readonly code: LaunchErrorCode;
  /** The system error's number, negative, as in `util.getSystemErrorName()`. */
  declare readonly errno?: number;
  /** The system call that failed. */
  declare readonly syscall?: string;
  /** The PID file, or what cannot be used: the command, the directory, the log file. */
  declare readonly path: string;
  /** Its exit code, if it exited. */
  declare readonly exitCode?: number;
  /** The signal that terminated it. */
  declare readonly signal?: NodeJS.Signals;
  /**
   * The last lines of its stderr, at most 20 and 4096 bytes, if it was kept; with those of stdout if both go to one
   * file. Control characters are escaped in `message` only.
   */
  declare readonly stderr?: string;
  /** The processes that are still running. */
  declare readonly pids?: readonly number[];

  /** @hidden */
  constructor(message: string, code: string, details: LaunchErrorDetails) {
    super(message);
    Object.assign(this, { code }, details);
  }
}

export interface PidFileErrorDetails extends SystemErrorDetails {
  readonly pid?: number | null;
}

/**
 * Something is wrong with a PID file. `code` says what:
 *
 * - `ERR_PID_FILE_INVALID`: it is not a file that holds exactly one process ID.
 * - `ERR_PID_FILE_LOCKED`: another live daemon holds it; `pid` is `null` until that has written its PID. Also,
 *   with `pid` `null`, if another program's lock prevents writing a stale file that cannot be replaced either.
 * - `ERR_PID_FILE_FOREIGN`: it is locked, but not by the process that it names.
 * - `ERR_PID_FILE_STALE`: the process that it names is not the daemon: the daemon's lock is gone, or, in another
 *   program's file, the process started after the file was written.
 * - `ERR_PID_FILE_UNVERIFIED`: another program wrote it, no process holds it, and the process that it names is
 *   hardly ever the daemon: PID 1 (except inside its own container), a kernel thread, or an ancestor of this
 *   process; on Windows, a process that the system cannot run without.
 * - `ERR_PID_FILE_INSECURE` (not on Windows): root was asked to trust a file that other users may write.
 * - A system error's code (`ENOENT`, `EACCES`, `ELOOP`, `EMFILE`, `ENOSPC`), with `errno` and `syscall`.
 *
 * @example
 * ```js
 * // daemon.mjs
 * import { PidFileError, SignalHandler1 } from 'daemoniker';
 *
 * try {
 *   new SignalHandler1('my.pid').start().ref();
 * } catch (error) {
 *   if (!(error instanceof PidFileError && error.code === 'ERR_PID_FILE_LOCKED')) throw error;
 *   console.error(`already running as process ${error.pid}`);
 *   process.exitCode = 1;
 * }
 * ```
 */
export class PidFileError extends DaemonikerException {
  static {
    nameAfterClass(this);
  }

  /** What, for programs. */
  declare readonly code: PidFileErrorCode;
  /** The system error's number, negative, as in `util.getSystemErrorName()`. */
  declare readonly errno?: number;
  /** The system call that failed. */
  declare readonly syscall?: string;
  /** The path of the PID file. */
  declare readonly path: string;
  /** The process that the file names or that holds it, if the error is about one. */
  declare readonly pid?: number | null;

  /** @hidden */
  constructor(message: string, code: string, path: string, details: PidFileErrorDetails = {}) {
    super(message);
    Object.assign(this, { code, path }, details);
  }
}

/** `ENOENT` for -2. */
export function systemErrorCode(errno: number): string {
  return getSystemErrorName(errno);
}

const EXPLANATIONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EAGAIN: 'the limit on threads or processes has been reached',
  EBUSY: 'another process has it open and does not share it',
  ENAMETOOLONG: 'the path or a part of it is longer than the system allows',
  ELOOP: 'it is a symbolic link that is not followed, or that leads back to itself',
  EMFILE: 'this process has too many open files',
  ENFILE: 'the system has too many open files',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on the device',
  ENOTDIR: 'a part of the path is not a directory',
  ENOSYS:
    'it has no handler for this signal, and all that Windows itself can do is terminate a process',
  EPERM: 'operation not permitted',
  EPROTO: 'what answers on its pipe is not its signal handler',
  EROFS: 'the file system is read-only',
  ESRCH: 'no such process',
  ETIMEDOUT: 'its signal handler does not answer',
};

/** "ENOENT: no such file or directory" for -2. `special` goes before what a code usually means. */
export function explainSystemError(
  errno: number,
  special: Readonly<Record<string, string>> = {},
): string {
  const code = systemErrorCode(errno);
  const explanation = special[code] ?? EXPLANATIONS[code];
  return explanation === undefined ? code : `${code}: ${explanation}`;
}

/** For `special` above, about a file that was to be created: which directory does not exist. */
export function missingDirectory(path: string): Readonly<Record<string, string>> {
  const directory = dirname(resolve(path));
  return existsSync(directory)
    ? {}
    : { ENOENT: `its directory '${printable(directory)}' does not exist` };
}

/** A `TypeError` with Node's code, saying what an argument must be and what it was. */
export function invalidArgType(name: string, expected: string, actual: unknown): TypeError {
  return withCode(
    new TypeError(`The "${name}" argument must be ${expected}. Received ${describe(actual)}`),
    'ERR_INVALID_ARG_TYPE',
  );
}

export function invalidArgValue(name: string, problem: string, actual: unknown): TypeError {
  return withCode(
    new TypeError(`The argument "${name}" ${sentence(problem)} Received ${describe(actual)}`),
    'ERR_INVALID_ARG_VALUE',
  );
}

/** With its full stop; one that ends in "did you mean …?" has its mark. */
export function sentence(text: string): string {
  return text.endsWith('?') ? text : `${text}.`;
}

export function outOfRange(name: string, expected: string, actual: unknown): RangeError {
  return withCode(
    new RangeError(
      `The value of "${name}" is out of range. It must be ${expected}. Received ${describe(actual)}`,
    ),
    'ERR_OUT_OF_RANGE',
  );
}

/**
 * For a method or accessor used without its object. `type`: the class that it must be of. `member`: how it is
 * used, as `handler.stop()`.
 */
export function invalidThis(
  type: { readonly name: string; readonly prototype: object },
  member: string,
  actual: unknown,
): TypeError {
  const callback = member.endsWith('()') ? `, or () => ${member} as a callback` : '';
  let received = describe(actual);
  if (inherits(actual, type.prototype)) {
    received = `an object that inherits from ${type.name} but was not made by its constructor`;
  } else if (received === `an instance of ${type.name}`) {
    received += ' of another copy of this package';
  }
  return withCode(
    new TypeError(
      `Value of "this" must be an instance of ${type.name}. Use ${member}${callback}. ` +
        `Received ${received}`,
    ),
    'ERR_INVALID_THIS',
  );
}

/** Or is that prototype. */
function inherits(value: unknown, prototype: object): boolean {
  return value === prototype || Object.prototype.isPrototypeOf.call(prototype, value as object);
}

/** As Node's own classes that are not made with `new`. */
export function illegalConstructor(advice: string): TypeError {
  return withCode(new TypeError(`Illegal constructor. ${advice}`), 'ERR_ILLEGAL_CONSTRUCTOR');
}

function withCode<E extends Error>(error: E, code: string): E & { code: string } {
  return Object.assign(error, { code });
}

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * In one line, and nothing that a terminal would obey: names of files and of programs, and what a file
 * holds, may be anything.
 */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- those are what it is about
  return text.replace(/[\u0000-\u001F\u007F-\u009F\u2028\u2029]/g, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return NAMED[character] ?? `\\u${code.padStart(4, '0')}`;
  });
}

/** In quotes, with every control character escaped, also those that JSON leaves as they are. */
export function quote(text: string): string {
  return JSON.stringify(text).replace(
    /[\x7f-\x9f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
}

/** A short description of any value for an error message. */
export function describe(value: unknown): string {
  if (typeof value === 'string') {
    return `type string (${quote(value.length > 40 ? `${value.slice(0, 40)}…` : value)})`;
  }
  if (typeof value === 'function') return `function ${value.name}`.trimEnd();
  if (typeof value === 'object' && value !== null) {
    const name = (value as { constructor?: { name?: unknown } }).constructor?.name;
    return typeof name === 'string' && name !== '' ? `an instance of ${name}` : 'an object';
  }
  if (value === null || value === undefined) return String(value);
  return `type ${typeof value} (${inspect(value)})`;
}
