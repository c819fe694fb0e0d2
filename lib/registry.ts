// Which handler of this process gets the signals: the newest one that runs.
//
// There is one registry in a process, whatever the number of copies and versions of this package in
// it. The copy that was loaded first makes it, and its addon does the work for all, so that the
// dispositions are saved once and put back once.
import { constants } from 'node:os';
import { publishWarning, type WarningMessage } from './diagnostics';
import { SignalError, explainSystemError, systemErrorCode } from './errors';
import { After, native as ownNative, type NativeBinding, type OnArrival } from './native';
import type { Arrival } from './record';
import { signalName } from './signals';

/** A handler that runs. */
export interface Receiver {
  /** Hands an arrival to the user's handler. Does not throw. */
  receive(arrival: Arrival): void;
  /** Does what receive() does, up to where it would call a handler. */
  warmUp(arrival: Arrival): void;
  /** The numbers of the signals that it takes. */
  signums(): readonly number[];
  takes(signum: number): boolean;
  /** Whether the default handler would be called. */
  isDefault(signum: number): boolean;
  ignores(signum: number): boolean;
  /** Whether the listeners of others are called after its handlers. */
  callsListeners(): boolean;
  /** Milliseconds until the process is ended if this signal is not handled; 0: no deadline. */
  deadlineOf(signum: number): number;
  beginsShutdown(signum: number): boolean;
  /** When it comes again. */
  endsShutdown(signum: number): boolean;
  /** Milliseconds that a shutdown may take. */
  shutdownWithin(): number;
  /** Whether it keeps the event loop alive. */
  isReferenced(): boolean;
  /** The process is exiting. */
  stop(): void;
}

/**
 * What is done about a signal:
 *
 * - `'off'`: nothing.
 * - `'shared'`: the default handler has it for as long as nobody listens with `process.on()`. Whoever
 *   does gets it from the runtime, as without us.
 * - `'owned'`: our handler has it, and the runtime must not touch its disposition.
 */
type Mode = 'off' | 'shared' | 'owned';

// Windows has no dispositions that a runtime could touch.
const PINS = process.platform !== 'win32';

// Sharing takes a runtime that installs its handler for the first listener, removes it after the
// last, and says so. Bun does not emit 'removeListener', and Deno keeps its handler, which also calls
// the one it found. There, and on Windows, the default handler calls the listeners of others.
const BUN = 'bun' in process.versions;
const NODE = !BUN && !('deno' in process.versions);
const SHARES = PINS && NODE;

/** How many listeners for one event are ours, at most. */
const MOST_OF_OURS = 3;

export class Registry {
  readonly native: NativeBinding;
  /** The arrival whose handler is running, in whichever copy of this package. */
  handling: Arrival | null = null;
  readonly #host: NodeJS.Process;
  readonly #receivers: Receiver[] = [];
  readonly #leaving = new Set<Receiver>();
  // By signal number.
  readonly #modes = new Map<number, Mode>();
  readonly #listenedBefore = new Map<number, boolean>();
  /** Shutdowns that have begun, and what runs in each; empty: nothing any more. */
  readonly #shutdowns = new Map<object, string>();
  /** The one that the line about a late shutdown is about. */
  #shown: object | null = null;
  #exitIsDue = false;
  #plansShutdown = false;
  readonly #warned = new Set<number>();
  /** Why the handlers could not be reached when that was last looked at; 0: they could. */
  #unreachable = 0;
  /** How many listeners the runtime does not warn of without us; 0: any number. */
  #mostListeners = 0;
  #started = false;
  #updating = false;
  #outdated = false;
  #checkPlanned = false;
  #loopIsEmpty = false;
  #exiting = false;

  constructor(native: NativeBinding) {
    this.native = native;
    this.#host = native.hostProcess;
  }

  /** Throws with everything as before: a SignalError when the system refuses. */
  start(receiver: Receiver): void {
    this.#receivers.push(receiver);
    try {
      this.update();
    } catch (error) {
      this.#remove(receiver);
      inSpiteOfErrors([() => this.update()], () => undefined);
      throw error;
    }
  }

