import { constants } from 'node:os';
import { types } from 'node:util';
import { didYouMean, isAbortSignal } from './arguments';
import { DaemonikerException, SignalError, describe, invalidThis, nameAfterClass } from './errors';
import { native } from './native';

/**
 * How a signal was sent:
 *
 * - `'process'`: by kill(2), as `kill`, `process.kill()` and `send()` do.
 * - `'thread'`: by the process itself, with raise(3) or pthread_kill(3).
 * - `'queue'`: by sigqueue(3).
 * - `'kernel'`: by the terminal (Ctrl-C) or a timer.
 * - `'console'`: by a console event, the end of the session, or a request to close (Windows).
 * - `'pipe'`: by `send()` (Windows).
 * - `'service'`: by the service manager of Windows.
 *
 * macOS tells only `'process'`, `'thread'` (also for kill(2) to oneself) and `'kernel'` (also if the sender
 * was lost).
 */
export type SignalOrigin =
  'process' | 'thread' | 'queue' | 'kernel' | 'console' | 'pipe' | 'service';

/**
 * The process that sent a signal. For logs, not for authorisation: sigqueue(3) lets a sender claim anything,
 * and the process may be gone by now. On macOS, which keeps one sender per process, it may be that of
 * another signal.
 */
export interface SignalSender {
  /** Its process ID. */
  readonly pid: number;
  /** Its user; `null` on Windows, which has no numeric users. */
  readonly uid: number | null;
  /**
   * The name of its program; `null` if it was gone or the name could not be read. On Linux and macOS as
   * `ps -o ucomm=` shows it (at most 15 bytes). On Windows, and on Linux for Node.js 24 and later, which
   * `ps` shows by the name of a thread, the file name of the executable, cut to 31 bytes. Control
   * characters are replaced by `?`.
   */
  readonly command: string | null;
}

/** Details for the constructor of {@link ReceivedSignal}. */
export interface SignalDetails {
  /**
   * The signal's number.
   * @defaultValue the `SIGNUM` of the class
   */
  readonly signum?: number | undefined;
  /**
   * Who sent it.
   * @defaultValue null
   */
  readonly sender?: SignalSender | null | undefined;
  /**
   * How it was sent.
   * @defaultValue 'thread'
   */
  readonly origin?: SignalOrigin | undefined;
  /**
   * The number of coalesced arrivals.
   * @defaultValue 1
   */
  readonly count?: number | undefined;
  /**
   * The time of the first arrival.
   * @defaultValue now
   */
  readonly receivedAt?: Date | undefined;
}

/**
 * A signal as an exception, and the record of an arrival: the default handler throws it, and it is
 * `handler.received`. {@link SIGINT}, {@link SIGTERM} and {@link SIGABRT} extend it; its own instances are other
 * signals.
 *
 * @example
 * ```js
 * // daemon.mjs
 * import { ReceivedSignal, SignalHandler1 } from 'daemoniker';
 *
 * process.on('uncaughtException', (error) => {
 *   if (!(error instanceof ReceivedSignal)) throw error;
 *   console.error(`${error.name} from ${error.sender?.command}, ${error.count} times`);
 *   process.exit(0);
 * });
 * new SignalHandler1('my.pid').start().ref(); // the default handlers raise
 * ```
 */
export class ReceivedSignal extends DaemonikerException {
  static {
    nameAfterClass(this);
  }

  /** The signal's number; -1 for no particular signal. */
  static readonly SIGNUM: number = -1;

  /** `Number(SIGINT)` is the signal's number, `String(SIGINT)` its name. */
  static [Symbol.toPrimitive](hint: string): number | string {
    if (typeof this !== 'function') {
      const type = { name: 'typeof ReceivedSignal', prototype: ReceivedSignal };
      throw invalidThis(type, 'SIGTERM[Symbol.toPrimitive]()', this);
    }
    return hint === 'string' ? this.name : this.SIGNUM;
  }

  /** The signal's name, such as `'SIGHUP'`; `'signal 40'` for a real-time signal. */
  declare readonly name: NodeJS.Signals | `signal ${number}` | 'ReceivedSignal';
  /** The signal's number. */
  readonly signum: number;
  /** Who sent it; `null` for the kernel, the terminal, or if not known. */
  readonly sender: SignalSender | null;
  /** How it was sent. */
  readonly origin: SignalOrigin;
  /** The number of coalesced arrivals: the first, and those while it was pending. */
  readonly count: number;
  /** The time of the first arrival. */
  readonly receivedAt: Date;

