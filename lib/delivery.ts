// One arrival on its way through a handler, and its record, which is made only when somebody asks:
// made before, it would delay the handler by more than all the rest of its way together.
import { ORIGINS, type Arrival } from './native';
import { registry } from './registry';
import { classOf, type ReceivedSignal, type SignalSender } from './signals';

export class Delivery {
  readonly arrival: Arrival;
  #record: ReceivedSignal | undefined;

  constructor(arrival: Arrival) {
    this.arrival = arrival;
  }

  get record(): ReceivedSignal {
    return (this.#record ??= this.#toRecord());
  }

  #toRecord(): ReceivedSignal {
    const { signum, origin, count, wallUs } = this.arrival;
    const details = {
      signum,
      sender: this.#toSender(),
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

  #toSender(): SignalSender | null {
    const { pid, uid, sequence, wallUs } = this.arrival;
    if (pid < 0) return null;
    // The dispatcher thread looks it up in any case; asked earlier, the addon looks it up now.
    const command = registry.native.senderCommand(sequence, pid, wallUs);
    return { pid, uid: uid < 0 ? null : uid, command };
  }
}

function setStackTraceLimit(limit: number): void {
  try {
    Error.stackTraceLimit = limit;
  } catch {
    // Frozen (node --frozen-intrinsics): then there is a stack.
  }
}
