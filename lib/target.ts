// Whom send() and terminate() are told to signal: the argument, and the process that it means.
import { toPath } from './arguments';
import {
  PidFileError,
  invalidArgType,
  invalidArgValue,
  outOfRange,
  type SignalError,
} from './errors';
import { identify, type IdentifyOptions } from './identity';
import { native } from './native';
import { OtherProcess, childGone } from './other_process';
import { LARGEST_PID } from './pid_file_content';

/** What this package uses of a `ChildProcess` of `node:child_process`. */
export interface ChildProcessLike {
  /** `undefined` if it never started. */
  readonly pid?: number | undefined;
  /** `null` until it has exited, and if a signal terminated it. */
  readonly exitCode: number | null;
  /** `null` unless a signal has terminated it. */
  readonly signalCode: NodeJS.Signals | null;
  /** Without it, the exit code or signal may not be known. */
  once?(event: 'exit', listener: () => void): unknown;
  /** Removes such a listener. */
  off?(event: 'exit', listener: () => void): unknown;
}

/**
 * A process to signal: the path or `file:` URL of its PID file, its process ID, or a child of this
 * process. A string is always a path, even `'4711'`.
 */
export type SignalTarget = string | URL | number | ChildProcessLike;

export interface Target {
  /** Finds the process. The options are about PID files. Throws a SignalError or a PidFileError. */
  open(options: IdentifyOptions): OtherProcess;
  /** Whose parent this process is, if it was given as such. */
  readonly child: ChildProcessLike | null;
}

export function toTarget(value: unknown): Target {
  if (typeof value === 'number') {
    const pid = toPid('target', value);
    return { child: null, open: () => openRunning(pid) };
  }
  if (isChild(value)) {
    const pid = value.pid === undefined ? undefined : toPid('target.pid', value.pid);
    return { child: value, open: () => openChild(value, pid) };
  }
  const path = toPath('target', value, ', a process ID, or a ChildProcess');
  return { child: null, open: (options) => openNamed(path, options) };
}

/** Not by `instanceof`: other runtimes, and packages, have classes of their own. The global `process` is not one. */
function isChild(value: unknown): value is ChildProcessLike {
  return (
    typeof value === 'object' && value !== null && 'exitCode' in value && 'signalCode' in value
  );
}

function openNamed(path: string, options: IdentifyOptions): OtherProcess {
  try {
    return identify(path, options);
  } catch (error) {
    // terminate() would take it for a daemon that is not running.
    const isNumber = error instanceof PidFileError && error.code === 'ENOENT' && /^\d+$/.test(path);
    if (!isNumber) throw error;
    throw invalidArgValue(
      'target',
      'is the path of a file that does not exist; to mean a process ID, pass a number',
      path,
    );
  }
}

function toPid(name: string, value: unknown): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  // kill(2) takes 0 and negative numbers for groups of processes.
  if (Number.isInteger(value) && value >= 1 && value <= LARGEST_PID) return value;
  throw outOfRange(name, `a process ID, from 1 to ${LARGEST_PID}`, value);
}

export function hasEnded(child: ChildProcessLike): boolean {
  // Others than Node.js have undefined as well.
  return (child.exitCode ?? null) !== null || (child.signalCode ?? null) !== null;
}

/** Its number is its own until its parent, this process, has collected its status. */
function openChild(child: ChildProcessLike, pid: number | undefined): OtherProcess {
  if (pid === undefined || hasEnded(child)) throw childGone(pid);
  return openRunning(pid, () => {
    // Something else than the runtime may have collected it.
    if (!native.isChild(pid)) throw childGone(pid);
  });
}

function openRunning(pid: number, check?: () => void): OtherProcess {
  const found = OtherProcess.open(pid);
  try {
    check?.();
    describeRunning(found);
    return found;
  } catch (error) {
    found.close();
    throw error;
  }
}

/** One that /proc hides can do without, if there is a handle. */
function describeRunning(found: OtherProcess): void {
  try {
    found.describe();
  } catch (error) {
    if (!found.hasHandle || (error as SignalError).code === 'ESRCH') throw error;
  }
}
