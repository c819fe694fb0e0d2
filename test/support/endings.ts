// How a process is terminated by a signal, on each platform.
import { constants } from 'node:os';
import type { Ending } from './fixture';
import { IS_WINDOWS } from './runtime';

type SignalName = keyof typeof constants.signals;
type Death = Pick<Ending, 'code' | 'signal'>;

/** What a parent sees of a process that we terminated with this signal: the default handler, a deadline. */
export function deathBy(name: SignalName): Death {
  return IS_WINDOWS
    ? { code: 128 + constants.signals[name], signal: null }
    : { code: null, signal: name };
}

/** The same of a process without a handler that got this signal, or got SIGKILL. */
export function deathWithoutHandler(name: SignalName): Death {
  return IS_WINDOWS ? { code: constants.signals[name], signal: null } : deathBy(name);
}
