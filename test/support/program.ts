// Programs that stand in the test they belong to, run by the runtime under test.
import type * as daemonikerModule from '../../';
import type { ReceivedSignal, SignalHandler1 } from '../../';
import { start, type Fixture, type FixtureOptions } from './fixture';

/** Descriptors (handles, on Windows), threads and memory of a process. */
export interface Usage {
  readonly fds: number;
  readonly threads: number;
  readonly rss: number;
}

/** What a program is given; test/fixtures/program.cjs makes it. */
export interface Tools {
  readonly daemoniker: typeof daemonikerModule;
  readonly say: (event: string, details?: object) => void;
  readonly plain: (received: ReceivedSignal | null) => object;
  readonly args: readonly string[];
  readonly require: NodeJS.Require;
  readonly import: (specifier: string) => Promise<unknown>;
  readonly signals: Readonly<Record<NodeJS.Signals, number>>;
  readonly onCommand: (listener: (line: string) => void) => void;
  readonly signalMyself: (name: NodeJS.Signals, times?: number) => void;
  readonly signalledByAnother: (name: NodeJS.Signals) => number;
  readonly usage: () => Usage;
  readonly dispositions: (helper: string) => string[];
  readonly saying: (handler: () => SignalHandler1, event: string) => (signum: number) => void;
}

/**
 * Runs `program` in a process of its own. It is passed on as text, so it can use what `tools` holds
 * and the globals, and nothing of the file that it stands in.
 */
export function run(
  program: (tools: Tools) => unknown,
  args: readonly string[] = [],
  options: FixtureOptions = {},
): Fixture {
  return start('program', [program.toString(), ...args], options);
}
