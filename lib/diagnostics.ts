// Events for subscribers of node:diagnostics_channel. Channels without
// subscribers cost one test: no message is made for them.
import { channel, type Channel } from 'node:diagnostics_channel';
import type { ReceivedSignal } from './signals';

/** The message of `daemoniker:start` and `daemoniker:stop`. */
export interface HandlerMessage {
  /** The path of the handler's PID file as given, or `null`. */
  readonly pidFile: string | null;
}

/**
 * The message of the channels about a signal: one object for all of them, so a subscriber can use it as a
 * key.
 */
export interface SignalMessage extends HandlerMessage {
  /** The signal, who sent it, and when. */
  readonly received: ReceivedSignal;
  /** The handler is `IGNORE_SIGNAL`: there will be no `daemoniker:handler:begin`. */
  readonly ignored: boolean;
  /** In `daemoniker:handler:end`: the handler's result, such as a promise. */
  readonly result?: unknown;
  /** In `daemoniker:handler:end`: what the handler threw. The default handler throws `received`. */
  readonly error?: unknown;
}

/** The message of `daemoniker:shutdown:begin` and `daemoniker:shutdown:end`. */
export interface ShutdownMessage extends HandlerMessage {
  /** Why: a {@link ReceivedSignal}, an error, or what `shutDown()` was given. */
  readonly reason: unknown;
  /** In `daemoniker:shutdown:end`: the exit code to come. */
  readonly exitCode?: number | string | undefined;
}

/** The message of the channels about a hook: one object for both. */
export interface ShutdownHookMessage extends ShutdownMessage {
  /** The hook's name. */
  readonly name: string;
  /** In `daemoniker:shutdown:hook:end`: it has exceeded its own `timeout`. */
  readonly isLate?: boolean;
  /** In `daemoniker:shutdown:hook:end`: what it threw or rejected with. */
  readonly error?: unknown;
}

/** The message of `daemoniker:warning`; `process.emitWarning()` gets it too. */
export interface WarningMessage {
  /**
   * - `DAEMONIKER_LISTENERS_NOT_CALLED`: a signal that has a handler also has listeners by `process.on()`.
   * - `DAEMONIKER_UNREACHABLE`: on Windows, `send()` cannot reach the handlers.
   */
  readonly code: 'DAEMONIKER_LISTENERS_NOT_CALLED' | 'DAEMONIKER_UNREACHABLE';
  /** For people. */
  readonly message: string;
}

/**
 * The channels of `node:diagnostics_channel` that this package publishes on, and their messages.
 *
 * A deadline that terminates the process publishes nothing, because no JavaScript runs then; nor does a
 * signal that the runtime delivers to listeners of `process.on()`.
 *
 * @example
 * ```ts
 * // watch.ts
 * import { subscribe } from 'node:diagnostics_channel';
 * import { SignalHandler1, type SignalMessage } from 'daemoniker';
 *
 * subscribe('daemoniker:signal', (message) => {
 *   const { received } = message as SignalMessage;
 *   console.log(received.name, 'from', received.sender?.command ?? 'unknown');
 * });
 * new SignalHandler1('my.pid').start().ref();
 * ```
 */
export interface DiagnosticsMessages {
  /** A handler has started. */
  'daemoniker:start': HandlerMessage;
  /** A signal has reached the event loop; its handler is next. */
  'daemoniker:signal': SignalMessage;
  /** The handler is about to be called. */
  'daemoniker:handler:begin': SignalMessage;
  /**
   * The handler has returned or thrown; an asynchronous one may still be working, see `result`.
   */
  'daemoniker:handler:end': SignalMessage;
  /** A handler has stopped; also when the process exits. */
  'daemoniker:stop': HandlerMessage;
  /** A shutdown has begun; `abortSignal` is aborted, the first hook is next. */
  'daemoniker:shutdown:begin': ShutdownMessage;
  /** A hook is about to be called. */
  'daemoniker:shutdown:hook:begin': ShutdownHookMessage;
  /** The hook's result has settled, or it took too long. */
  'daemoniker:shutdown:hook:end': ShutdownHookMessage;
  /** All hooks have run; the exit is next. */
  'daemoniker:shutdown:end': ShutdownMessage;
  /** Something is wrong, although nothing has failed. */
  'daemoniker:warning': WarningMessage;
}

const started = channel('daemoniker:start');
const signalled = channel('daemoniker:signal');
const begun = channel('daemoniker:handler:begin');
const ended = channel('daemoniker:handler:end');
const stopped = channel('daemoniker:stop');
const shutdownBegun = channel('daemoniker:shutdown:begin');
const hookBegun = channel('daemoniker:shutdown:hook:begin');
const hookEnded = channel('daemoniker:shutdown:hook:end');
const shutdownEnded = channel('daemoniker:shutdown:end');
const warned = channel('daemoniker:warning');

export function publishStart(pidFile: string | null): void {
  publish(started, { pidFile });
}

export function publishStop(pidFile: string | null): void {
  publish(stopped, { pidFile });
}

export function publishShutdownBegin(pidFile: string | null, reason: unknown): void {
  const message: ShutdownMessage = { pidFile, reason };
  publish(shutdownBegun, message);
}

export function publishHookBegin(message: ShutdownHookMessage): void {
  publish(hookBegun, message);
}

export function publishHookEnd(
  message: ShutdownHookMessage,
  outcome: Pick<ShutdownHookMessage, 'isLate' | 'error'>,
): void {
  publish(hookEnded, Object.assign(message, outcome));
}

export function publishShutdownEnd(
  pidFile: string | null,
  reason: unknown,
  exitCode: number | string,
): void {
  const message: ShutdownMessage = { pidFile, reason, exitCode };
  publish(shutdownEnded, message);
}

export function publishWarning(message: WarningMessage): void {
  publish(warned, message);
}

/** Whether a signal has to be told about. */
export function isWatched(): boolean {
  return signalled.hasSubscribers || begun.hasSubscribers || ended.hasSubscribers;
}

/** Calls the handler, and tells about it. */
export function tellAbout(message: SignalMessage, callHandler: () => unknown): void {
  publish(signalled, message);
  if (message.ignored) {
    callHandler(); // for the listeners of others, which may be called with it
    return;
  }
  publish(begun, message);
  let outcome: Pick<SignalMessage, 'result' | 'error'> = {};
  try {
    outcome = { result: callHandler() };
  } catch (error) {
    outcome = { error };
    throw error;
  } finally {
    publish(ended, Object.assign(message, outcome));
  }
}

// What a subscriber throws becomes an uncaught exception of its own; it never gets in here.
function publish(to: Channel, message: HandlerMessage | WarningMessage): void {
  if (to.hasSubscribers) to.publish(message);
}
