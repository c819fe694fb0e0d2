// Which handler of this process gets the signals: the newest one that runs.
//
// There is one registry in a process, whatever the number of copies and versions of this package in
// it. The copy that was loaded first makes it, and its addon does the work for all, so that the
// dispositions are saved once and put back once.
import { constants } from 'node:os';
import { SignalError, explainSystemError, systemErrorCode } from './errors';
import { After, native as ownNative, type NativeBinding, type OnArrival } from './native';
import type { Arrival } from './record';

/** A handler that runs. */
export interface Receiver {
  /** Hands an arrival to the user's handler. Does not throw. */
  receive(arrival: Arrival): void;
  /** Does what receive() does, up to where it would call a handler. */
  warmUp(arrival: Arrival): void;
  /** Whether the default handler would be called. */
  isDefault(signum: number): boolean;
  ignores(signum: number): boolean;
  /** Milliseconds until the process is ended if this signal is not handled; 0: no deadline. */
  deadlineOf(signum: number): number;
  /** Whether it keeps the event loop alive. */
  isReferenced(): boolean;
  /** The process is exiting. */
  stop(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGABRT'] as const;
type SignalName = (typeof SIGNALS)[number];

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
const SHARES = PINS && !('bun' in process.versions) && !('deno' in process.versions);

export class Registry {
  readonly native: NativeBinding;
  /** The arrival whose handler is running, in whichever copy of this package. */
  handling: Arrival | null = null;
  readonly #host: NodeJS.Process;
  readonly #receivers: Receiver[] = [];
  readonly #leaving = new Set<Receiver>();
  readonly #modes: Record<SignalName, Mode> = { SIGINT: 'off', SIGTERM: 'off', SIGABRT: 'off' };
  readonly #listenedBefore = new Map<string, boolean>();
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
   * Delivers first what waits, if it waits for this one and the process is not exiting; then lets go
   * of the PID file, because whoever can read the PID may signal it; then of the signals.
   * `isStopped` tells whether a handler that was called has stopped it meanwhile.
   */
  stop(receiver: Receiver, isStopped: () => boolean, letGoOfPidFile: () => void): void {
    if (!this.#exiting && this.#receivers.at(-1) === receiver) this.#deliverWaiting();
    if (isStopped()) return;
    letGoOfPidFile();
    const isLast = this.#receivers.length === 1;
    this.#leaving.add(receiver);
    try {
      this.update();
    } finally {
      // Whatever a 'removeListener' listener of somebody's throws. Nothing is recorded any more.
      if (isLast && this.#exiting) this.native.discard();
      else if (isLast) this.#deliverWaiting();
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
        this.#apply(this.#receivers.filter((receiver) => !this.#leaving.has(receiver)).at(-1));
      }
    } finally {
      this.#updating = false;
    }
  }

  /** The process ends by `signum` that long from now. */
  limitExit(milliseconds: number, signum: number, extend: boolean): void {
    this.#startThreads('watch over the exit');
    this.native.setExitLimit(milliseconds, signum, extend);
  }

  cancelExitLimit(): void {
    this.native.cancelExitLimit();
    if (!this.#started) this.native.stopThreads();
  }

  /**
   * Runs the listeners of others, if there are any, as the runtime would: our own is not among them.
   * Throws what one of them throws.
   */
  runListeners(signum: number): boolean {
    const name = SIGNALS.find((one) => constants.signals[one] === signum);
    if (name === undefined || !this.#othersListen(name)) return false;
    this.#host.off(name, this.#pinned);
    try {
      const emitter: NodeJS.EventEmitter = this.#host; // the types know no other arguments
      emitter.emit(name, name, signum);
    } finally {
      this.#check(name);
    }
    return true;
  }

  #othersListen(name: SignalName): boolean {
    return this.#host.listeners(name).some((listener) => listener !== this.#pinned);
  }

  #remove(receiver: Receiver): void {
    const index = this.#receivers.lastIndexOf(receiver);
    if (index >= 0) this.#receivers.splice(index, 1);
  }

  #apply(newest: Receiver | undefined): void {
    if (newest !== undefined) this.#begin();
    const modeOf = (name: SignalName): Mode => {
      if (newest === undefined) return 'off';
      return SHARES && newest.isDefault(constants.signals[name]) ? 'shared' : 'owned';
    };
    inSpiteOfErrors(
      SIGNALS.map((name) => () => this.#change(name, modeOf(name))),
      () => {
        if (newest === undefined) this.#finish();
        else this.#setHandling(newest);
      },
    );
  }

  #begin(): void {
    if (this.#started) return;
    this.#exiting = false;
    this.#startThreads('start signal handling');
    this.#started = true;
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
      () => this.native.stopThreads(),
    );
  }

  #startThreads(purpose: string): void {
    const { native } = this;
    const error = native.startThreads(this.#deliver, () => describeOpenResources(this.#host));
    throwIfRefused(error, purpose);
  }

  #setHandling(newest: Receiver): void {
    for (const name of SIGNALS) {
      const signum = constants.signals[name];
      const isLeftToOthers = newest.isDefault(signum) && this.#othersListen(name);
      const deadline = isLeftToOthers ? 0 : newest.deadlineOf(signum);
      this.native.setHandling(signum, newest.ignores(signum), deadline);
    }
    this.native.setReferenced(this.#receivers.some((receiver) => receiver.isReferenced()));
  }

  #change(name: SignalName, mode: Mode): void {
    const before = this.#modes[name];
    if (mode === before) return;
    const isLeftToOthers = before === 'shared' && this.#othersListen(name);
    if (isLeftToOthers) this.#giveBack(name, After.AsItIs, () => undefined);
    if (mode === 'owned') {
      this.#take(name, () => this.#pin(name));
      this.#modes[name] = mode;
      return;
    }
    const unpin = before === 'owned' ? () => this.#unpin(name) : () => undefined;
    this.#modes[name] = mode;
    const othersListen = this.#othersListen(name);
    if (mode === 'shared' && !othersListen) this.#take(name, unpin);
    else if (!isLeftToOthers) this.#giveBack(name, this.#after(name, othersListen), unpin);
  }

  #after(name: SignalName, othersListen: boolean): After {
    if (othersListen) return After.Runtime;
    // The runtime's handler was there for others, who have left since, and would swallow the signal.
    return this.#listenedBefore.get(name) === true ? After.Default : After.Saved;
  }

