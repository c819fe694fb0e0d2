// What Linux tells about a process in /proc.
import { readFileSync, readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { PATIENCE_MS } from './fixture';

function field(status: string, name: string): string {
  const found = new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1];
  if (found === undefined) throw new Error(`no ${name} in ${status}`);
  return found;
}

const NAMES = ['SIGINT', 'SIGTERM', 'SIGABRT'] as const;

/** Which of the three signals are in one of the sets of /proc/PID/status. */
export function signalSet(pid: number, set: 'SigCgt' | 'SigIgn' | 'SigBlk' | 'ShdPnd'): string[] {
  return signalSetOf(readFileSync(`/proc/${pid}/status`, 'latin1'), set);
}

export function signalSetOf(status: string, set: string): string[] {
  const bits = BigInt(`0x${field(status, set)}`);
  return NAMES.filter((name) => (bits >> BigInt(constants.signals[name] - 1)) & 1n);
}

/**
 * The status of a process whose main thread sleeps. One that is creating a thread (Bun does so just
 * after its start) has blocked all signals for that instant: the C library does it.
 */
export function statusAtRest(pid: number): string {
  const patience = Date.now() + PATIENCE_MS;
  for (;;) {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    if (field(status, 'State').startsWith('S')) return status;
    if (Date.now() > patience) throw new Error(`process ${pid} does not come to rest:\n${status}`);
  }
}

export function threads(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).length;
}

/** Context switches of each thread, by its ID. */
export function contextSwitches(pid: number): Map<string, number> {
  return new Map(
    readdirSync(`/proc/${pid}/task`).map((thread) => {
      const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'latin1');
      return [thread, Number(field(status, 'voluntary_ctxt_switches'))];
    }),
  );
}
