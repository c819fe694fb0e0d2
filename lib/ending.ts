// How an exception leaves a handler: to 'uncaughtException', or to the end of the process.
import { ReceivedSignal } from './signals';
import type { NativeBinding } from './native';

/**
 * Does with an error what the runtime does with an uncaught one. A plain throw would not do: thrown
 * inside a thread-safe function's callback it is swallowed (deprecation DEP0168).
 */
export function raise(error: unknown, native: NativeBinding): void {
  if (error instanceof ReceivedSignal && error.signum > 0 && !someoneListens(native.hostProcess)) {
    try {
      endBySignal(error, native);
    } catch (thrownByListener) {
      // Of the end itself: as fatal as at any other end, and not to be swallowed either.
      native.fatalException(thrownByListener);
    }
  } else {
    native.fatalException(error);
  }
}

/** Marks a listener for 'uncaughtException' of this package, which does nothing about signals. */
export const OURS = Symbol.for('daemoniker.listener');

/** Whether an uncaught exception has a listener besides ours. */
export function someoneListens(host: NodeJS.Process): boolean {
  return (
    host.listeners('uncaughtException').some((listener) => !(OURS in listener)) ||
    host.hasUncaughtExceptionCaptureCallback()
  );
}

/** As a program without a handler ends, after the `'exit'` listeners. */
function endBySignal(signal: ReceivedSignal, native: NativeBinding): void {
  const host = native.hostProcess;
  // As the runtime does before it ends a process.
  const emitter: NodeJS.EventEmitter = host; // for which the types know listeners only
  emitter.emit('uncaughtExceptionMonitor', signal, 'uncaughtException');
  native.writeToStandardError(`daemoniker: ${signal.message}; ending the process\n`);

  const exitCode = 128 + signal.signum;
  // Added last, so it runs last: another exit code by then was set on purpose.
  host.on('exit', () => {
    if (host.exitCode === exitCode) native.dieAtExit(signal.signum);
  });
  host.exit(exitCode);
}
