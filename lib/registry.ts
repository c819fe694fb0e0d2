// Which handler of this process gets the signals: the newest one that runs.
//
// There is one registry in a process, whatever the number of copies and versions of this package in
// it. The copy that was loaded first makes it, and its addon does the work for all, so that the
// dispositions are saved once and put back once.
import { constants } from 'node:os';
import { SignalError, explainSystemError, systemErrorCode } from './errors';
import { native as ownNative, type Arrival, type NativeBinding, type OnArrival } from './native';

/** A started handler. */
export interface Participant {
  /** Hands an arrival to the user's handler. Does not throw. */
  receive(arrival: Arrival): void;
  /** Milliseconds until the process is ended if this signal is not handled; 0: no deadline. */
  deadlineOf(signum: number): number;
  ignores(signum: number): boolean;
  /** Whether it keeps the event loop alive. */
  isReferenced(): boolean;
  /** The process is exiting. */
  stop(): void;
}

/** From one start() to its stop(). A handler that is started anew meanwhile has another one. */
export interface Run {
  readonly participant: Participant;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGABRT'] as const;
const SIGNUMS = SIGNALS.map((name) => constants.signals[name]);

export class Registry {
  readonly native: NativeBinding;
  readonly #host: NodeJS.Process;
  readonly #running: Run[] = [];
  readonly #listenedBefore = new Map<string, boolean>();
  #installed = false;
  #exiting = false;

  constructor(native: NativeBinding) {
    this.native = native;
    this.#host = native.hostProcess;
  }

