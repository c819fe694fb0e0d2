// An arrival, and its record, which is made only on demand: made before, it would delay the
// handler by more than all the rest of its way together.
import { ORIGINS } from './native';
import { registry } from './registry';
import { classOf, type ReceivedSignal, type SignalSender } from './signals';

/** What is known of an arrival; see native/pending.h. */
export interface Arrival {
  readonly signum: number;
  /** An index of {@link ORIGINS}. */
  readonly origin: number;
  /** -1 when the operating system names no sender. */
  readonly pid: number;
  readonly uid: number;
  /** Microseconds since the epoch. */
  readonly wallUs: number;
  readonly count: number;
  readonly sequence: number;
  /** The name of the sender's program, if it was known by then. */
  readonly command: string | null;
  record?: ReceivedSignal;
}

export function recordOf(arrival: Arrival): ReceivedSignal {
  return (arrival.record ??= makeRecord(arrival));
}

function makeRecord(arrival: Arrival): ReceivedSignal {
  const { signum, origin, count, wallUs } = arrival;
  const details = {
    signum,
    sender: toSender(arrival),
    origin: ORIGINS[origin] ?? 'kernel',
    count,
    receivedAt: new Date(wallUs / 1000),
  };
  // Without a stack, which would only show this package.
  const limit = Error.stackTraceLimit;
  setStackTraceLimit(0);
  try {
    return new (classOf(signum))(details);
  } finally {
    setStackTraceLimit(limit);
  }
}

function toSender({ pid, uid, signum, sequence, command }: Arrival): SignalSender | null {
  if (pid < 0) return null;
  // A signal handler on another thread may have needed longer for the name.
  const name = command ?? registry.native.senderName(signum, sequence);
  return { pid, uid: uid < 0 ? null : uid, command: name };
}

function setStackTraceLimit(limit: number): void {
  try {
    Error.stackTraceLimit = limit;
  } catch {
    // Frozen (node --frozen-intrinsics): then there is a stack.
  }
}
