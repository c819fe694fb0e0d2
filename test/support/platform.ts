// Tests that are for some platforms, runtimes or machines only say so in their names where they are
// skipped.
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, symlinkSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { removeDirectory, temporaryDirectory } from './directory';
import { IS_WINDOWS, NAME, RUNTIME, type RuntimeName } from './runtime';

interface Only {
  (name: string, body: () => void): void;
  /** For a single test. */
  test: {
    (name: string, body: () => Promise<void>): void;
    each<T>(cases: readonly T[]): (name: string, body: (value: T) => Promise<void>) => void;
  };
}

// The reason stands in the name: what this machine or runtime lacks.
export function only(where: string, isThere: boolean): Only {
  const suite = (name: string, body: () => void): void => {
    if (isThere) describe(name, body);
    else describe.skip(`${name} (${where})`, body); // Reason: `where`, which stands in the name.
  };
  const single = (name: string, body: () => Promise<void>): void => {
    if (isThere) test(name, body);
    else test.skip(`${name} (${where})`, body); // Reason: `where`, as above.
  };
  const each =
    <T>(cases: readonly T[]) =>
    (name: string, body: (value: T) => Promise<void>): void => {
      for (const value of cases) single(name.replace('%s', String(value)), () => body(value));
    };
  return Object.assign(suite, { test: Object.assign(single, { each }) });
}

/**
 * What Windows does not have: dispositions (and what native code does with them), ways of sending
 * signals that differ, file modes, FIFOs, devices below /dev, core dumps, terminals of script(1).
 */
export const onUnix = only('Unix only', !IS_WINDOWS);

/** macOS, or Linux with an addon that is given what macOS' kernel would give it (scripts/test-darwin.mjs). */
const IS_XNU = process.platform === 'darwin' || process.env['DAEMONIKER_TEST_KERNEL'] === 'xnu';

const IS_LINUX = process.platform === 'linux' && !IS_XNU;

/**
 * XNU does not: both come from a process with its own PID. So SIGABRT by kill(2) to oneself counts as
 * abort(3) there.
 */
export const TELLS_KILL_FROM_RAISE = !IS_XNU;

/** A process sends itself SIGABRT as a message. */
export const withSigabrtToOneself = only(
  'needs a kernel that tells kill(2) to oneself from raise(3)',
  TELLS_KILL_FROM_RAISE,
);

/** XNU does not have it. */
export const withSigqueue = IS_XNU
  ? only('needs sigqueue(3)', false)
  : withCommand('python3', '-c', 'import ctypes; ctypes.CDLL(None).sigqueue');

/** rt_sigqueueinfo(2), with which a test says itself how a signal was sent. */
export const withSiginfo = withCommand(
  'python3',
  '-c',
  'import ctypes, sys; sys.exit(sys.platform != "linux")',
);

/** Looks into /proc, or is about something that only Linux has. */
export const onLinux = only('Linux only', IS_LINUX);

/** Its console events and named pipes. */
export const onWindows = only('Windows only', IS_WINDOWS);

const IS_WINE =
  IS_WINDOWS && existsSync(join(process.env['SystemRoot'] ?? '', 'system32', 'winecfg.exe'));

/** What Wine only stubs: integrity levels, protected names of pipes. */
export const onWindowsItself = only('real Windows only', IS_WINDOWS && !IS_WINE);

/** Counts signals exactly: elsewhere the kernel coalesces them on their way, and does not say so. */
export const onLinuxAndWindows = only('Linux and Windows only', IS_LINUX || IS_WINDOWS);

const [major = 0, minor = 0] = release().split('.').map(Number);

/** Where a process may know how another one has ended that is no child of its own. */
export const withExitStatus = only(
  'Linux 6.15 and Windows only',
  IS_WINDOWS || (IS_LINUX && (major > 6 || (major === 6 && minor >= 15))),
);

/** About what Node itself does with signals, or how it ends. */
export const onNode = only('Node only', NAME === 'node');

export const onNodeOnUnix = only('Node on Unix only', NAME === 'node' && !IS_WINDOWS);

export const onNodeOnLinux = only('Node on Linux only', NAME === 'node' && IS_LINUX);

/** Preloads a library, which must not get into a command in front of the runtime. */
export const withPreload = only(
  'Node on Linux only, with no command in front',
  NAME === 'node' && IS_LINUX && RUNTIME.length === 1,
);

/**
 * A test of what one runtime itself fails at now and then: no known limit (test/support/known-limits.json),
 * for those fail every time.
 */
export function testUnlessOn(
  runtime: RuntimeName,
  because: string,
): (name: string, body: () => Promise<void>) => void {
  return (name, body) => {
    if (NAME === runtime)
      test.skip(`${name} (${runtime}: ${because})`, body); // Reason: `because`.
    else test(name, body);
  };
}

/** Runs where all these commands are installed. */
export function withTools(...tools: readonly string[]): Only {
  return only(`needs ${tools.join(', ')}`, !IS_WINDOWS && tools.every(isInstalled));
}

/** Needs a command that not every machine may run. */
export function withCommand(command: string, ...args: string[]): Only {
  const works = !IS_WINDOWS && spawnSync(command, args, { stdio: 'ignore' }).status === 0;
  return only(`needs ${[command, ...args].join(' ')}`, works);
}

function isInstalled(tool: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$0"', tool]).status === 0;
}

/** To make one is a privilege on Windows. */
export const withSymbolicLinks = only('needs symbolic links', canLink('dir'));

/** Links to directories, which anybody may make on Windows. */
export const withJunctions = only('needs junctions', IS_WINDOWS && canLink('junction'));

function canLink(type: 'dir' | 'junction'): boolean {
  const directory = temporaryDirectory();
  const link = join(directory, 'itself');
  try {
    symlinkSync(directory, link, type);
    // Wine says that it has made one, and has not.
    return lstatSync(link).isSymbolicLink();
  } catch {
    return false;
  } finally {
    removeDirectory(directory);
  }
}
