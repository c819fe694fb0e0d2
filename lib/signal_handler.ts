/// <reference lib="esnext.disposable" preserve="true" />
import { resolve } from 'node:path';
import { AsyncResource } from 'node:async_hooks';
import { inspect, type InspectOptions } from 'node:util';
import { isAbortSignal, toBoolean, toMilliseconds, toOptions, toPath } from './arguments';
import { SignalError, invalidArgType, invalidArgValue, invalidThis } from './errors';
import { raise } from './ending';
import { isWatched, publishStart, publishStop, tellAbout } from './diagnostics';
import { keepWatchdogQuiet } from './notify';
import { prepareClaim, type Claim } from './pid_file';
import { claimWithin } from './pid_file_wait';
import { recordOf, type Arrival } from './record';
import { registry, type Receiver } from './registry';
import { answerServiceManager, reportRunning, reportTheExit } from './service_process';
import {
  Shutdown,
  toHandledSignum,
  toShutdownPlan,
  type ShutdownHook,
  type ShutdownHookOptions,
  type ShutdownOptions,
  type ShutdownPlan,
} from './shutdown';
import {
  SIGNAL_CLASSES,
  SIGNAL_NAMES,
  SIGTERM,
  classOf,
  findSignum,
  whyNotHandled,
  type ReceivedSignal,
} from './signals';
import { throwIfAborted, toAbortSignal, toDuration } from './waiting';

/**
 * Handles a signal: called on the main thread with the signal's number only. Its result is ignored; if
 * it is a promise that rejects, that is an unhandled rejection like any other.
 */
export type SignalCallable = (signum: number) => unknown;

/**
 * As a handler: ignore this signal. Reading the handler back gives this function.
 *
 * @example
 * ```js
 * // daemon.mjs
 * import { IGNORE_SIGNAL, SignalHandler1 } from 'daemoniker';
 *
 * const handler = new SignalHandler1('my.pid', { sigint: IGNORE_SIGNAL }).start().ref();
 * console.log(handler.sigint === IGNORE_SIGNAL); // true
 * ```
 */
export const IGNORE_SIGNAL: SignalCallable = Object.freeze(
  { IGNORE_SIGNAL: () => undefined }.IGNORE_SIGNAL,
);

/** Handlers by name, and options, of {@link SignalHandler1}. */
export interface SignalHandlerOptions {
  /**
   * Handles SIGINT (Ctrl-C).
   * @defaultValue the default handler, which raises {@link SIGINT}
   */
  sigint?: SignalCallable | null | undefined;
  /**
   * Handles SIGTERM (the request to shut down).
   * @defaultValue the default handler, which raises {@link SIGTERM}
   */
  sigterm?: SignalCallable | null | undefined;
  /**
   * Handles a SIGABRT that another process sent.
   * @defaultValue the default handler, which raises {@link SIGABRT}
   */
  sigabrt?: SignalCallable | null | undefined;
  /**
   * Milliseconds, from 1 to 2147483647. A signal that has not reached its handler in that time,
   * because the event loop is blocked, terminates the process by its default action; no JavaScript runs
   * then. If that action does not terminate a process (SIGTSTP, SIGWINCH), and on Windows, the exit code
   * is 128 + the signal's number. Only time in which the main thread could run counts. Applies to all
   * signals that are not ignored; `null` turns deadlines off.
   * @defaultValue 5000 for signals with the default handler, unless an inspector is listening or the
   *   signal has listeners by `process.on()`; none for signals with your own handler
   */
  deadline?: number | null | undefined;
  /**
   * Handlers of other signals, by name; on Linux also of real-time signals, by number (34 to 64, on
   * musl 35 to 64). `stop()` restores their dispositions. On Windows they arrive by {@link send}. Refused
   * (`ERR_INVALID_ARG_VALUE`) are SIGKILL, SIGSTOP, faults such as SIGSEGV, and what the runtime needs,
   * such as SIGCHLD. While SIGUSR1 has a handler, it does not open Node's inspector.
   */
  signals?: SignalHandlers | undefined;
  /**
   * Makes SIGINT and SIGTERM, which then take no handlers, begin a graceful shutdown: `abortSignal` is
   * aborted, the hooks of {@link SignalHandler1.onShutdown} run one at a time, the last added first, and
   * the process exits. `true`, its grace period in milliseconds, or more options.
   * @defaultValue false
   */
  shutdown?: boolean | number | ShutdownOptions | undefined;
  /**
   * After a signal's handler, also calls the listeners that others have added with `process.on()`.
   * @defaultValue false: they are not called, and a warning says so once
   */
  listeners?: boolean | undefined;
  /**
   * Notifies the watchdog of systemd (`WatchdogSec=`) from the event loop, so that systemd notices a blocked
   * one. Does nothing elsewhere.
   * @defaultValue false
   */
  watchdog?: boolean | undefined;
}

