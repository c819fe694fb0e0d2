// Starting a daemon in the background, and telling whether it has started.
import type { ChildProcess } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, readSync, statSync, watch } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { toOptions, toPath } from './arguments';
import {
  LaunchError,
  PidFileError,
  SignalError,
  explainSystemError,
  invalidArgType,
  invalidArgValue,
} from './errors';
import { identify, isLeftEmpty } from './identity';
import { isFailure, native } from './native';
import { locked } from './pid_file';
import { happensWithin, toAbortSignal, toDuration } from './waiting';

/** Options of {@link launch}. */
export interface LaunchOptions {
  /**
   * Where it is started: a path or `file:` URL.
   * @defaultValue the working directory of this process
   */
  cwd?: string | URL | undefined;
  /**
   * Its environment.
   * @defaultValue `process.env`
   */
  env?: NodeJS.ProcessEnv | undefined;
  /**
   * The file that its standard output is appended to; `null`: nobody keeps it.
   * @defaultValue that of the PID file, with `.log` in place of `.pid`, and no symbolic link
   */
  stdout?: string | URL | null | undefined;
  /**
   * The same for its standard error.
   * @defaultValue the file of `stdout`
   */
  stderr?: string | URL | null | undefined;
  /**
   * Milliseconds, from 0 to 2147483647, that it may take to hold its PID file; `Infinity` for ever.
   * @defaultValue 10_000
   */
  timeout?: number | undefined;
  /** Gives up, and ends what was started. */
  abortSignal?: AbortSignal | undefined;
}

/** What {@link launch} has started. */
export interface Launched {
  /** The process that holds the PID file: the one that was started, or one of its session. */
  readonly pid: number;
}

const OPTIONS = ['cwd', 'env', 'stdout', 'stderr', 'timeout', 'abortSignal'] as const;

const DEFAULT_TIMEOUT_MS = 10_000;
/** Its PID file can be locked without any change of the directory. */
const LOOK_EVERY_MS = 50;
/** For what is ended because it has not started: until SIGKILL, and after it. */
const GRACE_MS = 2000;
const SIGTERM = 15;
const SIGKILL = 9;

/** How much of its stderr is told. */
const TOLD_BYTES = 4096;
const TOLD_LINES = 20;

/**
 * Starts a daemon in the background: in a session of its own (on Windows, without a console window), so that
 * it outlives this process and its terminal. *Started* means that it, or a process of its session, holds the
 * PID file, by `SignalHandler1`, `PidFile` or otherwise. If it does not get there, all of its session has been
 * ended when the promise rejects.
 *
 * It must stay in the foreground: what leaves its session, as daemons that fork themselves do, is lost sight of.
 * On Windows a job object takes the place of the session. It works in worker threads too.
 *
 * @param pidFile - A path or `file:` URL, for this process's working directory. The daemon is not told: it must
 *   use the same file.
 * @param command - A program: a path, or a name that is looked up in `PATH`. No shell is involved.
 * @param args - Its arguments.
 * @param options - Where it is started, where its output goes, and how long it may take.
 * @returns which process holds the PID file
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`; RangeError `ERR_OUT_OF_RANGE`
 * @throws PidFileError `ERR_PID_FILE_LOCKED` when the daemon runs already, or another one was faster;
 *   `ERR_PID_FILE_INVALID` and others as {@link send}, before anything is started
 * @throws LaunchError `ERR_LAUNCH_ENDED` when it ends before it holds the PID file, with `exitCode` or `signal`,
 *   and the last lines of its `stderr`; `ERR_LAUNCH_TIMEOUT`; a system error's code for a command, a directory
 *   or a log file that cannot be used (`ENOENT`, `EACCES`, `ELOOP`), with its `path`; the reason of `abortSignal`
 *
 * @example
 * ```js
 * const { launch } = require('daemoniker');
 * launch('my.pid', process.execPath, ['daemon.js'], { stdout: 'my.log' }).then(
 *   ({ pid }) => console.log(`started as process ${pid}`),
 *   (error) => console.error(error.message),
 * );
 * ```
 */
