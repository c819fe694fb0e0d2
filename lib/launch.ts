// Starting a daemon in the background, and telling whether it has started.
import type { ChildProcess } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  statSync,
  unlinkSync,
  watch,
  type Stats,
} from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { toOptions, toPath } from './arguments';
import {
  LaunchError,
  PidFileError,
  SignalError,
  explainSystemError,
  invalidArgType,
  invalidArgValue,
  missingDirectory,
  printable,
} from './errors';
import { identify, isHeldUnseen, isLeftEmpty } from './identity';
import { isFailure, native } from './native';
import { locked } from './pid_file';
import { happensWithin, throwIfAborted, toAbortSignal, toDuration } from './waiting';

/** Options of {@link launch}. */
export interface LaunchOptions {
  /**
   * Its working directory: a path or `file:` URL.
   * @defaultValue the working directory of this process
   */
  cwd?: string | URL | undefined;
  /**
   * Its whole environment: strings.
   * @defaultValue `process.env`
   */
  env?: NodeJS.ProcessEnv | undefined;
  /**
   * The file that its standard output is appended to, or `null` to discard it.
   * @defaultValue the name of the PID file with `.log` in place of `.pid`, which must be a regular file of this
   *   user and no symbolic link
   */
  stdout?: string | URL | null | undefined;
  /**
   * The same for its standard error.
   * @defaultValue the file of `stdout`
   */
  stderr?: string | URL | null | undefined;
  /**
   * Milliseconds, from 0 to 2147483647, that it may take to hold its PID file, or `Infinity`.
   * @defaultValue 10_000
   */
  timeout?: number | undefined;
  /** Gives up, and terminates what was started. */
  abortSignal?: AbortSignal | undefined;
}

/** The result of {@link launch}. */
export interface Launched {
  /** The process that holds the PID file: the one that was started, or another one of its session. */
  readonly pid: number;
}

const OPTIONS = ['cwd', 'env', 'stdout', 'stderr', 'timeout', 'abortSignal'] as const;

const DEFAULT_TIMEOUT_MS = 10_000;
/** Its PID file can be locked without any change of the directory. */
const LOOK_EVERY_MS = 50;
/** For what is ended because it has not started: until SIGKILL, and after it. */
const GRACE_MS = 2000;
const COUNT_EVERY_MS = 20;
const SIGTERM = 15;
const SIGKILL = 9;

/** How much of its stderr an error shows. */
const TOLD_BYTES = 4096;
const TOLD_LINES = 20;

