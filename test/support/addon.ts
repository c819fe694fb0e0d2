// The native helpers of the tests, test/fixtures/native, built when first asked for. What they look at
// and do is of Unix; on Windows there are none.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { FixtureOptions } from './fixture';
import { FIXTURES, IS_WINDOWS, ROOT } from './runtime';

/** What `require(addonPath())` gives in a fixture. */
export interface NativeHelper {
  /** How a signal is handled, exactly: function, flags and mask. */
  disposition(signum: number): string;
  count(signum: number): void;
  /** Installs again what count() replaced. */
  putBack(signum: number): void;
  ignore(signum: number): void;
  counted(signum: number): number;
  raise(signum: number): void;
  /** `errno` after raise(3) of this signal; it was 4711. */
  errnoAfter(signum: number): number;
  /** Children of vfork(2), which share our memory, that are killed while they handle this signal. */
  killSignalledChildren(signum: number): void;
  /** The PID of a child that is a copy of this process, and by now only waits. */
  fork(): number;
  /** By which signal a child of vfork(2) ends that gets this one; 0 if it lives on. */
  endOfSignalledChild(signum: number): number;
  abort(): void;
  abortOnThread(): void;
  reportAtExit(): void;
}

/** A C compiler for the runtime under test, as a JSON array: for another platform, a cross-compiler. */
const COMPILER = JSON.parse(process.env['DAEMONIKER_TEST_CC'] ?? '["cc"]') as readonly string[];

export function addonPath(): string {
  return IS_WINDOWS ? '' : build('unix', 'node');
}

/** An addon that never gets loaded: `require()` of it does not return, and holds the loader's lock. */
export function endlessConstructorPath(): string {
  return build('endless_constructor', 'node');
}

/** For {@link preloading}: the write(2) of one of our lines hangs. */
export function hangingWritePath(): string {
  return build('hanging_write', 'so');
}

/**
 * For {@link preloading}, and an addon: `hold()` does not return, and from then on all other threads
 * wait in malloc(3) for ever. One tries it: it says "waits", and never "has waited".
 */
export function heldAllocatorPath(): string {
  return build('held_allocator', 'node');
}

/** For {@link preloading}: 400 KB of static thread-local storage. */
export function staticTlsPath(): string {
  return build('static_tls', 'so');
}

/** Options of a fixture that has this library preloaded. For tests that are `withPreload`. */
export function preloading(library: string): FixtureOptions {
  // A relative path: spaces separate in LD_PRELOAD, and nothing protects one.
  const all = [process.env['LD_PRELOAD'], `./${basename(library)}`].filter(Boolean).join(' ');
  return { wrapper: ['sh', '-c', `LD_PRELOAD='${all}' exec "$@"`, 'sh'], cwd: dirname(library) };
}

function build(name: string, suffix: string): string {
  const source = join(FIXTURES, 'native', `${name}.c`);
  const directory = join(ROOT, 'build', 'test');
  const [compiler, ...words] = COMPILER as readonly [string, ...string[]];
  const target = join(directory, `${name}-${[basename(compiler), ...words].join('-')}.${suffix}`);
  if (existsSync(target) && statSync(target).mtimeMs > statSync(source).mtimeMs) return target;
  mkdirSync(directory, { recursive: true });
  const flags = [...words, '-shared', '-fPIC', '-O1', '-Wall', '-Wextra', '-pthread'];
  if (process.platform === 'darwin') flags.push('-undefined', 'dynamic_lookup');
  const temporary = `${target}.${process.pid}`;
  const { status, stderr, error } = spawnSync(compiler, [...flags, '-o', temporary, source], {
    encoding: 'utf8',
  });
  if (status !== 0) throw error ?? new Error(stderr);
  renameSync(temporary, target);
  return target;
}