export async function launch(
  pidFile: string | URL,
  command: string,
  args: readonly string[] = [],
  options?: LaunchOptions,
): Promise<Launched> {
  const path = resolve(toPath('pidFile', pidFile));
  checkCommand(command, args);
  const given = toOptions<LaunchOptions>(options, OPTIONS);
  const timeout =
    given.timeout === undefined ? DEFAULT_TIMEOUT_MS : toDuration('options.timeout', given.timeout);
  const abortSignal = toAbortSignal(given.abortSignal);
  const env = toEnvironment(given.env);
  const cwd = given.cwd === undefined ? undefined : resolve(toPath('options.cwd', given.cwd));
  const logs = toLogs(path, given);
  abortSignal?.throwIfAborted();
  refuseSecond(path);
  if (cwd !== undefined) checkDirectory(cwd);
  const output = Output.open(logs);
  try {
    const started = await Started.start({ path, command, args, cwd, env, output });
    try {
      return { pid: await started.holdsFile(timeout, abortSignal) };
    } catch (error) {
      await started.end();
      throw error;
    } finally {
      started.close();
    }
  } finally {
    output.close();
  }
}

interface Request {
  readonly path: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly output: Output;
}

/** A process that was started, and whatever it starts. */
class Started {
  readonly #request: Request;
  readonly #child: ChildProcess;
  readonly #pid: number;
  /** `null` where there could be none; then it is the process alone. */
  readonly #session: number | null;
  #exit: { readonly code: number | null; readonly signal: NodeJS.Signals | null } | null = null;
  #wake = (): void => undefined;
  readonly #closing: (() => void)[] = [];

