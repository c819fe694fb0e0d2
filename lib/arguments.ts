// Checks of what users pass in.
import { fileURLToPath } from 'node:url';
import { invalidArgType, invalidArgValue, outOfRange } from './errors';

/** A path or a `file:` URL, as a path. */
export function toPath(name: string, value: unknown, alternative = ''): string {
  const path = isUrl(value) ? toFilePath(name, value) : value;
  if (typeof path !== 'string') {
    throw invalidArgType(name, `of type string or an instance of URL${alternative}`, value);
  }
  if (path === '') throw invalidArgValue(name, 'must not be empty', path);
  if (path.includes('\0')) throw invalidArgValue(name, 'must not contain null bytes', path);
  return path;
}

/** Not by `instanceof`, it may come from another realm; but not what url.parse() gives. */
function isUrl(value: unknown): value is URL {
  if (typeof value !== 'object' || value === null) return false;
  return 'href' in value && 'protocol' in value && !('auth' in value) && !('path' in value);
}

function toFilePath(name: string, url: URL): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw invalidArgValue(name, `is not the URL of a file (${(error as Error).message})`, url.href);
  }
}

/**
 * An options object with no other keys than these, read once; `undefined` is one with none. What has
 * been put into `Object.prototype` is no option: it would switch off checks for all callers.
 */
export function toOptions<T extends object>(
  value: unknown,
  known: readonly (keyof T)[],
  name = 'options',
): T {
  const options = Object.create(null) as T;
  if (value === undefined) return options;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidArgType(name, 'of type object', value);
  }
  for (const key of Object.keys(value)) {
    if (!(known as readonly string[]).includes(key)) {
      const given = (value as Record<string, unknown>)[key];
      // Elsewhere in Node.js an AbortSignal is the option `signal`.
      const word = isAbortSignal(given) ? 'abortSignal' : key;
      const hint = didYouMean(word, known as readonly string[]);
      throw invalidArgValue(
        `${name}.${key}`,
        `is unknown (known are: ${known.join(', ')}${hint})`,
        given,
      );
    }
  }
  for (const key of known) {
    if (isOption(value, key)) options[key] = (value as T)[key];
  }
  return options;
}

/** Its own, or inherited from anything but the root of all objects, which may be another realm's. */
function isOption(value: object, key: PropertyKey): boolean {
  if (Object.hasOwn(value, key)) return true;
  const parent = Object.getPrototypeOf(value) as object | null;
  const isRoot = parent === null || Object.getPrototypeOf(parent) === null;
  return !isRoot && isOption(parent, key);
}

/** Not by `instanceof`: it may come from another realm, or be a polyfill. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  return typeof value === 'object' && value !== null && 'aborted' in value;
}

export function toBoolean(name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') throw invalidArgType(name, 'of type boolean', value);
  return value;
}

/** The most that setTimeout() takes. */
export const LONGEST_MS = 2 ** 31 - 1;

/** A number of milliseconds that a timer can wait. */
export function toMilliseconds(name: string, value: unknown, expected: string): number {
  if (typeof value !== 'number') throw invalidArgType(name, expected, value);
  if (!(value >= 1 && value <= LONGEST_MS)) {
    throw outOfRange(name, `from 1 to ${LONGEST_MS} milliseconds`, value);
  }
  return value;
}

/** "; did you mean sigterm?", or nothing. `quote` goes around the word. */
export function didYouMean(word: string, known: readonly string[], quote = ''): string {
  const near = known
    .map((one) => ({ one, distance: distance(word.toLowerCase(), one.toLowerCase()) }))
    .filter(({ distance }) => distance <= 2)
    .sort((a, b) => a.distance - b.distance)[0];
  return near === undefined ? '' : `; did you mean ${quote}${near.one}${quote}?`;
}

/** How many letters have to be put in, taken out, replaced, or swapped with the next. */
function distance(from: string, to: string): number {
  // [i][j]: that of the first i letters from the first j.
  const table = [Array.from({ length: to.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number): number => table[i]?.[j] ?? 0;
  for (let i = 1; i <= from.length; i++) {
    table.push([i]);
    for (let j = 1; j <= to.length; j++) {
      const replaced = at(i - 1, j - 1) + (from[i - 1] === to[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      const swapped = isSwap ? at(i - 2, j - 2) + 1 : Infinity;
      table[i]?.push(Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, replaced, swapped));
    }
  }
  return at(from.length, to.length);
}