/** Handlers by the name or number of a signal. */
export type SignalHandlers = {
  [Name in NodeJS.Signals | number]?: SignalCallable | null | undefined;
};

type HandlerName = keyof typeof SIGNAL_CLASSES;
const HANDLER_NAMES = Object.keys(SIGNAL_CLASSES) as HandlerName[];
const OPTIONS = [
  ...HANDLER_NAMES,
  'deadline',
  'signals',
  'shutdown',
  'listeners',
  'watchdog',
] as const;

/** Options of {@link SignalHandler1.exitWithin}. */
export interface ExitWithinOptions {
  /**
   * Replace the current limit, even if that postpones the exit.
   * @defaultValue false: the earliest limit wins
   */
  extend?: boolean | undefined;
}

/** Options of {@link SignalHandler1.start}. */
export interface StartOptions {
  /** Milliseconds to wait for the PID file, from 0 to 2147483647, or `Infinity`. */
  wait: number;
  /** Gives up waiting. */
  abortSignal?: AbortSignal | undefined;
}

/**
 * Throws the record of the signal that is being handled in this process; by hand, a new one of that
 * number.
 */
const DEFAULT_HANDLER: SignalCallable = (signum: number): never => {
  throw recordFor(signum);
};

function recordFor(signum: number): ReceivedSignal {
  const { handling } = registry;
  if (handling !== null && handling.signum === signum) return recordOf(handling);
  return new (classOf(signum))({ signum });
}

const THREE: readonly number[] = Object.values(SIGNAL_CLASSES).map((one) => one.SIGNUM);

/** Taking a signal over must not make a stuck process harder to terminate. */
const DEFAULT_HANDLERS_DEADLINE_MS = 5000;

// To Bun a rejection that nobody handles is no uncaught exception.
const ERRORS: readonly ['uncaughtException', ...string[]] =
  'bun' in process.versions ? ['uncaughtException', 'unhandledRejection'] : ['uncaughtException'];

/**
 * The handlers of one SignalHandler1, and the way an arrival takes to them. Apart from the public
 * class because that is wrapped in a Proxy, which private fields cannot see through.
 */
class HandlerState implements Receiver {
  readonly pidFile: string | null;
  /** Milliseconds; 0: none; `undefined`: as each handler has it. */
  readonly deadline: number | undefined;
  readonly shutdown: Shutdown;
  readonly #plan: ShutdownPlan | null;
  readonly #callsListeners: boolean;
  readonly #hasWatchdog: boolean;
  #leaveWatchdog = (): void => undefined;
  readonly #beginShutdown: SignalCallable;
  #referenced = false;
  /** What start() has made; `null` while it is not running. */
  #context: AsyncResource | null = null;
  #isStarting = false;
  /** Ends the wait of start(); `null` while it does not wait. */
  #giveUp: (() => void) | null = null;
  #claim: Claim | null = null;
  #latest: Arrival | null = null;
  #handling: Arrival | null = null;
  // By signal number.
  readonly #handlers: (SignalCallable | undefined)[] = [];

  constructor(
    pidFile: string | null,
    deadline: number | undefined,
    plan: ShutdownPlan | null,
    callsListeners: boolean,
    hasWatchdog: boolean,
  ) {
    this.pidFile = pidFile;
    this.deadline = deadline;
    this.#callsListeners = callsListeners;
    this.#hasWatchdog = hasWatchdog;
    this.shutdown = new Shutdown(pidFile, plan?.within);
    this.#plan = plan;
    this.#beginShutdown = (signum) => void this.shutdown.begin(recordFor(signum));
    for (const signum of THREE) this.#handlers[signum] = DEFAULT_HANDLER;
    for (const signum of plan?.signums ?? []) this.#handlers[signum] = this.#beginShutdown;
  }

  get runs(): boolean {
    return this.#context !== null;
  }

  get received(): ReceivedSignal | null {
    const arrival = this.#handling ?? this.#latest;
    return arrival === null ? null : recordOf(arrival);
  }

  getHandler(signum: number): SignalCallable | undefined {
    return this.#handlers[signum];
  }

  /** `name` is what an error calls the argument. */
  setHandler(name: string, signum: number, handler: unknown): void {
    if (handler !== undefined && handler !== null && typeof handler !== 'function') {
      throw invalidArgType(name, 'of type function, IGNORE_SIGNAL, null or undefined', handler);
    }
    const none = THREE.includes(signum) ? DEFAULT_HANDLER : undefined;
    const next = (handler as SignalCallable | undefined | null) ?? none;
    // What is pending arrived for the previous handler.
    if (next === undefined && this.runs && this.takes(signum)) registry.deliverWaiting();
    this.#handlers[signum] = next;
    if (this.runs) registry.update();
  }