/**
 * Starts a daemon in the background: in its own session (on Windows, without a console window), so that it
 * outlives this process and its terminal, and without any open file of this process. *Started* means that it, or
 * a process of its session, holds the PID file, by `SignalHandler1`, `PidFile` or otherwise. If that fails, the
 * whole session has been terminated when the promise rejects: by SIGTERM, and two seconds later by SIGKILL.
 *
 * Descendants belong to the session even if they leave it, as with su(1) and sudo(8), but not a program that
 * daemonizes (it calls setsid(2), and its parent exits), which is not terminated. On Unix, children that this
 * process starts later do not inherit its open files either. On Windows a job object is the session; there,
 * children of the daemon have no console, and a console program gets a window unless it is started with
 * `windowsHide`. Works in worker threads too.
 *
 * @param pidFile - A path or `file:` URL; relative to this process's working directory. The daemon is not told: it
 *   must use the same file.
 * @param command - A program: a path (relative to `cwd`), or a name that is looked up in `PATH`. There is no
 *   shell, so no `.cmd` or `.bat` file on Windows.
 * @param args - Its arguments.
 * @param options - Its directory, environment, output and time limit.
 * @throws PidFileError `ERR_PID_FILE_LOCKED` if the daemon is already running, or another one was faster; others
 *   as {@link send}, before anything is started
 * @throws LaunchError of any code; the reason of `abortSignal`
 *
 * @example
 * ```js
 * // launch.mjs
 * import { launch } from 'daemoniker';
 *
 * const { pid } = await launch('my.pid', process.execPath, ['daemon.mjs'], { stdout: 'my.log' });
 * console.log(`started as process ${pid}`);
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
  throwIfAborted(abortSignal);
  refuseSecond(path);
  if (cwd !== undefined) checkDirectory(cwd);
  const output = Output.open(logs);
  try {
    const started = await Started.start({ path, command, args, cwd, env, output }).catch(
      (error: unknown) => {
        output.remove();
        throw error;
      },
    );
    try {
      return { pid: await started.holdsFile(timeout, abortSignal) };
    } catch (error) {
      const pids = await started.end();
      throw pids.length === 0 ? error : notEnded(path, pids, error);
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
      native.keepDescriptors();
      child = spawn(command, args, {
        cwd,
        env,
        detached: true,
        windowsHide: true,
        stdio: output.stdio,
        ...NOTHING_ELSE,
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
      const holder = findHolder(path);
      if (typeof holder === 'number') {
        if (this.#contains(holder)) return holder;
        throw heldByOther(path, holder);
      }
      // A shell that leaves its child in the background ends well, and is not the daemon.
      const mayGoOn = this.#exit?.code === 0 && this.#members().length > 0;
      if (hadEnded && !mayGoOn) throw this.#endedEarly(holder);
      const left = end - performance.now();
      if (left <= 0) throw this.#late(timeout, holder);
      await happensWithin(Math.min(left, LOOK_EVERY_MS), change, abortSignal);
    }
  }

  /** Terminates all of it, at the latest with SIGKILL; returns what is still running then. */
  async end(): Promise<readonly number[]> {
    let left = this.#signal(SIGTERM);
    const begun = performance.now();
    for (let passed = 0; left.length > 0 && passed < 2 * GRACE_MS;) {
      await new Promise((resolve) => setTimeout(resolve, COUNT_EVERY_MS));
      passed = performance.now() - begun;
      // Again and again, as some may just have been started.
      left = passed < GRACE_MS ? this.#members() : this.#signal(SIGKILL);
    }
    return left;
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

  #members(): readonly number[] {
    return this.#signal(0);
  }

  /** Which processes it has, and had before this signal. */
  #signal(signum: number): readonly number[] {
    if (this.#session !== null) return native.signalSession(this.#session, signum);
    if (this.#exit !== null) return [];
    this.#child.kill(signum);
    return [this.#pid];
  }

  #endedEarly(problem: Problem | null): LaunchError {
    const { code, signal } = this.#exit ?? { code: null, signal: null };
    const how = signal === null ? `exited with code ${code}` : `was terminated by ${signal}`;
    return this.#failed(
      `${how} before it held '${this.#request.path}'`,
      'ERR_LAUNCH_ENDED',
      problem,
      {
        ...(code === null ? {} : { exitCode: code }),
        ...(signal === null ? {} : { signal }),
      },
    );
  }

  #late(timeout: number, problem: Problem | null): LaunchError {
    return this.#failed(
      `did not hold '${this.#request.path}' within ${timeout / 1000} s and was terminated`,
      'ERR_LAUNCH_TIMEOUT',
      problem,
    );
  }

  #failed(what: string, code: string, problem: Problem | null, details: object = {}): LaunchError {
    const { command, args, path, output } = this.#request;
    const words = [command, ...args].join(' ');
    const shown = words.length > 80 ? `${words.slice(0, 80)}…` : words;
    const sentences = [`'${printable(shown)}' ${what}.`];
    if (problem !== null) sentences.push(`${problem.message}.`);
    else if (code === 'ERR_LAUNCH_TIMEOUT') sentences.push('Does it use this PID file?');
    const { stream } = output;
    const stderr = output.lastLines();
    if (stderr === null) sentences.push(`Its ${stream} was not kept`);
    else if (stderr === '') sentences.push(`Its ${stream} is empty`);
    else {
      const lines = stderr.split('\n').map((line) => printable(line));
      sentences.push(`The last lines of its ${stream}:\n${lines.join('\n')}`);
    }
    return new LaunchError(sentences.join(' '), code, {
      path,
      ...(stderr === null ? {} : { stderr }),
      ...(problem === null ? {} : { cause: problem }),
      ...details,
    });
  }
}