  #giveBack(name: SignalName, after: After, between: () => void): void {
    this.native.giveBack(constants.signals[name], after, between);
  }

  #take(name: SignalName, between: () => void): void {
    throwIfRefused(this.native.take(constants.signals[name], between), 'start signal handling');
  }

  // The runtime changes a signal's disposition when process.on(signal) gets its first listener and
  // when it loses its last, even over a handler that is not the runtime's own. A listener of ours
  // that is always there keeps it from ever being first or last.
  #pin(name: SignalName): void {
    if (!PINS) return;
    this.#listenedBefore.set(name, this.#host.listenerCount(name) > 0);
    this.#host.on(name, this.#pinned);
  }

  #unpin(name: SignalName): void {
    this.#host.off(name, this.#pinned);
    this.#listenedBefore.delete(name);
  }

  // Called only for a signal that came before our handler was installed. If others listened then, it
  // was for them, and they get it; if not, the pin itself had made the runtime catch it.
  // Deno gives its listeners no number, and process.emit() may give none of the two.
  readonly #pinned = (name: NodeJS.Signals): void => {
    if (this.#listenedBefore.get(name) !== false) return;
    this.native.recordFromRuntime(constants.signals[name]);
  };

  // The runtime installs its own handler for its first listener, so the others have it from now on.
  readonly #listenerComes = (name: string | symbol): void => {
    if (!isSignal(name)) return;
    // The event loop may be blocked before anybody checks.
    const newest = this.#receivers.at(-1);
    if (isOurs(name) && newest?.isDefault(constants.signals[name]) === true) {
      this.native.setHandling(constants.signals[name], false, 0);
    }
    this.#checkSoon();
  };

  // It resets the disposition after its last one.
  readonly #listenerGoes = (name: string | symbol): void => {
    if (!isSignal(name)) return;
    if (isOurs(name) && this.#modes[name] === 'shared') this.#check(name);
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
      for (const name of SIGNALS) this.#check(name);
      this.update();
    });
  }

  /** Makes sure that our handler is in place where it should be. */
  #check(name: SignalName): void {
    const mode = this.#modes[name];
    if (!PINS || mode === 'off') return;
    if (mode === 'shared') {
      if (!this.#othersListen(name)) this.#take(name, () => undefined);
    } else {
      const isPinned = this.#host.listeners(name).includes(this.#pinned);
      this.#take(name, isPinned ? () => undefined : () => this.#pin(name));
    }
  }

  readonly #deliver: OnArrival = (signum, origin, pid, uid, wallUs, count, sequence, command) => {
    const outer = this.handling;
    const arrival: Arrival = { signum, origin, pid, uid, wallUs, count, sequence, command };
    this.handling = arrival;
    try {
      if (signum === 0) this.#receivers.at(-1)?.warmUp(arrival);
      else this.#receivers.at(-1)?.receive(arrival);
    } finally {
      this.handling = outer;
    }
  };

  // What waits now, and not what arrives meanwhile: under a storm that would never end.
  #deliverWaiting(): void {
    for (let waiting = this.native.waiting(); waiting > 0; waiting--)
      this.native.deliver(this.#deliver);
  }

  // The messenger's way to the event loop does not keep the process alive, so a signal may have
  // arrived that the loop would not wait for (nodejs/node#28502).
  readonly #beforeExit = (): void => {
    this.#deliverWaiting();
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
    if (this.#loopIsEmpty) this.#deliverWaiting();
    this.#exiting = true;
  };

  readonly #atExit = (): void => {
    for (const receiver of [...this.#receivers].reverse()) receiver.stop();
  };
}

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
  return 'getActiveResourcesInfo' in host ? host.getActiveResourcesInfo() : [];
}

function isSignal(name: string | symbol): name is string {
  return typeof name === 'string' && name.startsWith('SIG');
}

function isOurs(name: string): name is SignalName {
  return (SIGNALS as readonly string[]).includes(name);
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
 * Does everything, and only then throws the first error: a 'removeListener' listener of somebody's
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
const KEY = Symbol.for('daemoniker.registry.2');

function sharedRegistry(): Registry {
  const host = ownNative.hostProcess as NodeJS.Process & { [KEY]?: Registry };
  const existing = host[KEY];
  if (existing !== undefined) return existing;
  const registry = new Registry(ownNative);
  Object.defineProperty(host, KEY, { value: registry });
  return registry;
}

export const registry = sharedRegistry();