  start(): void {
    this.#onlyOnce(() => this.#start());
    reportRunning();
    publishStart(this.pidFile);
  }

  /** An async_hooks hook may run in there, and start it again. */
  #onlyOnce<Result>(begin: () => Result): Result {
    if (this.runs || this.#isStarting) {
      throw new SignalError('This SignalHandler1 is already running', 'ERR_HANDLER_RUNNING');
    }
    requireMainThread('start');
    answerServiceManager();
    this.#isStarting = true;
    try {
      return begin();
    } finally {
      this.#isStarting = false;
      reportTheExit();
    }
  }

  /** Takes the signals; on failure everything is as before. */
  #take(): AsyncResource {
    this.shutdown.renew();
    try {
      // Handlers see the AsyncLocalStorage of their own start(), not of the first one.
      this.#context = new AsyncResource('SignalHandler1');
      registry.start(this);
      if (this.#plan?.errors === true) {
        for (const event of ERRORS) registry.native.hostProcess.on(event, this.shutdown.onError);
      }
      if (this.#hasWatchdog) this.#leaveWatchdog = keepWatchdogQuiet();
      return this.#context;
    } catch (error) {
      this.#context = null;
      throw error;
    }
  }

  /** As start(), with signals taken at once, and the PID file once its holder has released it. */
  async startWithin(milliseconds: number, abortSignal: AbortSignal | undefined): Promise<void> {
    const context = this.#onlyOnce(() => this.#take());
    // While it waits, it can be stopped.
    reportRunning();
    const stopped = new AbortController();
    this.#giveUp = () => {
      stopped.abort(
        new SignalError(
          'stop() was called while start() was waiting for the PID file',
          'ERR_HANDLER_STOPPED',
        ),
      );
    };
    try {
      const claim = await this.#claimWithin(milliseconds, abortSignal, stopped.signal);
      // Stopped since it got the file, in the same turn of the event loop.
      if (this.#context !== context) {
        claim?.release();
        throw stopped.signal.reason as Error;
      }
      this.#claim = claim;
      this.#giveUp = null;
    } catch (error) {
      if (this.#context === context) {
        this.#giveUp = null;
        this.#end();
      }
      throw error;
    }
    publishStart(this.pidFile);
  }

  async #claimWithin(
    milliseconds: number,
    abortSignal: AbortSignal | undefined,
    stopped: AbortSignal,
  ): Promise<Claim | null> {
    if (this.pidFile === null) return null;
    return claimWithin(resolve(this.pidFile), milliseconds, abortSignal, stopped);
  }

  #start(): void {
    const claim = this.pidFile === null ? null : prepareClaim(resolve(this.pidFile));
    try {
      this.#take();
    } catch (error) {
      claim?.release();
      throw error;
    }
    this.#claim = claim;
    try {
      // Only now: once the PID can be read, signals may come.
      claim?.publish();
    } catch (error) {
      this.#claim = null;
      this.#end();
      throw error;
    }
  }

  stop(): void {
    const giveUp = this.#giveUp;
    if (!this.#end()) return;
    this.#giveUp = null;
    if (giveUp === null) publishStop(this.pidFile);
    else giveUp();
  }

  /** Whether it ran, and does not any more. */
  #end(): boolean {
    const context = this.#context;
    if (context === null) return false;
    // A handler that was called meanwhile may have stopped it, and started it again.
    const isStopped = (): boolean => this.#context !== context;
    this.#leaveWatchdog();
    for (const event of ERRORS) registry.native.hostProcess.off(event, this.shutdown.onError);
    try {
      registry.stop(this, isStopped, () => {
        this.#claim?.release();
        this.#claim = null;
      });
    } finally {
      if (!isStopped()) this.#context = null;
    }
    return this.#context === null;
  }

  setReferenced(referenced: boolean): void {
    this.#referenced = referenced;
    if (this.runs) registry.update();
  }

  isReferenced(): boolean {
    return this.#referenced;
  }

  signums(): readonly number[] {
    return Object.keys(this.#handlers)
      .map(Number)
      .filter((signum) => this.takes(signum));
  }

  takes(signum: number): boolean {
    return this.#handlers[signum] !== undefined;
  }

  callsListeners(): boolean {
    return this.#callsListeners;
  }

  beginsShutdown(signum: number): boolean {
    return this.#handlers[signum] === this.#beginShutdown;
  }

  endsShutdown(signum: number): boolean {
    return this.beginsShutdown(signum) && this.#plan?.again.has(signum) === true;
  }

  shutdownWithin(): number {
    return this.#plan?.within ?? 0;
  }

  isDefault(signum: number): boolean {
    return this.#handlers[signum] === DEFAULT_HANDLER;
  }

  ignores(signum: number): boolean {
    return this.#handlers[signum] === IGNORE_SIGNAL;
  }

  deadlineOf(signum: number): number {
    if (this.ignores(signum)) return 0;
    if (this.deadline !== undefined) return this.deadline;
    return this.isDefault(signum) && !isBeingDebugged() ? DEFAULT_HANDLERS_DEADLINE_MS : 0;
  }

  receive(arrival: Arrival): void {
    const handler = this.#handlers[arrival.signum];
    if (handler === undefined) return;
    const outer = this.#handling;
    this.#latest = this.#handling = arrival;
    try {
      if (isWatched()) this.#receiveWatched(handler, recordOf(arrival));
      else this.#call(handler, arrival.signum);
    } catch (error) {
      raise(error, registry.native);
    } finally {
      this.#handling = outer;
    }
  }

  warmUp(arrival: Arrival): void {
    if (isWatched()) return;
    const latest = this.#latest;
    this.#handlers[0] = IGNORE_SIGNAL;
    this.receive(arrival);
    this.#handlers[0] = undefined;
    this.#latest = latest;
  }

  #call(handler: SignalCallable, signum: number): unknown {
    // Others may have begun to listen while it was waiting.
    if (handler === DEFAULT_HANDLER && registry.runListeners(signum)) return undefined;
    const { visible, hidden } = registry.othersOf(signum);
    registry.call(hidden, signum);
    try {
      return this.#context === null
        ? handler(signum)
        : this.#context.runInAsyncScope(handler, undefined, signum);
    } finally {
      if (this.#callsListeners && handler !== DEFAULT_HANDLER) registry.call(visible, signum);
    }
  }

  #receiveWatched(handler: SignalCallable, received: ReceivedSignal): void {
    const message = { pidFile: this.pidFile, received, ignored: handler === IGNORE_SIGNAL };
    tellAbout(message, () => this.#call(handler, received.signum));
  }
}