  /**
   * First delivers what is pending for this one, unless the process is exiting; then releases the PID
   * file, because a PID that can be read may be signalled; then the signals.
   * `isStopped` tells whether a handler that was called has stopped it meanwhile.
   */
  stop(receiver: Receiver, isStopped: () => boolean, letGoOfPidFile: () => void): void {
    if (!this.#exiting && this.#isFirstFor(receiver)) this.deliverWaiting();
    if (isStopped()) return;
    letGoOfPidFile();
    const isLast = this.#receivers.length === 1;
    this.#leaving.add(receiver);
    // Some of its signals are given back: no arrival of those is recorded any more.
    const gives = receiver.signums().some((signum) => !this.#stayingReceiverOf(signum));
    try {
      this.update();
    } finally {
      // Whatever another library's 'removeListener' listener throws.
      if (isLast && this.#exiting) this.native.discard();
      else if (gives && !this.#exiting) this.deliverWaiting();
      this.#leaving.delete(receiver);
      this.#remove(receiver);
    }
  }

  /** Something about the running handlers has changed. */
  update(): void {
    // Called again by a listener or hook that runs meanwhile, the first call does the work for both.
    this.#outdated = true;
    if (this.#updating) return;
    this.#updating = true;
    try {
      while (this.#outdated) {
        this.#outdated = false;
        this.#apply();
      }
    } finally {
      this.#updating = false;
    }
  }

  /** The process is terminated with `signum` after that time. */
  limitExit(milliseconds: number, signum: number, extend: boolean): void {
    this.#startThreads('limit the time to exit');
    this.native.nameSignal(signum, signalName(signum));
    this.native.setExitLimit(milliseconds, signum, extend);
  }

  cancelExitLimit(): void {
    this.native.cancelExitLimit();
    if (!this.#started) this.native.stopThreads();
  }

  /** The process ends that long after the signal that has begun the shutdown, or after now. */
  beginShutdown(shutdown: object, milliseconds: number): void {
    this.#startThreads('limit the time of the shutdown');
    this.#shutdowns.set(shutdown, '');
    this.native.beginShutdown(milliseconds);
  }

  /** What the line about a late shutdown says is running; empty: nothing. */
  setRunning(shutdown: object, name: string): void {
    if (!this.#shutdowns.has(shutdown)) return;
    this.#shutdowns.set(shutdown, name);
    this.#show(shutdown);
  }

  /** Whether hooks of any shutdown are running. */
  runsHooks(): boolean {
    return [...this.#shutdowns.values()].some((name) => name !== '');
  }

  /** Ends the process with `process.exitCode` once no hooks are running. */
  exit(): void {
    this.#exitIsDue = true;
    if (!this.runsHooks()) this.#host.exit(this.#host.exitCode);
  }

  /** The process goes on, unless another shutdown ends it. */
  finishShutdown(shutdown: object): void {
    if (!this.#shutdowns.delete(shutdown)) return;
    if (this.#exitIsDue) {
      setImmediate(() => this.exit());
    } else if (this.#shutdowns.size > 0) {
      this.#show(shutdown);
    } else {
      this.#shown = null;
      this.native.finishShutdown();
      if (!this.#started) this.native.stopThreads();
    }
  }

  // The first: one that another has begun in a hook is a part of that hook.
  #show(changed: object): void {
    const [shown = null, name = ''] =
      [...this.#shutdowns].find(([, running]) => running !== '') ?? [];
    if (shown === changed || shown !== this.#shown) this.native.setRunning(name);
    this.#shown = shown;
  }

  /**
   * Runs the listeners of others, if there are any, as the runtime would: our own is not among them.
   * Throws what one of them throws.
   */
  runListeners(signum: number): boolean {
    if (!this.#othersListen(signum)) return false;
    const name = signalName(signum);
    this.#host.off(name, this.#pinned);
    try {
      const emitter: NodeJS.EventEmitter = this.#host; // the types know no other arguments
      emitter.emit(name, name, signum);
    } finally {
      this.#check(signum);
    }
    return true;
  }

  /**
   * The listeners of others: those that are visible, and those that hide from listeners(), as
   * that of tsx, which tells a parent process that the signal has arrived. Those of signal-exit do
   * not count if there are no others: they would end the process.
   */
  othersOf(signum: number): { readonly visible: Listener[]; readonly hidden: Listener[] } {
    const emitter: NodeJS.EventEmitter = this.#host;
    const raw = emitter.rawListeners(signalName(signum)) as Listener[];
    const others = raw.filter((listener) => listener !== this.#pinned);
    if (others.length === 0) return { visible: others, hidden: others };
    const shown = new Set(this.#listeners(signum));
    const isShown = (listener: Listener): boolean =>
      shown.has(listener) || (listener.listener !== undefined && shown.has(listener.listener));
    const visible = others.filter(isShown);
    return {
      visible: visible.length > listenersOfSignalExit(this.#host) ? visible : [],
      hidden: others.filter((listener) => !isShown(listener)),
    };
  }

  /** Calls them as the runtime would; what one throws is an uncaught exception, and the rest still run. */
  call(listeners: readonly Listener[], signum: number): void {
    // Bun does not tell which of them are for once, so it has to call them itself.
    const calls =
      BUN && listeners.length > 0
        ? [() => this.runListeners(signum)]
        : listeners.map(
            (listener) => () => Reflect.apply(listener, this.#host, [signalName(signum), signum]),
          );
    for (const call of calls) {
      try {
        call();
      } catch (error) {
        this.native.fatalException(error);
      }
    }
  }

  // All of them by one function, which the types know for names that are literal only.
  // eslint-disable-next-line @typescript-eslint/no-unsafe-function-type
  #listeners(signum: number): Function[] {
    const emitter: NodeJS.EventEmitter = this.#host;
    return emitter.listeners(signalName(signum));
  }

  #othersListen(signum: number): boolean {
    return this.#listeners(signum).some((one) => one !== this.#pinned);
  }

  /** The newest that takes the signal; one that is being stopped only if there is no other. */
  #receiverOf(signum: number): Receiver | undefined {
    let leaving: Receiver | undefined;
    for (let index = this.#receivers.length - 1; index >= 0; index--) {
      const receiver = this.#receivers[index];
      if (receiver?.takes(signum) !== true) continue;
      if (!this.#leaving.has(receiver)) return receiver;
      leaving ??= receiver;
    }
    return leaving;
  }

  /** The same but for those that are being stopped. */
  #stayingReceiverOf(signum: number): Receiver | undefined {
    const receiver = this.#receiverOf(signum);
    return receiver !== undefined && this.#leaving.has(receiver) ? undefined : receiver;
  }

  #isFirstFor(receiver: Receiver): boolean {
    return receiver.signums().some((signum) => this.#receiverOf(signum) === receiver);
  }

  /** What is or was taken. */
  #signums(): number[] {
    const signums = this.#receivers.flatMap((receiver) => [...receiver.signums()]);
    return [...new Set([...signums, ...this.#modes.keys()])];
  }

  #remove(receiver: Receiver): void {
    const index = this.#receivers.lastIndexOf(receiver);
    if (index >= 0) this.#receivers.splice(index, 1);
  }

  #apply(): void {
    const runs = this.#receivers.some((receiver) => !this.#leaving.has(receiver));
    if (runs) this.#begin();
    const modeOf = (signum: number): Mode => {
      const receiver = this.#stayingReceiverOf(signum);
      if (receiver === undefined) return 'off';
      return SHARES && receiver.isDefault(signum) ? 'shared' : 'owned';
    };
    inSpiteOfErrors(
      this.#signums().map((signum) => () => this.#change(signum, modeOf(signum))),
      () => {
        for (const signum of this.#signums()) this.#setHandling(signum);
        this.native.setReferenced(this.#receivers.some((receiver) => receiver.isReferenced()));
        if (!runs) this.#finish();
      },
    );
    this.#warnIfUnreachable(runs);
  }

  #begin(): void {
    if (this.#started) return;
    this.#exiting = false;
    this.#startThreads('start signal handling');
    this.#started = true;
    this.#allowMoreListeners();
    this.#host.on('beforeExit', this.#beforeExit);
    this.#host.prependListener('exit', this.#exitBegins);
    this.#host.on('exit', this.#atExit);
    this.#host.on('newListener', this.#listenerComes);
    this.#host.on('removeListener', this.#listenerGoes);
  }

  #finish(): void {
    if (!this.#started) return;
    this.#started = false;
    inSpiteOfErrors(
      [
        () => this.#host.off('newListener', this.#listenerComes),
        () => this.#host.off('removeListener', this.#listenerGoes),
        () => this.#host.off('beforeExit', this.#beforeExit),
        () => this.#host.off('exit', this.#exitBegins),
        () => this.#host.off('exit', this.#atExit),
      ],
      () => {
        this.#allowNoMoreListeners();
        this.native.stopThreads();
      },
    );
  }

  // Ours are not to count when the runtime warns of too many.
  #allowMoreListeners(): void {
    const most = this.#host.getMaxListeners();
    if (most === 0) return;
    this.#mostListeners = most;
    this.#host.setMaxListeners(most + MOST_OF_OURS);
  }

  #allowNoMoreListeners(): void {
    const most = this.#mostListeners;
    this.#mostListeners = 0;
    // Unless another number has been set meanwhile.
    if (most === 0 || this.#host.getMaxListeners() !== most + MOST_OF_OURS) return;
    this.#host.setMaxListeners(most);
  }

  #startThreads(purpose: string): void {
    const { native } = this;
    const error = native.startThreads(this.#deliver, () => describeOpenResources(this.#host));
    throwIfRefused(error, purpose);
  }

  #setHandling(signum: number): void {
    const receiver = this.#stayingReceiverOf(signum);
    if (receiver === undefined) {
      this.native.setHandling(signum, false, 0, false, false);
      return;
    }
    const isLeftToOthers = receiver.isDefault(signum) && this.#othersListen(signum);
    const deadline = isLeftToOthers ? 0 : receiver.deadlineOf(signum);
    const begins = receiver.beginsShutdown(signum);
    if (begins) this.native.limitShutdown(receiver.shutdownWithin());
    this.#plansShutdown ||= begins;
    const ends = receiver.endsShutdown(signum);
    this.#warnOfUncalled(signum, receiver);
    this.native.setHandling(signum, receiver.ignores(signum), deadline, begins, ends);
  }

  // Once for each signal.
  #warnOfUncalled(signum: number, receiver: Receiver): void {
    if (receiver.isDefault(signum) || receiver.callsListeners() || this.#warned.has(signum)) return;
    if (this.othersOf(signum).visible.length === 0) return;
    this.#warned.add(signum);
    const name = signalName(signum);
    this.#warn(
      'DAEMONIKER_LISTENERS_NOT_CALLED',
      `Listeners of process.on('${name}') are not called, because a SignalHandler1 handles ${name}. ` +
        'To have them called after its handler, give it { listeners: true }',
    );
  }

  // Once for each time that it becomes so.
  #warnIfUnreachable(runs: boolean): void {
    const error = runs ? this.native.unreachable() : 0;
    if (error === this.#unreachable) return;
    this.#unreachable = error;
    if (error === 0) return;
    this.#warn(
      'DAEMONIKER_UNREACHABLE',
      `send() cannot reach the handlers of this process: ${explainSystemError(error, NO_PIPE)}. ` +
        'They still get all other signals, and the pipe is tried again every second',
    );
  }

  #warn(code: WarningMessage['code'], message: string): void {
    publishWarning({ code, message });
    this.#host.emitWarning(message, { type: 'DaemonikerWarning', code });
  }

  #change(signum: number, mode: Mode): void {
    const before = this.#modes.get(signum) ?? 'off';
    if (mode === before) return;
    if (before === 'off') this.native.nameSignal(signum, signalName(signum));
    const isLeftToOthers = before === 'shared' && this.#othersListen(signum);
    if (isLeftToOthers) this.#giveBack(signum, After.AsItIs, () => undefined);
    if (mode === 'owned') {
      this.#take(signum, () => this.#pin(signum));
      this.#modes.set(signum, mode);
      return;
    }
    const unpin = before === 'owned' ? () => this.#unpin(signum) : () => undefined;
    this.#modes.set(signum, mode);
    const othersListen = this.#othersListen(signum);
    if (mode === 'shared' && !othersListen) this.#take(signum, unpin);
    else if (!isLeftToOthers) this.#giveBack(signum, this.#after(signum, othersListen), unpin);
  }

  #after(signum: number, othersListen: boolean): After {
    if (othersListen) return After.Runtime;
    // The runtime's handler was there for others, who have left since, and would swallow the signal.
    return this.#listenedBefore.get(signum) === true ? After.Default : After.Saved;
  }

  #giveBack(signum: number, after: After, between: () => void): void {
    this.native.giveBack(signum, after, between);
  }

  #take(signum: number, between: () => void): void {
    throwIfRefused(this.native.take(signum, between), 'start signal handling');
  }

  // The runtime changes a signal's disposition when process.on(signal) gets its first listener and
  // when it loses its last, even over a handler that is not the runtime's own. Our own listener
  // that is always there keeps it from ever being first or last.
  #pin(signum: number): void {
    if (!isRuntimes(signum)) return;
    this.#listenedBefore.set(signum, this.#othersListen(signum));
    this.#host.on(signalName(signum), this.#pinned);
  }

  #unpin(signum: number): void {
    this.#host.off(signalName(signum), this.#pinned);
    this.#listenedBefore.delete(signum);
  }

  // Called only for a signal that came before our handler was installed. If others listened then, it
  // was for them, and they get it; if not, the pin itself had made the runtime catch it.
  // Deno gives its listeners no number, and process.emit() may give none of the two.
  readonly #pinned = (name: NodeJS.Signals): void => {
    const signum = constants.signals[name];
    if (this.#listenedBefore.get(signum) === false) this.native.recordFromRuntime(signum);
  };

  // The runtime installs its own handler for its first listener, so the others have it from now on.
  readonly #listenerComes = (name: string | symbol): void => {
    const signum = toSignum(name);
    if (signum === undefined) return;
    // The event loop may be blocked before the next check.
    if (this.#receiverOf(signum)?.isDefault(signum) === true) {
      this.native.setHandling(signum, false, 0, false, false);
    }
    this.#checkSoon();
  };

  // It resets the disposition after its last one.
  readonly #listenerGoes = (name: string | symbol): void => {
    const signum = toSignum(name);
    if (signum === undefined) return;
    if (this.#modes.get(signum) === 'shared') this.#check(signum);
    this.#checkSoon();
  };

  // What listeners others have once they are done with adding and removing them: vm's breakOnSigint
  // removes all, the pin too, for as long as a script runs.
  #checkSoon(): void {
    this.#outdated = true; // for an update() that is under way
    if (this.#checkPlanned || this.#updating) return;
    this.#checkPlanned = true;
    queueMicrotask(() => {
      this.#checkPlanned = false;
      if (!this.#started) return;
      for (const signum of this.#modes.keys()) this.#check(signum);
      this.update();
    });
  }

  /** Makes sure that our handler is in place where it should be. */
  #check(signum: number): void {
    const mode = this.#modes.get(signum) ?? 'off';
    if (!isRuntimes(signum) || mode === 'off') return;
    if (mode === 'shared') {
      if (!this.#othersListen(signum)) this.#take(signum, () => undefined);
    } else {
      const isPinned = this.#listeners(signum).includes(this.#pinned);
      this.#take(signum, isPinned ? () => undefined : () => this.#pin(signum));
    }
  }

  readonly #deliver: OnArrival = (signum, origin, pid, uid, wallUs, count, sequence, command) => {
    const outer = this.handling;
    const arrival: Arrival = { signum, origin, pid, uid, wallUs, count, sequence, command };
    this.handling = arrival;
    try {
      if (signum === 0) this.#receivers.at(-1)?.warmUp(arrival);
      else this.#receiverOf(signum)?.receive(arrival);
    } finally {
      this.handling = outer;
      // One that was to begin a shutdown may have met another handler.
      if (this.#plansShutdown) this.native.finishUnseenShutdown();
    }
  };

  /** What waits now, and not what arrives meanwhile: under a storm that would never end. */
  deliverWaiting(): void {
    for (let waiting = this.native.waiting(); waiting > 0; waiting--)
      this.native.deliver(this.#deliver);
  }

  // The messenger's way to the event loop does not keep the process alive, so a signal may have
  // arrived that the loop would not wait for (nodejs/node#28502).
  readonly #beforeExit = (): void => {
    this.deliverWaiting();
    // What has come meanwhile: a turn of the loop, after which the runtime asks again.
    if (this.native.waiting() > 0) setImmediate(() => undefined);
    // Until the loop turns once more, because a later listener gives it something to do.
    this.#loopIsEmpty = true;
    // No setImmediate(): in Bun it turns the loop even after unref().
    setTimeout(() => (this.#loopIsEmpty = false), 0).unref();
  };

  // Before all other listeners: from now on no handler is called any more.
  readonly #exitBegins = (): void => {
    // What a later 'beforeExit' listener has brought. process.exit() drops what waits.
    if (this.#loopIsEmpty) this.deliverWaiting();
    this.#exiting = true;
  };

  readonly #atExit = (): void => {
    for (const receiver of [...this.#receivers].reverse()) receiver.stop();
  };
}

const NO_PIPE = {
  EADDRINUSE: 'another process has taken the name of its pipe, and send() will fail with EPROTO',
  EPERM:
    'Windows allows it no pipe (it runs in an AppContainer), and send() will terminate it like a ' +
    'process without handlers',
};

/** A listener, perhaps in the wrapper that once() makes. */
type Listener = ((...args: unknown[]) => unknown) & {
  readonly listener?: (...args: unknown[]) => unknown;
};

/** How many listeners for each of its signals signal-exit (versions 3 and 4) has, by its own count. */
function listenersOfSignalExit(host: object): number {
  const counts = [
    (host as { readonly __signal_exit_emitter__?: Counted }).__signal_exit_emitter__?.count,
    (globalThis as { readonly [SIGNAL_EXIT_4]?: Counted })[SIGNAL_EXIT_4]?.count,
  ];
  return counts.reduce<number>((sum, count) => (typeof count === 'number' ? sum + count : sum), 0);
}

interface Counted {
  readonly count?: unknown;
}
const SIGNAL_EXIT_4 = Symbol.for('signal-exit emitter');

const MOST_RESOURCES = 8;

/** What keeps the event loop alive, in a few words: "TCPServerWrap, Timeout (3)". */
function describeOpenResources(host: NodeJS.Process): string {
  const counts = new Map<string, number>();
  for (const kind of openResources(host)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const kinds = [...counts].map(([kind, count]) => (count === 1 ? kind : `${kind} (${count})`));
  return kinds.length > MOST_RESOURCES
    ? `${kinds.slice(0, MOST_RESOURCES).join(', ')}, …`
    : kinds.join(', ');
}

/** Nothing in Bun, which does not tell. */
function openResources(host: NodeJS.Process): readonly string[] {
  if (!('getActiveResourcesInfo' in host)) return [];
  const kinds = [...host.getActiveResourcesInfo()];
  // stdout and stderr are listed as soon as anything has used them, and keep nothing alive.
  for (const stream of activeHandles(host)) {
    if (stream._isStdio !== true || stream.writableLength !== 0) continue;
    // Of others it may not even be read: that of a UDP socket is deprecated.
    const type = stream._handle?.constructor.name;
    const at = kinds.findIndex((kind) => kind === `${type}Wrap` || kind === `${type}SocketWrap`);
    if (at >= 0) kinds.splice(at, 1);
  }
  return kinds;
}

interface ActiveHandle {
  /** Node's own mark; stdin, which does keep the loop alive while it is read, has none. */
  readonly _isStdio?: boolean;
  readonly _handle?: object | null;
  readonly writableLength?: number;
}

/** Unlike `process.stdout`, this makes no stream that nobody has used. */
function activeHandles(host: object): readonly ActiveHandle[] {
  return NODE && '_getActiveHandles' in host
    ? (host as { _getActiveHandles(): readonly ActiveHandle[] })._getActiveHandles()
    : [];
}

function toSignum(name: string | symbol): number | undefined {
  return Object.hasOwn(constants.signals, name)
    ? constants.signals[name as NodeJS.Signals]
    : undefined;
}

/** Whether the runtime could touch its disposition: not without a name, as real-time signals. */
function isRuntimes(signum: number): boolean {
  return PINS && toSignum(signalName(signum)) !== undefined;
}

function throwIfRefused(error: number, purpose: string): void {
  if (error === 0) return;
  if (error > 0) {
    throw new SignalError(
      `Cannot ${purpose}: another environment of this process handles its signals`,
      'ERR_HANDLER_RUNNING',
    );
  }
  throw new SignalError(`Cannot ${purpose}: ${explainSystemError(error)}`, systemErrorCode(error), {
    errno: error,
  });
}

/**
 * Does everything, and only then throws the first error: another library's 'removeListener' listener
 * must not keep our own listeners from being removed.
 */
function inSpiteOfErrors(actions: readonly (() => unknown)[], last: () => void): void {
  const errors: unknown[] = [];
  for (const action of actions) {
    try {
      action();
    } catch (error) {
      errors.push(error);
    }
  }
  last();
  if (errors.length > 0) throw errors[0];
}

// To be changed whenever two versions of Registry could not stand in for each other.
const KEY = Symbol.for('daemoniker.registry.4');

function sharedRegistry(): Registry {
  const host = ownNative.hostProcess as NodeJS.Process & { [KEY]?: Registry };
  const existing = host[KEY];
  if (existing !== undefined) return existing;
  const registry = new Registry(ownNative);
  Object.defineProperty(host, KEY, { value: registry });
  return registry;
}

export const registry = sharedRegistry();