  private constructor(request: Request, child: ChildProcess, pid: number) {
    this.#request = request;
    this.#child = child;
    this.#pid = pid;
    const opened = native.openSession(pid);
    this.#session = isFailure(opened) ? null : opened.session;
    child.once('exit', (code, signal) => {
      this.#exit = { code, signal };
      this.#wake();
    });
    child.on('error', () => undefined); // of a signal that could not be sent
    try {
      const watcher = watch(dirname(request.path), () => this.#wake());
      watcher.on('error', () => undefined);
      this.#closing.push(() => watcher.close());
    } catch {
      // There is no such directory yet, or the system has no more watches: it looks all the same.
    }
  }

  static async start(request: Request): Promise<Started> {
    const { command, args, cwd, env, output } = request;
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- import would load it at once
    const { spawn } = require('node:child_process') as typeof import('node:child_process');
    let child: ChildProcess;
    try {
      child = spawn(command, args, {
        cwd,
        env,
        detached: true,
        windowsHide: true,
        stdio: ['ignore', output.stdout, output.stderr],
      });
    } catch (error) {
      throw unstartable(command, error as NodeJS.ErrnoException);
    }
    if (child.pid !== undefined) return new Started(request, child, child.pid);
    const error = await new Promise<NodeJS.ErrnoException>((done) => child.once('error', done));
    throw unstartable(command, error);
  }

  /** Which process holds the file; when one does. */
  async holdsFile(timeout: number, abortSignal: AbortSignal | undefined): Promise<number> {
    const { path } = this.#request;
    const end = performance.now() + timeout;
    for (;;) {
      const change = new Promise<void>((wake) => (this.#wake = wake));
      const hadEnded = this.#exit !== null;
      const pid = findHolder(path);
      if (pid !== null && !this.#contains(pid)) throw locked(path, pid);
      if (pid !== null) return pid;
      // A shell that leaves its child in the background ends well, and is not the daemon.
      const mayGoOn = this.#exit?.code === 0 && this.#count() > 0;
      if (hadEnded && !mayGoOn) throw this.#endedEarly();
      const left = end - performance.now();
      if (left <= 0) throw this.#late(timeout);
      await happensWithin(Math.min(left, LOOK_EVERY_MS), change, abortSignal);
    }
  }

  /** Ends all of it, at the latest by SIGKILL. */
  async end(): Promise<void> {
    for (const signum of [SIGTERM, SIGKILL]) {
      if (this.#count() === 0) return;
      this.#signal(signum);
      const end = performance.now() + GRACE_MS;
      while (this.#count() > 0 && performance.now() < end) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  }

  /** Keeps nothing of it, and does not end it. */
  close(): void {
    for (const close of this.#closing) close();
    if (this.#session !== null) native.closeSession(this.#session);
    this.#child.unref();
  }

  #contains(pid: number): boolean {
    return (
      pid === this.#pid || (this.#session !== null && native.sessionContains(this.#session, pid))
    );
  }

  #count(): number {
    if (this.#session !== null) return native.signalSession(this.#session, 0);
    return this.#exit === null ? 1 : 0;
  }

  #signal(signum: number): void {
    if (this.#session !== null) native.signalSession(this.#session, signum);
    else this.#child.kill(signum);
  }

  #endedEarly(): LaunchError {
    const { code, signal } = this.#exit ?? { code: null, signal: null };
    const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
    return this.#failed(
      `ended ${how} before it held '${this.#request.path}'.`,
      'ERR_LAUNCH_ENDED',
      {
        ...(code === null ? {} : { exitCode: code }),
        ...(signal === null ? {} : { signal }),
      },
    );
  }

  #late(timeout: number): LaunchError {
    return this.#failed(
      `did not hold '${this.#request.path}' within ${timeout / 1000} s, and was ended. Does it use this PID file?`,
      'ERR_LAUNCH_TIMEOUT',
    );
  }

  #failed(problem: string, code: string, details: object = {}): LaunchError {
    const { command, args, path, output } = this.#request;
    const words = [command, ...args].join(' ');
    const shown = words.length > 80 ? `${words.slice(0, 80)}…` : words;
    const stderr = output.lastLines();
    const told =
      stderr === null
        ? 'Its stderr was not kept'
        : stderr === ''
          ? 'It wrote nothing to stderr'
          : `The last lines of its stderr:\n${stderr}`;
    return new LaunchError(`'${shown}' ${problem} ${told}`, code, {
      path,
      ...(stderr === null ? {} : { stderr }),
      ...details,
    });
  }
}

/** Which process the file means; `null` if none runs, or it is not to be told yet. */
function findHolder(path: string): number | null {
  try {
    const target = identify(path, { verify: true, insecure: true });
    target.close();
    return target.pid;
  } catch (error) {
    if (error instanceof PidFileError || error instanceof SignalError) return null;
    throw error;
  }
}

/** Throws unless a daemon may be started. */
function refuseSecond(path: string): void {
  let pid: number;
  try {
    const target = identify(path, { verify: true, insecure: true });
    target.close();
    pid = target.pid;
  } catch (error) {
    if (error instanceof SignalError && error.code === 'ESRCH') return;
    if (error instanceof PidFileError) {
      if (REPLACEABLE.includes(error.code) || isLeftEmpty(error)) return;
      // Somebody holds it: in another container, or it is about to write its number.
      const isHeld = error.code === 'ERR_PID_FILE_FOREIGN' || error.pid === null;
      if (isHeld) throw locked(path, null);
    }
    throw error;
  }
  throw locked(path, pid);
}

/** What start() replaces. */
const REPLACEABLE: readonly string[] = ['ENOENT', 'ERR_PID_FILE_STALE', 'ERR_PID_FILE_UNVERIFIED'];

/** Beside the PID file, so that nothing that a daemon has said is lost. */
export function defaultLog(pidFile: string): string {
  return `${pidFile.replace(/\.pid$/, '')}.log`;
}

/** Where stdout and stderr go. */
interface Logs {
  readonly stdout: string | null;
  readonly stderr: string | null;
  /** Nobody has asked for that file, so nobody may have led it elsewhere. */
  readonly follow: boolean;
}

function toLogs(path: string, { stdout, stderr }: LaunchOptions): Logs {
  const toLog = (name: string, value: string | URL | null): string | null =>
    value === null ? null : resolve(toPath(name, value, ', or null'));
  const first = stdout === undefined ? defaultLog(path) : toLog('options.stdout', stdout);
  return {
    stdout: first,
    stderr: stderr === undefined ? first : toLog('options.stderr', stderr),
    follow: stdout !== undefined,
  };
}

/** The open files. */
class Output {
  readonly #descriptors: readonly number[];
  /** Of the file of stderr, when it was opened. */
  readonly #size: number;

  private constructor(
    readonly stdout: number | 'ignore',
    readonly stderr: number | 'ignore',
  ) {
    const numbers = [stdout, stderr].filter((one) => one !== 'ignore');
    this.#descriptors = [...new Set(numbers)];
    this.#size = stderr === 'ignore' ? 0 : fstatSync(stderr).size;
  }

  static open({ stdout, stderr, follow }: Logs): Output {
    const open = (path: string, followed: boolean): number => {
      const { O_RDWR, O_APPEND, O_CREAT } = constants;
      // Windows has no such flag.
      const O_NOFOLLOW = (constants as Partial<typeof constants>).O_NOFOLLOW ?? 0;
      const flags = O_RDWR | O_APPEND | O_CREAT | (followed ? 0 : O_NOFOLLOW);
      try {
        return openSync(path, flags, 0o666);
      } catch (error) {
        throw unusable('log file', path, error as NodeJS.ErrnoException);
      }
    };
    const first = stdout === null ? 'ignore' : open(stdout, follow);
    if (stderr === stdout) return new Output(first, first);
    try {
      return new Output(first, stderr === null ? 'ignore' : open(stderr, true));
    } catch (error) {
      if (first !== 'ignore') closeSync(first);
      throw error;
    }
  }

  /** What was written to stderr since; `null` if nobody knows. */
  lastLines(): string | null {
    if (this.stderr === 'ignore') return null;
    const file = fstatSync(this.stderr);
    if (!file.isFile()) return null;
    const from = Math.max(this.#size, file.size - TOLD_BYTES);
    const buffer = Buffer.alloc(TOLD_BYTES);
    const length = readSync(this.stderr, buffer, 0, TOLD_BYTES, from);
    return buffer
      .toString('utf8', 0, length)
      .trimEnd()
      .split(/\r?\n/)
      .slice(-TOLD_LINES)
      .join('\n');
  }

  close(): void {
    for (const descriptor of this.#descriptors) closeSync(descriptor);
  }
}

function checkCommand(command: unknown, args: unknown): void {
  if (typeof command !== 'string') throw invalidArgType('command', 'of type string', command);
  if (command === '') throw invalidArgValue('command', 'must not be empty', command);
  if (!Array.isArray(args)) throw invalidArgType('args', 'an array of strings', args);
  for (const [index, arg] of [command, ...(args as unknown[])].entries()) {
    const name = index === 0 ? 'command' : `args[${index - 1}]`;
    if (typeof arg !== 'string') throw invalidArgType(name, 'of type string', arg);
    if (arg.includes('\0')) throw invalidArgValue(name, 'must not contain null bytes', arg);
  }
}

function toEnvironment(value: unknown): NodeJS.ProcessEnv {
  if (value === undefined) return process.env;
  if (typeof value !== 'object' || value === null) {
    throw invalidArgType('options.env', 'of type object', value);
  }
  return value as NodeJS.ProcessEnv;
}

/** To spawn() it would be a command that does not exist. */
function checkDirectory(cwd: string): void {
  try {
    if (statSync(cwd).isDirectory()) return;
  } catch (error) {
    throw unusable('working directory', cwd, error as NodeJS.ErrnoException);
  }
  throw new LaunchError(`Cannot use working directory '${cwd}': it is no directory`, 'ENOTDIR', {
    path: cwd,
  });
}

function unusable(what: string, path: string, error: NodeJS.ErrnoException): LaunchError {
  const { errno = 0, code = 'UNKNOWN', syscall } = error;
  return new LaunchError(`Cannot use ${what} '${path}': ${explainSystemError(errno)}`, code, {
    errno,
    path,
    ...(syscall === undefined ? {} : { syscall }),
  });
}

const NOT_STARTED = {
  ENOENT: 'no such command',
  EACCES: 'it may not be executed',
};

function unstartable(command: string, error: NodeJS.ErrnoException): LaunchError {
  const { errno = 0, code = 'UNKNOWN', syscall = 'spawn' } = error;
  const why = explainSystemError(errno, NOT_STARTED);
  return new LaunchError(`Cannot start '${command}': ${why}`, code, {
    errno,
    syscall,
    path: command,
  });
}