  /** @param details - All optional. */
  constructor(details: SignalDetails = {}) {
    super();
    this.signum = details.signum ?? new.target.SIGNUM;
    this.sender = details.sender ?? null;
    this.origin = details.origin ?? 'thread';
    this.count = details.count ?? 1;
    this.receivedAt = details.receivedAt ?? new Date();
    if (new.target === ReceivedSignal && this.signum > 0) {
      Object.defineProperty(this, 'name', {
        value: signalName(this.signum),
        configurable: true,
        writable: true,
      });
    }
    Object.defineProperty(this, 'message', {
      value: `${signalName(this.signum)} received${describeSender(this.sender)}`,
      configurable: true,
      writable: true,
    });
  }

  /**
   * A plain object with all the details, for logs and for other threads and processes. Pass it to
   * `structuredClone()`, `postMessage()`, and `process.send()` with advanced serialization: of an error
   * itself they copy the message and the stack only.
   */
  toJSON(): object {
    requireSignal(this, 'received.toJSON()');
    const { name, message, signum, sender, origin, count, receivedAt } = this;
    return { name, message, signum, sender, origin, count, receivedAt };
  }

  /** As on the class. */
  get SIGNUM(): number {
    requireSignal(this, 'received.SIGNUM');
    return (this.constructor as typeof ReceivedSignal).SIGNUM;
  }

  /** `Number(error)` is the signal's number. */
  [Symbol.toPrimitive](hint: string): number | string {
    requireSignal(this, 'received[Symbol.toPrimitive]()');
    return hint === 'string' ? this.toString() : this.signum;
  }
}

/** Throws when a method is called without its object. The prototype is one, too. */
function requireSignal(value: unknown, use: string): void {
  if (value instanceof ReceivedSignal || value === ReceivedSignal.prototype) return;
  throw invalidThis(ReceivedSignal, use, value);
}

/**
 * Interrupt: Ctrl-C; on Windows also Ctrl-Break.
 *
 * @example
 * ```js
 * // interrupt.mjs
 * import { SIGINT, send } from 'daemoniker';
 *
 * send('my.pid', SIGINT); // or new SIGINT(), 'SIGINT', 2
 * ```
 */
export class SIGINT extends ReceivedSignal {
  static {
    nameAfterClass(this);
  }
  /** The signal's number. */
  static override readonly SIGNUM = constants.signals.SIGINT;
  /** The name of its class. */
  declare readonly name: 'SIGINT';
}

/**
 * The request to shut down: `kill`, `systemctl stop`, `docker stop`; on Windows a closed console and the end
 * of the session.
 *
 * @example
 * ```js
 * // number.mjs
 * import { SIGTERM } from 'daemoniker';
 *
 * console.log(SIGTERM.SIGNUM, Number(SIGTERM)); // 15 15
 * ```
 */
export class SIGTERM extends ReceivedSignal {
  static {
    nameAfterClass(this);
  }
  /** The signal's number. */
  static override readonly SIGNUM = constants.signals.SIGTERM;
  /** The name of its class. */
  declare readonly name: 'SIGTERM';
}

/**
 * Abort, sent by another process. A process's own abort(3) is a crash and never arrives; on macOS neither
 * does a SIGABRT that it sends to itself.
 *
 * @example
 * ```js
 * // daemon.mjs
 * import { SIGABRT, SignalHandler1 } from 'daemoniker';
 *
 * const handler = new SignalHandler1('my.pid', {
 *   sigabrt: () => {
 *     console.log(handler.received instanceof SIGABRT); // true
 *   },
 * });
 * handler.start().ref();
 * ```
 */
export class SIGABRT extends ReceivedSignal {
  static {
    nameAfterClass(this);
  }
  /** The signal's number. */
  static override readonly SIGNUM = constants.signals.SIGABRT;
  /** The name of its class. */
  declare readonly name: 'SIGABRT';
}

/** What the three handlers are called. */
export const SIGNAL_CLASSES = { sigint: SIGINT, sigterm: SIGTERM, sigabrt: SIGABRT } as const;

/** The class of a signal's number; {@link ReceivedSignal} itself when it is none of the three. */
export function classOf(signum: number): typeof ReceivedSignal {
  return Object.values(SIGNAL_CLASSES).find((one) => one.SIGNUM === signum) ?? ReceivedSignal;
}

/** Those that no process can handle, or that a runtime cannot do without, and why. */
const NOT_TO_BE_HANDLED: Readonly<Record<string, string>> = {
  SIGKILL: 'no process can handle it',
  SIGSTOP: 'no process can handle it',
  SIGSEGV: 'it is a fault of the code that runs, which cannot go on',
  SIGBUS: 'it is a fault of the code that runs, which cannot go on',
  SIGFPE: 'it is a fault of the code that runs, which cannot go on',
  SIGILL: 'it is a fault of the code that runs, which cannot go on',
  SIGTRAP: 'it is a fault of the code that runs, or a breakpoint',
  SIGSYS: 'it is a fault of the code that runs, which cannot go on',
  SIGCHLD: 'the runtime waits for child processes by it',
  SIGPROF: "the runtime's profiler uses it",
  ...('bun' in process.versions ? { SIGPWR: "the runtime's garbage collector uses it" } : {}),
};