/** Own properties, so that none of Object.prototype is taken for them. */
const NOTHING_ELSE = {
  argv0: undefined,
  gid: undefined,
  killSignal: undefined,
  serialization: undefined,
  shell: false,
  signal: undefined,
  timeout: undefined,
  uid: undefined,
  windowsVerbatimArguments: false,
} as const;

function notEnded(path: string, pids: readonly number[], cause: unknown): LaunchError {
  const which = pids.length === 1 ? `process ${pids[0]} is` : `processes ${pids.join(', ')} are`;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new LaunchError(
    `Cannot terminate what was started: ${which} still running. The reason for terminating it: ${message}`,
    'ERR_LAUNCH_NOT_ENDED',
    { path, pids, cause },
  );
}

/** It was free when this one was started. */
function heldByOther(path: string, pid: number): PidFileError {
  return new PidFileError(
    `'${path}' is held by process ${pid}, which was not started here, or has left the session of what was started`,
    'ERR_PID_FILE_LOCKED',
    path,
    { pid },
  );
}

/** Why it cannot be told which process holds a PID file. */
type Problem = PidFileError | SignalError;

/** Which process the file means; `null` if it does not exist yet, or what is wrong with it. */
function findHolder(path: string): number | Problem | null {
  try {
    const target = identify(path, { verify: true, insecure: true });
    target.close();
    return target.pid;
  } catch (error) {
    if (error instanceof SignalError) return error.code === 'ESRCH' ? null : error;
    if (!(error instanceof PidFileError)) throw error;
    return isReplaceable(error) ? null : error;
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
      if (isReplaceable(error)) return;
      // A process holds it: one in another container, or one that is about to write its PID.
      const isHeld = error.code === 'ERR_PID_FILE_FOREIGN' || error.pid === null;
      if (isHeld) throw locked(path, null);
    }
    throw error;
  }
  throw locked(path, pid);
}

/** Whether start() may replace the file. It alone finds out whether an unseen holder keeps it from that. */
function isReplaceable(error: PidFileError): boolean {
  return REPLACEABLE.includes(error.code) || isLeftEmpty(error) || isHeldUnseen(error);
}

const REPLACEABLE: readonly string[] = ['ENOENT', 'ERR_PID_FILE_STALE', 'ERR_PID_FILE_UNVERIFIED'];

/** Beside the PID file, so that nothing that a daemon has said is lost. */
export function defaultLog(pidFile: string): string {
  return `${pidFile.replace(/\.pid$/, '')}.log`;
}

/** Where stdout and stderr go. */
interface Logs {
  readonly stdout: string | null;
  readonly stderr: string | null;
  /** That of stdout. In a directory like /tmp others may have put something there. */
  readonly isDefault: boolean;
}

function toLogs(path: string, { stdout, stderr }: LaunchOptions): Logs {
  const toLog = (name: string, value: string | URL | null): string | null =>
    value === null ? null : resolve(toPath(name, value, ', or null'));
  const first = stdout === undefined ? defaultLog(path) : toLog('options.stdout', stdout);
  const second = stderr === undefined ? first : toLog('options.stderr', stderr);
  for (const [name, log, value] of [
    ['options.stdout', first, stdout],
    ['options.stderr', second, stderr],
  ] as const) {
    if (log === path) throw invalidArgValue(name, 'must not be the PID file', value);
  }
  return { stdout: first, stderr: second, isDefault: stdout === undefined };
}

/** A file that is appended to, in the place that its path had when it was opened. */
class Log {
  readonly descriptor: number;
  readonly #path: string;
  readonly #wasThere: boolean;
  /** Before anything was appended. */
  readonly size: number;