/** At a breakpoint the event loop is blocked, and nothing is wrong. */
function isBeingDebugged(): boolean {
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- import would load it at once
    return (require('node:inspector') as typeof import('node:inspector')).url() !== undefined;
  } catch {
    return false; // a Node without inspector, a runtime that does not know this
  }
}

function isMainThread(): boolean {
  // Not before it is needed: loading it takes as long as the rest of this package.
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- import would load it at once
  return (require('node:worker_threads') as typeof import('node:worker_threads')).isMainThread;
}

function requireMainThread(method: string): void {
  if (isMainThread()) return;
  throw new SignalError(
    `SignalHandler1.${method}() works on the main thread only: signals belong to the process, ` +
      'not to a worker thread',
    'ERR_NOT_MAIN_THREAD',
  );
}

const STATE = Symbol('state');

/** Throws when a method or accessor is used without its object. `member`: as in `handler.member`. */
function stateOf(handler: SignalHandler1, member: string): HandlerState {
  const state = (handler as Partial<SignalHandler1> | null | undefined)?.[STATE];
  if (state !== undefined) return state;
  const use = member.startsWith('[') ? `handler${member}` : `handler.${member}`;
  throw invalidThis(SignalHandler1, use, handler);
}

// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging -- the accessors below
export interface SignalHandler1 {
  /**
   * The handler of SIGINT; a function even while it is the default. Assign at any time;
   * `delete handler.sigint` restores the default, which raises {@link SIGINT}.
   */
  sigint?: SignalCallable;
  /** The same for SIGTERM. */
  sigterm?: SignalCallable;
  /** The same for a SIGABRT sent by another process. */
  sigabrt?: SignalCallable;
}

/**
 * Handles SIGINT, SIGTERM and SIGABRT of this process from `start()` to `stop()`.
 *
 * Handlers run one at a time on the main thread's event loop, in order of arrival. A signal with a handler
 * goes to that alone, not to listeners added with `process.on()`. One without goes to those listeners; if
 * there are none, the default handler raises it: as an uncaught exception, or, if nothing listens for
 * those, by terminating the process with that signal.
 *
 * On Windows, Ctrl-C and Ctrl-Break are SIGINT; closing the console, the end of the session and a
 * request to close (`taskkill` without `/F`) are SIGTERM; {@link send} can send all three, while
 * `process.kill()` terminates a process at once.
 *
 * @example
 * ```js
 * // daemon.mjs
 * import { SignalHandler1 } from 'daemoniker';
 *
 * const handler = new SignalHandler1('my.pid', {
 *   sigterm: () => {
 *     console.log(handler.received?.message); // SIGTERM received from pid 42 (kill)
 *     process.exit();
 *   },
 * });
 * handler.start().ref();
 * ```
 */
// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging -- the accessors below
export class SignalHandler1 {
  /** @internal */
  declare readonly [STATE]: HandlerState;

  /**
   * Nothing happens before {@link SignalHandler1.start}.
   *
   * @param pidFile - Path or `file:` URL of the PID file, or `null` for none.
   * @param sigint - A function, `IGNORE_SIGNAL`, or nothing for the default handler.
   * @param sigterm - The same for SIGTERM.
   * @param sigabrt - The same for SIGABRT.
   */
  constructor(
    pidFile: string | URL | null,
    sigint?: SignalCallable | null,
    sigterm?: SignalCallable | null,
    sigabrt?: SignalCallable | null,
  );
  /**
   * The same, with the handlers by name.
   *
   * @param pidFile - As above.
   * @param options - The handlers by name, and options.
   */
  constructor(pidFile: string | URL | null, options?: SignalHandlerOptions);
  constructor(
    pidFile: string | URL | null,
    sigintOrOptions?: SignalCallable | SignalHandlerOptions | null,
    sigterm?: SignalCallable | null,
    sigabrt?: SignalCallable | null,
    ...surplus: unknown[]
  ) {
    const options = toHandlersAndOptions(sigintOrOptions, sigterm, sigabrt, surplus);
    refuseMethods(Object.getPrototypeOf(this) as object);
    const path = pidFile === null ? null : toPath('pidFile', pidFile, ', or null for no PID file');
    const plan = toShutdownPlan(options.shutdown);
    const callsListeners = toBoolean('options.listeners', options.listeners, false);
    const hasWatchdog = toBoolean('options.watchdog', options.watchdog, false);
    const deadline = toDeadline(options.deadline);
    const state = new HandlerState(path, deadline, plan, callsListeners, hasWatchdog);
    const given = new Map<number, string>();
    for (const [name, signum, handler] of handlersIn(options)) {
      const other = given.get(signum);
      if (other !== undefined) {
        throw invalidArgValue(
          name,
          `must be left out, because ${other} is the same signal`,
          handler,
        );
      }
      given.set(signum, name);
      if (plan?.signums.has(signum) === true) {
        throw invalidArgValue(
          name,
          'must be left out, because this signal begins the shutdown',
          handler,
        );
      }
      state.setHandler(name, signum, handler);
    }
    Object.defineProperty(this, STATE, { value: state });
    // `delete handler.sigint`, and a field of that name in a class that extends this one, cannot be
    // seen in any other way.
    return new Proxy(this, { deleteProperty, defineProperty });
  }

  /** The path of the PID file as given, or `null`. */
  get pidFile(): string | null {
    return stateOf(this, 'pidFile').pidFile;
  }

  /**
   * Aborted when the shutdown begins; its `reason` is the {@link ReceivedSignal}, the error
   * (`errors: true`), or what {@link SignalHandler1.shutDown} was given.
   */
  get abortSignal(): AbortSignal {
    return stateOf(this, 'abortSignal').shutdown.abortSignal;
  }

  /**
   * The signal that is being handled, or the last one; `null` before the first. Read it before the first
   * `await` of a handler: afterwards it may be the next signal.
   */
  get received(): ReceivedSignal | null {
    return stateOf(this, 'received').received;
  }

  /**
   * Starts handling: claims the PID file, saves the signals' dispositions and takes them over. On failure
   * everything is as before. Handlers run in the `AsyncLocalStorage` context of this call.
   *
   * @throws SignalError `ERR_HANDLER_RUNNING`, `ERR_NOT_MAIN_THREAD`, or `EAGAIN` (no thread left)
   * @throws PidFileError as {@link PidFile.acquire}
   */
  start(): this;
  /**
   * The same once the daemon that holds the PID file has released it. Signals are handled at once; while
   * it waits, the event loop is kept alive, and `stop()` ends the wait. The exit of that daemon or a change
   * of the file wakes it up; besides, it checks once a second, or ten times a second if the holder is not
   * known (a daemon in another container) or the file cannot be watched.
   *
   * @param options - How long to wait.
   * @throws as above, all by rejection; PidFileError `ERR_PID_FILE_LOCKED` after that time; SignalError
   *   `ERR_HANDLER_STOPPED` after `stop()`; the reason of `abortSignal`. Then it is stopped.
   *
   * @example
   * ```js
   * // successor.mjs
   * import { SignalHandler1 } from 'daemoniker';
   *
   * const handler = await new SignalHandler1('my.pid').start({ wait: 10_000 });
   * handler.ref();
   * console.log('the previous daemon has released the PID file');
   * ```
   */
  start(options: StartOptions): Promise<this>;
  start(options?: StartOptions): this | Promise<this> {
    if (options !== undefined) return startWithin(this, options);
    stateOf(this, 'start()').start();
    return this;
  }

