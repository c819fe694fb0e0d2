// Waiting for something, for so long, unless an AbortSignal says otherwise.
import { LONGEST_MS, isAbortSignal } from './arguments';
import { invalidArgType, outOfRange } from './errors';

/** Whether the event happens within that time. Throws the reason of the signal, or what the event throws. */
export async function happensWithin(
  milliseconds: number,
  event: Promise<void>,
  abortSignal: AbortSignal | undefined,
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  let abort: (() => void) | undefined;
  try {
    return await Promise.race([
      event.then(() => true),
      new Promise<boolean>((resolve, reject) => {
        if (milliseconds !== Infinity) timer = setTimeout(resolve, milliseconds, false);
        abort = () => reject(abortSignal?.reason as Error);
        if (abortSignal?.aborted === true) abort();
        abortSignal?.addEventListener('abort', abort);
      }),
    ]);
  } finally {
    clearTimeout(timer);
    if (abort !== undefined) abortSignal?.removeEventListener('abort', abort);
  }
}

/** Milliseconds to wait. */
export function toDuration(name: string, value: unknown): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (value === Infinity || (value >= 0 && value <= LONGEST_MS)) return value;
  throw outOfRange(name, `from 0 to ${LONGEST_MS} milliseconds, or Infinity`, value);
}

export function toAbortSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined;
  if (isAbortSignal(value) && typeof value.addEventListener === 'function') return value;
  throw invalidArgType('options.abortSignal', 'an instance of AbortSignal', value);
}

/** As the method of that name, which older polyfills do not have. */
export function throwIfAborted(abortSignal: AbortSignal | undefined): void {
  if (abortSignal?.aborted === true) throw abortSignal.reason as Error;
}