/** Why a handler cannot be set for it; `undefined` when it can. */
export function whyNotHandled(signum: number): string | undefined {
  return NOT_TO_BE_HANDLED[signalName(signum)];
}

function describeSender(sender: SignalSender | null): string {
  if (sender === null) return '';
  const command = sender.command === null ? '' : ` (${sender.command})`;
  return ` from pid ${sender.pid}${command}`;
}

// The first of several names is the usual one: SIGABRT, not SIGIOT.
const NAMES = new Map(
  Object.entries(constants.signals)
    .reverse()
    .map(([name, signum]) => [signum, name]),
);

/** Names of all signals that have one. */
export const SIGNAL_NAMES: readonly string[] = Object.keys(constants.signals);

/** `SIGTERM` for 15, `signal 40` for 40. */
export function signalName(signum: number): NodeJS.Signals | `signal ${number}` {
  return (NAMES.get(signum) as NodeJS.Signals | undefined) ?? `signal ${signum}`;
}

/**
 * A signal to send: a class (`SIGTERM`), an instance (`new SIGTERM()`), a name (`'SIGTERM'`), a number
 * or bigint (`os.constants.signals.SIGTERM`; on Linux also a real-time signal: 34 to 64, on musl 35 to 64), or 0
 * to check only.
 */
export type SignalLike =
  | ReceivedSignal
  | typeof ReceivedSignal
  | number
  | bigint
  | NodeJS.Signals
  // Any other string, without taking the names above out of the completion.
  | (string & Record<never, never>);

/** The number of any {@link SignalLike}; `undefined` if there is no such signal. */
export function findSignum(signal: unknown): number | undefined {
  const signum = readSignum(signal);
  return signum !== undefined && isSignum(signum) ? signum : undefined;
}

/** The number of any {@link SignalLike}. Throws `ERR_UNKNOWN_SIGNAL`. */
export function toSignum(signal: unknown): number {
  const signum = findSignum(signal);
  if (signum !== undefined) return signum;
  throw new SignalError(
    `Unknown signal: ${describe(signal)}${whatIsMeant(signal)}`,
    'ERR_UNKNOWN_SIGNAL',
  );
}

/** The end of the message about what is no signal: what to pass. */
function whatIsMeant(signal: unknown): string {
  if (typeof signal === 'string') {
    const number = /^\d+$/.test(signal) ? Number(signal) : NaN;
    const hint = isSignum(number)
      ? `; did you mean the number ${number}?`
      : didYouMeanSignal(signal);
    if (hint !== '') return hint;
  }
  if (isAbortSignal(signal)) {
    return (
      '. An AbortSignal cannot be sent to a process: to give up waiting, pass it as the option ' +
      `abortSignal. As the signal, pass ${WHAT_TO_PASS}`
    );
  }
  const isBare =
    signal === ReceivedSignal || (signal instanceof ReceivedSignal && signal.signum === -1);
  if (isBare) return `, which stands for no signal in particular. Pass ${WHAT_TO_PASS}`;
  return `. Pass ${WHAT_TO_PASS}`;
}

const WHAT_TO_PASS =
  "a class such as SIGTERM or an instance of it, a name such as 'SIGHUP', or a number such as " +
  'os.constants.signals.SIGHUP';

/** "; did you mean 'SIGTERM'?" for `sigterm`, `TERM` or `SIGTREM`; or nothing. */
export function didYouMeanSignal(name: string): string {
  if (name === '') return '';
  const upper = name.toUpperCase();
  return didYouMean(upper.startsWith('SIG') ? upper : `SIG${upper}`, SIGNAL_NAMES, "'");
}

function readSignum(signal: unknown): number | undefined {
  if (typeof signal === 'string') {
    return Object.hasOwn(constants.signals, signal)
      ? constants.signals[signal as NodeJS.Signals]
      : undefined;
  }
  // A Date turns into a number too, but never means a signal.
  if (types.isDate(signal)) return undefined;
  const primitive = isObject(signal) ? toPrimitive(signal) : signal;
  return typeof primitive === 'number' || typeof primitive === 'bigint'
    ? Number(primitive)
    : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'function' || (typeof value === 'object' && value !== null);
}

// Not Number(), for which [] is 0.
function toPrimitive(object: { [Symbol.toPrimitive]?: (hint: string) => unknown }): unknown {
  const convert = object[Symbol.toPrimitive];
  if (typeof convert === 'function') return convert.call(object, 'number');
  return typeof object.valueOf === 'function' ? object.valueOf() : undefined;
}

function isSignum(signum: number): boolean {
  if (!Number.isInteger(signum)) return false;
  const isRealTime = signum >= native.firstRealTimeSignal && signum <= native.lastRealTimeSignal;
  return signum === 0 || isRealTime || NAMES.has(signum);
}