  /**
   * Stops handling: delivers pending signals, releases the PID file, and restores the previous dispositions
   * (Unix). Afterwards no handler of this object is called. Does nothing unless started. Called
   * automatically when the process exits.
   */
  stop(): void {
    stateOf(this, 'stop()').stop();
  }

  /**
   * The handler of a signal; `undefined` if it has none.
   *
   * @param signal - Its name, such as `'SIGHUP'`; on Linux also the number of a real-time signal.
   */
  getHandler(signal: NodeJS.Signals | number): SignalCallable | undefined {
    return stateOf(this, 'getHandler()').getHandler(toHandledSignum('signal', signal));
  }

  /**
   * Sets the handler of a signal, at any time.
   *
   * @param signal - As in `getHandler()`; not those that the option `signals` refuses.
   * @param handler - A function, `IGNORE_SIGNAL`, or `null`, which restores the disposition; for SIGINT,
   *   SIGTERM and SIGABRT the default handler.
   */
  setHandler(signal: NodeJS.Signals | number, handler: SignalCallable | null): void {
    stateOf(this, 'setHandler()').setHandler('handler', toHandledSignum('signal', signal), handler);
  }

  /**
   * Adds a part of the shutdown; the last added runs first. One that throws, rejects or exceeds its
   * `timeout` is named on stderr; the others still run, and the exit code is 1. If the shutdown has begun,
   * it runs next.
   *
   * @param name - Its name in messages.
   * @param hook - Called with the reason. The next hook waits for the promise that it returns.
   * @param options - Its own time limit.
   * @returns a function that removes it
   * @throws SignalError `ERR_SHUTDOWN_OVER`
   *
   * @example
   * ```js
   * // server.mjs
   * import { once } from 'node:events';
   * import { createServer } from 'node:http';
   * import { SignalHandler1 } from 'daemoniker';
   *
   * const server = createServer((request, response) => response.end('hello\n')).listen(8080);
   * await once(server, 'listening'); // throws if the port is in use
   * const handler = new SignalHandler1('my.pid', { shutdown: 10_000 }).start();
   * handler.onShutdown('http', () => {
   *   setInterval(() => server.closeIdleConnections(), 100); // each one, once it has its answer
   *   setTimeout(() => server.closeAllConnections(), 5000); // the others: no request yet, or no answer
   *   return new Promise((resolve) => server.close(resolve));
   * });
   * ```
   */
  onShutdown(name: string, hook: ShutdownHook, options?: ShutdownHookOptions): () => void {
    return stateOf(this, 'onShutdown()').shutdown.add(name, hook, options);
  }

  /**
   * Begins the shutdown, with a grace period of 10 seconds if there is no `shutdown` option.
   *
   * @param reason - For hooks and `abortSignal.reason`; by default an `AbortError`.
   * @returns resolved when all hooks have run; in the next turn of the event loop the process exits, or
   *   once the hooks of other handlers have run that are shutting down too. A second call returns the
   *   same promise.
   * @throws SignalError `ERR_NOT_MAIN_THREAD`, `ERR_HANDLER_RUNNING` or `EAGAIN`
   */
  shutDown(reason?: unknown): Promise<void> {
    const { shutdown } = stateOf(this, 'shutDown()');
    requireMainThread('shutDown');
    return shutdown.begin(reason);
  }

  /** Runs the hooks as `shutDown()` does, without the exit, and stops; for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { shutdown } = stateOf(this, '[Symbol.asyncDispose]()');
    await shutdown.beginWithoutExit(isMainThread());
    this.stop();
  }

  /** As `stop()`, for `using`. */
  [Symbol.dispose](): void {
    stateOf(this, '[Symbol.dispose]()');
    this.stop();
  }

  /** @internal */
  [inspect.custom](depth: number, options: InspectOptions): string {
    const state = this[STATE] as HandlerState | undefined;
    // The prototype itself, or too deep inside something else.
    if (state === undefined || depth < 0) return '[SignalHandler1]';
    const { pidFile, received, runs, deadline } = state;
    const seen = { pidFile, runs, ...(deadline === undefined ? {} : { deadline }), received };
    return `${this.constructor.name} ${inspect(seen, options)}`;
  }

  /**
   * Keeps the event loop alive from `start()` to `stop()`. By default it is not.
   */
  ref(): this {
    stateOf(this, 'ref()').setReferenced(true);
    return this;
  }

