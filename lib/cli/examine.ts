// What can be said about the daemon of a PID file.
import { PidFileError, SignalError } from '../errors';
import { identify, isLeftEmpty, isLockGone } from '../identity';
import { Role, isFailure, native } from '../native';
import type { OtherProcess } from '../other_process';

export type Status = 'running' | 'dead' | 'stopped' | 'unknown';

interface Problem {
  readonly code: string;
  readonly message: string;
}

export interface Examination {
  readonly status: Status;
  /** For people. */
  readonly text: string;
  /** For programs. */
  readonly data: {
    readonly pid: number | null;
    /** Of one that runs. */
    readonly suspended?: boolean;
    readonly code: string | null;
    readonly message: string | null;
  };
  /** Why it would not be stopped although it runs. */
  readonly refusal: Problem | null;
}

export function examine(path: string): Examination {
  try {
    const target = identify(path, { verify: true, insecure: true, needsStart: true });
    try {
      return describe(target, whyNotStopped(path));
    } finally {
      target.close();
    }
  } catch (error) {
    return explain(toProblem(error));
  }
}

function describe(target: OtherProcess, refusal: Problem | null): Examination {
  const { pid, knownBy } = target;
  const { command, user, suspended } = target.details();
  const startedAt = new Date(target.startedAt ?? NaN);
  const parts = [
    `process ${pid}`,
    ...(command === '' ? [] : [shortened(command)]),
    ...(user === '' ? [] : [`by ${user}`]),
    `since ${localTime(startedAt)}`,
  ];
  const how = knownBy === 'lock' ? 'it holds the file' : 'it started before the file was written';
  return {
    status: 'running',
    text: `running${suspended ? ', but suspended' : ''} (${parts.join(', ')}; ${how})`,
    data: {
      pid,
      ...{ program: command || null, user: user || null, startedAt, suspended, knownBy, refusal },
      code: null,
      message: null,
    },
    refusal,
  };
}

function shortened(command: string): string {
  const characters = Array.from(command); // not inside of a surrogate pair
  return characters.length > 60 ? `${characters.slice(0, 60).join('')}…` : command;
}

/** As it would be for `daemoniker stop` without options. */
function whyNotStopped(path: string): Problem | null {
  try {
    const target = identify(path, { verify: true, insecure: false });
    try {
      target.signal(0);
    } finally {
      target.close();
    }
    return null;
  } catch (error) {
    const { code, message } = toProblem(error);
    return { code, message: advise(message) };
  }
}

function explain(error: SignalError | PidFileError): Examination {
  const { code, pid = null } = error;
  const message = advise(error.message);
  const data = { pid, code, message };
  const refusal = null;
  const dead = (text: string): Examination => ({
    status: 'dead',
    text: `not running (${text})`,
    data,
    refusal,
  });
  switch (code) {
    case 'ENOENT':
      return { status: 'stopped', text: 'not running (no such file)', data, refusal };
    case 'ESRCH':
      return dead(`process ${pid} is gone`);
    case 'ERR_PID_FILE_STALE':
      return error instanceof PidFileError && isLockGone(error)
        ? dead(`no process holds the file any more; process ${pid} is unrelated`)
        : dead(`process ${pid} started after the file was written, so it is not the daemon`);
    default:
      return error instanceof PidFileError && isLeftEmpty(error)
        ? dead('the file is empty')
        : { status: 'unknown', text: `unknown: ${message}`, data, refusal };
  }
}

/** What a program passes, as a shell says it. */
export function advise(message: string): string {
  return message
    .replace('pass { insecure: true }', 'use --insecure')
    .replace('pass { verify: false }', 'use --no-verify');
}

function toProblem(error: unknown): SignalError | PidFileError {
  if (error instanceof SignalError || error instanceof PidFileError) return error;
  throw error;
}

/** `2026-11-26 23:58:01`, in the time of this place. */
function localTime(date: Date): string {
  const two = (number: number): string => String(number).padStart(2, '0');
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(two).join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}

/**
 * The parent of the daemon, if that may start it again; else `null`. Daemons that have lost theirs are
 * children of PID 1, and a shell that has run this command too waits for the next one.
 */
export function supervisorOf(path: string, verify: boolean): number | null {
  try {
    const target = identify(path, { verify, insecure: true, needsStart: true });
    target.close();
    const { parent } = target;
    return parent !== null && parent > 0 && isSupervisor(parent) ? parent : null;
  } catch (error) {
    toProblem(error);
    return null;
  }
}

function isSupervisor(pid: number): boolean {
  const nobody = -1; // owns the file
  return native.roleOf(pid, nobody) === Role.Ordinary;
}

/**
 * The process that runs by now where another one has been ended; `null` if none does. Waits for it as
 * long as there is a supervisor, but no more than a second.
 */
export async function successor(
  path: string,
  ended: number,
  supervisor: number | null,
): Promise<number | null> {
  const end = performance.now() + RESTART_MS;
  for (;;) {
    const pid = runsNow(path, ended);
    const mayCome = pid === null && supervisor !== null && isAlive(supervisor);
    if (!mayCome || performance.now() >= end) return pid;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** As long as a supervisor and a program need to start, without a pause between two attempts. */
const RESTART_MS = 1000;
const LOOK_EVERY_MS = 20;

function isAlive(pid: number): boolean {
  const process = native.describeProcess(pid, -1);
  return !isFailure(process) && !process.zombie;
}

function runsNow(path: string, ended: number): number | null {
  try {
    const target = identify(path, { verify: true, insecure: true });
    target.close();
    return target.pid === ended ? null : target.pid;
  } catch (error) {
    toProblem(error);
    return null;
  }
}