  constructor(path: string, isDefault: boolean) {
    this.#path = path;
    const { O_WRONLY, O_APPEND, O_CREAT, O_EXCL } = constants;
    // Windows has no such flags. With O_NONBLOCK a FIFO that nobody reads is an error, and not waited for.
    const { O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants as Partial<typeof constants>;
    const flags = O_WRONLY | O_APPEND | O_CREAT | (isDefault ? O_NOFOLLOW : 0);
    let descriptor: number;
    let status: Stats;
    try {
      [descriptor, this.#wasThere] = open(path, flags | O_NONBLOCK, O_EXCL);
      status = fstatSync(descriptor);
      if (!status.isFile() && !status.isDirectory()) {
        // What writes to it is to wait for its reader.
        const waiting = openSync(path, flags);
        closeSync(descriptor);
        descriptor = waiting;
      }
    } catch (error) {
      throw unusable('log file', path, error as NodeJS.ErrnoException);
    }
    this.descriptor = descriptor;
    this.size = status.size;
    // Windows opens it.
    const isDirectory = status.isDirectory();
    if (!isDirectory && (!isDefault || isOwn(status))) return;
    closeSync(this.descriptor);
    const problem = isDirectory ? 'is a directory' : 'is not a regular file of this user';
    throw new LaunchError(
      `Cannot use log file '${path}': it ${problem}. Name another one`,
      isDirectory ? 'EISDIR' : 'EEXIST',
      { path },
    );
  }

  /** What was appended to it, at most so much; `null` if nobody can tell. */
  tail(bytes: number): string | null {
    let descriptor: number;
    try {
      descriptor = openSync(this.#path, constants.O_RDONLY);
    } catch {
      return null;
    }
    try {
      const now = fstatSync(descriptor);
      const { dev, ino } = fstatSync(this.descriptor);
      if (!now.isFile() || now.dev !== dev || now.ino !== ino) return null;
      // The daemon may have emptied it.
      const begin = now.size < this.size ? 0 : this.size;
      const from = Math.max(begin, now.size - bytes);
      const buffer = Buffer.alloc(bytes);
      const text = buffer.toString('utf8', 0, readSync(descriptor, buffer, 0, bytes, from));
      return from === begin ? text : `…${text}`;
    } finally {
      closeSync(descriptor);
    }
  }

  /** Leaves no empty file that was not there before. */
  remove(): void {
    if (this.#wasThere || fstatSync(this.descriptor).size > 0) return;
    try {
      unlinkSync(this.#path);
    } catch {
      // It has already been removed.
    }
  }
}

/** The descriptor, and whether the file existed. */
function open(path: string, flags: number, exclusively: number): [number, boolean] {
  try {
    return [openSync(path, flags | exclusively, 0o666), false];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return [openSync(path, flags, 0o666), true];
}

const isOwn = (status: Stats): boolean =>
  status.isFile() && (process.geteuid === undefined || status.uid === process.geteuid());

/** Where stdout and stderr go. */
class Output {
  readonly #logs: readonly Log[];
  readonly #stderr: Log | null;
  readonly stdio: ['ignore', number | 'ignore', number | 'ignore'];
  /** What the lines of stderr are called. */
  readonly stream: string;

  private constructor(stdout: Log | null, stderr: Log | null) {
    this.#logs = [...new Set([stdout, stderr])].filter((log) => log !== null);
    this.#stderr = stderr;
    this.stdio = ['ignore', stdout?.descriptor ?? 'ignore', stderr?.descriptor ?? 'ignore'];
    this.stream = stdout === stderr ? 'output' : 'stderr';
  }

  static open({ stdout, stderr, isDefault }: Logs): Output {
    const first = stdout === null ? null : new Log(stdout, isDefault);
    if (stderr === stdout) return new Output(first, first);
    try {
      return new Output(first, stderr === null ? null : new Log(stderr, false));
    } catch (error) {
      if (first !== null) {
        first.remove();
        closeSync(first.descriptor);
      }
      throw error;
    }
  }

  /** What was written to stderr; `null` if nobody can tell. */
  lastLines(): string | null {
    const text = this.#stderr?.tail(TOLD_BYTES) ?? null;
    return text === null ? null : text.trimEnd().split(/\r?\n/).slice(-TOLD_LINES).join('\n');
  }

  /** Of what did not start. */
  remove(): void {
    for (const log of this.#logs) log.remove();
  }

  close(): void {
    for (const { descriptor } of this.#logs) closeSync(descriptor);
  }
}

/**
 * Throws what can be known beforehand of the errors of {@link launch}, as far as they are not about the daemon
 * that runs: before that is stopped. Keeps the log open until it is told not to, as whoever reads a FIFO would be
 * told of its end otherwise.
 */
export function checkStart(pidFile: string, command: string, options: LaunchOptions): () => void {
  const cwd = resolve(toPath('options.cwd', options.cwd ?? '.'));
  checkDirectory(cwd);
  const problem = findProgram(command, cwd);
  if (problem !== null) throw unstartable(command, problem);
  const output = Output.open(toLogs(resolve(pidFile), options));
  output.remove();
  return () => output.close();
}

/** `null` if it is there, else why it could not be executed. As execvp(3), and CreateProcess(), look for it. */
function findProgram(command: string, cwd: string): NodeJS.ErrnoException | null {
  const isWindows = process.platform === 'win32';
  const isPath = /[/]/.test(command) || (isWindows && /[\\:]/.test(command));
  const places = isPath ? [''] : (process.env['PATH'] ?? '').split(delimiter);
  if (isWindows) places.unshift('');
  else if (!isPath && process.env['PATH'] === undefined) return null; // the system has a path of its own
  const endings = isWindows ? ['', '.com', '.exe'] : [''];
  let problem: NodeJS.ErrnoException | null = null;
  for (const file of places.flatMap((place) => endings.map((end) => join(place, command + end)))) {
    const path = resolve(cwd, file);
    try {
      if (!statSync(path).isFile()) continue;
      accessSync(path, constants.X_OK);
      return null;
    } catch (error) {
      // Another place may have it; what may not be executed says more than what is not there.
      if (problem === null || problem.code === 'ENOENT') problem = error as NodeJS.ErrnoException;
    }
  }
  return problem;
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
  if (value !== undefined && (typeof value !== 'object' || value === null)) {
    throw invalidArgType('options.env', 'of type object', value);
  }
  // Nothing of Object.prototype becomes a variable.
  const environment = Object.create(null) as NodeJS.ProcessEnv;
  for (const [key, variable] of Object.entries(value ?? process.env)) {
    const name = `options.env.${key}`;
    if (variable === undefined) continue;
    if (typeof variable !== 'string') throw invalidArgType(name, 'of type string', variable);
    if (`${key}${variable}`.includes('\0')) {
      throw invalidArgValue(name, 'must not contain null bytes', variable);
    }
    environment[key] = variable;
  }
  return environment;
}

/** To spawn() it would be a command that does not exist. */
function checkDirectory(cwd: string): void {
  try {
    if (statSync(cwd).isDirectory()) return;
  } catch (error) {
    throw unusable('working directory', cwd, error as NodeJS.ErrnoException);
  }
  throw new LaunchError(`Cannot use working directory '${cwd}': it is not a directory`, 'ENOTDIR', {
    path: cwd,
  });
}

const UNUSABLE = {
  EISDIR: 'it is a directory',
  ENXIO: 'it is a FIFO, and no process reads from it',
};

function unusable(what: string, path: string, error: NodeJS.ErrnoException): LaunchError {
  const { errno = 0, code = 'UNKNOWN', syscall } = error;
  const missing = what === 'log file' ? missingDirectory(path) : {};
  const why = explainSystemError(errno, { ...UNUSABLE, ...missing });
  return new LaunchError(`Cannot use ${what} '${path}': ${why}`, code, {
    errno,
    path,
    ...(syscall === undefined ? {} : { syscall }),
  });
}

const NOT_STARTED = {
  ENOENT: 'no such command',
  EACCES: 'this user may not execute it',
  EINVAL: 'a .cmd or .bat file needs a shell on Windows (cmd.exe, /d, /c)',
  E2BIG: 'its arguments and its environment are too long',
};

function unstartable(command: string, error: NodeJS.ErrnoException): LaunchError {
  const { errno, code = 'UNKNOWN', syscall = 'spawn' } = error;
  if (errno === undefined) throw error; // not by the system
  const why = explainSystemError(errno, NOT_STARTED);
  return new LaunchError(`Cannot start '${command}': ${why}`, code, {
    errno,
    syscall,
    path: command,
  });
}