  /** Throws a SignalError, with everything as before, when the system refuses. */
  start(participant: Participant): Run {
    if (!this.#installed) this.#takeOver();
    const run = { participant };
    this.#running.push(run);
    this.refresh();
    return run;
  }

  /**
   * Delivers first what waits, if it waits for this one and the process is not exiting; then lets go
   * of the PID file, because whoever can read the PID may signal it; then of the signals. Idempotent.
   */
  stop(run: Run, letGoOfPidFile: () => void): void {
    const deliver = (): void => {
      if (!this.#exiting && this.#running.at(-1) === run) this.#deliverWaiting();
    };
    deliver();
    // A handler that was called may have stopped it, and started it anew.
    if (!this.#running.includes(run)) return;
    letGoOfPidFile();
    const isLast = this.#running.length === 1;
    try {
      if (isLast) this.#giveBack();
    } finally {
      // Whatever a 'removeListener' listener of somebody's throws.
      if (isLast) deliver();
      const index = this.#running.indexOf(run);
      if (index >= 0) this.#running.splice(index, 1);
      this.refresh();
    }
  }

  /** Something about the running handlers has changed. */
  refresh(): void {
    if (!this.#installed) return;
    const newest = this.#running.at(-1)?.participant;
    for (const signum of SIGNUMS) {
      this.native.setSignalDeadline(signum, newest?.deadlineOf(signum) ?? 0);
      this.native.setIgnored(signum, newest?.ignores(signum) ?? false);
    }
    this.native.setReferenced(this.#running.some((run) => run.participant.isReferenced()));
  }

  #takeOver(): void {
    const { native } = this;
    this.#exiting = false;
    let error = native.startDispatcher(this.#deliver);
    if (error === 0) {
      native.saveDispositions(SIGNUMS);
      try {
        this.#pin();
        error = native.install(SIGNUMS);
        if (error === 0) this.#listen();
      } catch (thrownByNewListenerListener) {
        this.#abandon();
        throw thrownByNewListenerListener;
      }
      if (error !== 0) this.#abandon();
    }
    if (error !== 0) {
      throw new SignalError(
        `Cannot start signal handling: ${explainSystemError(error)}`,
        systemErrorCode(error),
        { errno: error },
      );
    }
    this.#installed = true;
  }

  #listen(): void {
    this.#host.on('beforeExit', this.#beforeExit);
    this.#host.prependListener('exit', this.#exitBegins);
    this.#host.on('exit', this.#atExit);
  }

  #removeListeners(): void {
    inSpiteOfErrors([
      () => this.#unpin(),
      () => this.#host.off('beforeExit', this.#beforeExit),
      () => this.#host.off('exit', this.#exitBegins),
      () => this.#host.off('exit', this.#atExit),
    ]);
  }

  #abandon(): void {
    try {
      this.#removeListeners();
    } finally {
      this.native.abandon(SIGNUMS);
      this.native.stopDispatcher();
    }
  }

  #giveBack(): void {
    if (!this.#installed) return;
    this.#installed = false;
    const othersListen = SIGNALS.map((name) =>
      this.#host.listeners(name).some((listener) => listener !== this.#pinned),
    );
    this.native.planRestore(SIGNUMS, othersListen);
    try {
      this.#removeListeners();
    } finally {
      this.native.restore();
      // Nothing is recorded any more; what waits is delivered without it.
      this.native.stopDispatcher();
    }
  }

  // The runtime changes a signal's disposition when process.on(signal) gets its first listener and
  // when it loses its last, even over a handler that is not the runtime's own. A listener of ours
  // that is always there keeps it from ever being first or last.
  #pin(): void {
    if (!PINS) return;
    for (const name of SIGNALS) {
      this.#listenedBefore.set(name, this.#host.listenerCount(name) > 0);
      this.#host.on(name, this.#pinned);
    }
  }

  #unpin(): void {
    if (PINS) inSpiteOfErrors(SIGNALS.map((name) => () => this.#host.off(name, this.#pinned)));
  }

  // Called only for a signal that came before our handler was installed. If others listened then, it
  // was for them, and they get it; if not, the pin itself had made the runtime catch it.
  // Deno gives its listeners no number, and process.emit() may give none of the two.
  readonly #pinned = (name: NodeJS.Signals): void => {
    if (this.#listenedBefore.get(name) !== false) return;
    this.native.recordFromRuntime(constants.signals[name]);
  };

  readonly #deliver: OnArrival = (signum, origin, pid, uid, wallUs, count, sequence) => {
    const arrival = { signum, origin, pid, uid, wallUs, count, sequence };
    this.#running.at(-1)?.participant.receive(arrival);
  };

  // What waits now, and not what arrives meanwhile: under a storm that would never end.
  #deliverWaiting(): void {
    for (let waiting = this.native.waiting(); waiting > 0; waiting--)
      this.native.deliver(this.#deliver);
  }

  // The dispatcher's way to the event loop does not keep the process alive, so a signal may have
  // arrived that the loop would not wait for (nodejs/node#28502).
  readonly #beforeExit = (): void => {
    this.#deliverWaiting();
    // What has come meanwhile: a turn of the loop, after which the runtime asks again.
    if (this.native.waiting() > 0) setImmediate(() => undefined);
  };

  // Before all other listeners: from now on no handler is called any more.
  readonly #exitBegins = (): void => {
    this.#exiting = true;
  };

  readonly #atExit = (): void => {
    for (const { participant } of [...this.#running].reverse()) participant.stop();
  };
}

/**
 * Does everything, and only then throws the first error: a 'removeListener' listener of somebody's
 * must not keep our own listeners from being removed.
 */
function inSpiteOfErrors(actions: readonly (() => unknown)[]): void {
  const errors: unknown[] = [];
  for (const action of actions) {
    try {
      action();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

// Windows calls the newest console handler first, so there the runtime's is never in the way.
const PINS = process.platform !== 'win32';

// To be changed whenever two versions of Registry could not stand in for each other.
const KEY = Symbol.for('daemoniker.registry.1');

function sharedRegistry(): Registry {
  const host = ownNative.hostProcess as NodeJS.Process & { [KEY]?: Registry };
  const existing = host[KEY];
  if (existing !== undefined) return existing;
  const registry = new Registry(ownNative);
  Object.defineProperty(host, KEY, { value: registry });
  return registry;
}

export const registry = sharedRegistry();