  /**
   * Undoes `ref()`.
   */
  unref(): this {
    stateOf(this, 'unref()').setReferenced(false);
    return this;
  }

  /**
   * Limits the time to exit. A process that is still running then is terminated natively, even if the event
   * loop is blocked, with the signal last received (SIGTERM if none), and a message on stderr. On Windows,
   * as PID 1 of a container, and if the default action of that signal does not terminate a process
   * (SIGTSTP, SIGWINCH), it exits with 128 + the signal's number instead. Time during which the
   * whole process was stopped (SIGSTOP) does not count.
   *
   * The earliest limit wins: another call postpones it only with `{ extend: true }`. `stop()` does not
   * cancel it.
   *
   * @param milliseconds - From now, from 1 to 2147483647; `null` cancels.
   * @param options - Whether the limit may be postponed.
   * @throws SignalError `ERR_NOT_MAIN_THREAD`, `ERR_HANDLER_RUNNING` or `EAGAIN`
   *
   * @example
   * ```js
   * // daemon.mjs
   * import { SignalHandler1 } from 'daemoniker';
   *
   * const handler = new SignalHandler1('my.pid', {
   *   sigterm() {
   *     handler.exitWithin(5000);
   *     setTimeout(() => process.exit(), 1000); // cleaning up
   *   },
   * });
   * handler.start().ref();
   * ```
   */
  exitWithin(milliseconds: number | null, options?: ExitWithinOptions): void {
    const state = stateOf(this, 'exitWithin()');
    requireMainThread('exitWithin');
    const { extend } = toOptions<ExitWithinOptions>(options, ['extend']);
    const replaces = toBoolean('options.extend', extend, false);
    if (milliseconds === null) {
      registry.cancelExitLimit();
      return;
    }
    const limit = toMilliseconds('milliseconds', milliseconds, 'of type number, or null');
    registry.limitExit(limit, state.received?.signum ?? SIGTERM.SIGNUM, replaces);
  }
}

for (const name of HANDLER_NAMES) {
  Object.defineProperty(SignalHandler1.prototype, name, {
    configurable: true,
    enumerable: true,
    get(this: SignalHandler1) {
      return stateOf(this, name).getHandler(SIGNAL_CLASSES[name].SIGNUM);
    },
    set(this: SignalHandler1, handler: unknown) {
      setNamed(this, name, handler);
    },
  });
}

// Without these, `handler.sighup = …` would set a property that nothing looks at. The types do not
// have them, and they are not enumerable.
for (const signal of SIGNAL_NAMES) {
  for (const name of [signal.toLowerCase(), signal].filter(isSignalsProperty)) {
    Object.defineProperty(SignalHandler1.prototype, name, {
      configurable: true,
      enumerable: false,
      get: () => undefined,
      set(this: SignalHandler1, value: unknown) {
        if (isMeantAsHandler(this, value)) refuseProperty(name, value);
        const descriptor = { value, writable: true, enumerable: true, configurable: true };
        Reflect.defineProperty(this, name, descriptor);
      },
    });
  }
}

function isHandlerName(name: string | symbol): name is HandlerName {
  return (HANDLER_NAMES as (string | symbol)[]).includes(name);
}

function isSignalsProperty(name: string | symbol): name is string {
  if (typeof name !== 'string') return false;
  const isOneCase = name === name.toUpperCase() || name === name.toLowerCase();
  return isOneCase && !isHandlerName(name) && SIGNAL_NAMES.includes(name.toUpperCase());
}

/** A subclass may have a property of such a name for what it likes. */
function isMeantAsHandler(handler: SignalHandler1, value: unknown): boolean {
  const isOwnClass = Reflect.getPrototypeOf(handler) === SignalHandler1.prototype;
  return isOwnClass && typeof value === 'function';
}

function refuseProperty(name: string, handler: unknown): never {
  const advice = adviceOn(name, (signal) => `use handler.setHandler('${signal}', …)`);
  throw invalidArgValue(name, `is not a property that takes a handler; ${advice}`, handler);
}

/** What to write in place of a property or option such as `sighup` or `SIGTERM`. */
function adviceOn(name: string, forOthers: (signal: string) => string): string {
  const lower = name.toLowerCase();
  if (isHandlerName(lower)) return `did you mean ${lower}?`;
  const signal = name.toUpperCase();
  const reason = whyNotHandled(findSignum(signal) ?? 0);
  return reason === undefined ? forOthers(signal) : `${signal} cannot have a handler: ${reason}`;
}

function setNamed(handler: SignalHandler1, name: HandlerName, value: unknown): void {
  stateOf(handler, name).setHandler(name, SIGNAL_CLASSES[name].SIGNUM, value);
}

