// Checks of what users pass in.
import { fileURLToPath } from 'node:url';
import { invalidArgType, invalidArgValue } from './errors';

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
export function toOptions<T extends object>(value: unknown, known: readonly (keyof T)[]): T {
  const options = Object.create(null) as T;
  if (value === undefined) return options;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidArgType('options', 'of type object', value);
  }
  for (const key of Object.keys(value)) {
    if (!(known as readonly string[]).includes(key)) {
      throw invalidArgValue(
        `options.${key}`,
        `is unknown (known are: ${known.join(', ')})`,
        (value as Record<string, unknown>)[key],
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

export function toBoolean(name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') throw invalidArgType(name, 'of type boolean', value);
  return value;
}