async function startWithin<H extends SignalHandler1>(
  handler: H,
  options: StartOptions,
): Promise<H> {
  const state = stateOf(handler, 'start()');
  const { wait, abortSignal } = toOptions<StartOptions>(options, ['wait', 'abortSignal']);
  const milliseconds = toDuration('options.wait', wait);
  const giveUp = toAbortSignal(abortSignal);
  throwIfAborted(giveUp);
  await state.startWithin(milliseconds, giveUp);
  return handler;
}

function deleteProperty(handler: SignalHandler1, property: string | symbol): boolean {
  if (isHandlerName(property)) {
    setNamed(handler, property, undefined);
    return true;
  }
  return Reflect.deleteProperty(handler, property);
}

function defineProperty(
  handler: SignalHandler1,
  property: string | symbol,
  descriptor: PropertyDescriptor,
): boolean {
  if (!isHandlerName(property)) {
    return Reflect.defineProperty(handler, property, descriptor);
  }
  // It stays an accessor that `delete` undoes.
  const canBe = 'value' in descriptor && descriptor.configurable !== false;
  if (!canBe || !Reflect.isExtensible(handler)) return false;
  // A field that is only declared (TypeScript's useDefineForClassFields) says nothing.
  if (descriptor.value === undefined) return true;
  setNamed(handler, property, descriptor.value);
  return true;
}

/** A method of a class that extends ours would hide the accessor and never be called. */
function refuseMethods(prototype: object): void {
  let one: object | null = prototype;
  while (one !== null && one !== SignalHandler1.prototype) {
    for (const name of HANDLER_NAMES) {
      if (!Object.hasOwn(one, name)) continue;
      throw invalidArgValue(
        name,
        'must not be a method or accessor of a class: give it to super(), or make it a field ' +
          `(${name} = (signum) => …)`,
        Object.getOwnPropertyDescriptor(one, name)?.value,
      );
    }
    one = Object.getPrototypeOf(one) as object | null;
  }
}

/** Both forms of the constructor's arguments after the first. */
function toHandlersAndOptions(
  sigint: SignalCallable | SignalHandlerOptions | null | undefined,
  sigterm: SignalCallable | null | undefined,
  sigabrt: SignalCallable | null | undefined,
  surplus: readonly unknown[],
): SignalHandlerOptions {
  const tooMany = surplus.find((value) => value !== undefined);
  if (tooMany !== undefined) {
    throw invalidArgType(
      'surplus',
      'left out: options go second, with the handlers by name',
      tooMany,
    );
  }
  if (typeof sigint !== 'object' || sigint === null) {
    return toOptions<SignalHandlerOptions>({ sigint, sigterm, sigabrt }, OPTIONS);
  }
  if (Array.isArray(sigint)) {
    throw invalidArgType(
      'sigint',
      'of type function, or an object of handlers and options',
      sigint,
    );
  }
  for (const [name, value] of Object.entries({ sigterm, sigabrt })) {
    if (value !== undefined) throw invalidArgType(name, 'left out after an options object', value);
  }
  for (const key of Object.keys(sigint).filter(isSignalsProperty)) {
    const advice = adviceOn(key, (signal) => `use the option signals: { ${signal}: … }`);
    const given = (sigint as Readonly<Record<string, unknown>>)[key];
    throw invalidArgValue(`options.${key}`, `is unknown; ${advice}`, given);
  }
  for (const [name, value] of Object.entries(sigint)) {
    const isOption = (OPTIONS as readonly string[]).includes(name);
    if (isOption || !isAbortSignal(value)) continue;
    throw invalidArgValue(
      `options.${name}`,
      'is unknown; an AbortSignal is for start({ wait, abortSignal })',
      value,
    );
  }
  return toOptions<SignalHandlerOptions>(sigint, OPTIONS);
}

/** The name of each option that sets a handler, the signal's number, and the handler. */
function handlersIn(options: SignalHandlerOptions): (readonly [string, number, unknown])[] {
  const signals: unknown = options.signals ?? {};
  if (typeof signals !== 'object' || signals === null || Array.isArray(signals)) {
    throw invalidArgType('options.signals', 'an object of handlers by signal', signals);
  }
  const three = HANDLER_NAMES.map(
    (name) => [name, SIGNAL_CLASSES[name].SIGNUM, options[name]] as const,
  );
  const others = Object.entries(signals).map(([key, handler]: [string, unknown]) => {
    const name = `options.signals.${key}`;
    return [name, toHandledSignum(name, /^\d+$/.test(key) ? Number(key) : key), handler] as const;
  });
  return [...three, ...others].filter(([, , handler]) => handler !== undefined && handler !== null);
}

function toDeadline(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  return value === null ? 0 : toMilliseconds('options.deadline', value, 'of type number, or null');
}
