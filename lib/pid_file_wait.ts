// Claiming a PID file as soon as its holder lets it go. Loaded when it is first needed.
import { watch } from 'node:fs';
import { PidFileError } from './errors';
import { isFailure } from './native';
import { findHolder, locked, prepareClaim, type Claim } from './pid_file';
import { registry } from './registry';
import { happensWithin } from './waiting';

const { native } = registry;

/** Where nothing tells that the file is free: its holder is not known, or its file cannot be watched. */
const LOOK_EVERY_MS = 100;

/**
 * Claims the file within that time, or throws `ERR_PID_FILE_LOCKED`. `stopped` rejects when nobody
 * waits any more.
 */
export async function claimWithin(
  path: string,
  milliseconds: number,
  abortSignal: AbortSignal | undefined,
  stopped: Promise<never>,
): Promise<Claim> {
  const end = performance.now() + milliseconds;
  for (;;) {
    // It watches before it looks, so that nothing is missed in between.
    const change = new Change(path);
    try {
      const result = claimIfFree(path);
      if (!(result instanceof PidFileError)) return result;
      const changed = Promise.race([change.happens(result.pid ?? null), stopped]);
      const left = Math.max(0, end - performance.now());
      if (!(await happensWithin(left, changed, abortSignal))) throw result;
    } finally {
      change.close();
    }
  }
}

/** The claim, or who has the file. Does not even try while somebody holds it: that takes its time. */
function claimIfFree(path: string): Claim | PidFileError {
  const holder = findHolder(path);
  if (holder !== null) return locked(path, holder.pid);
  try {
    const claim = prepareClaim(path);
    claim.publish();
    return claim;
  } catch (error) {
    if (error instanceof PidFileError && error.code === 'ERR_PID_FILE_LOCKED') return error;
    throw error;
  }
}

/** Something that may have made the file free: it was changed or deleted, or its holder has ended. */
class Change {
  readonly #happened: Promise<void>;
  #report = (): void => undefined;
  #isWatched = true;
  readonly #closing: (() => void)[] = [];

  constructor(path: string) {
    this.#happened = new Promise((resolve) => (this.#report = resolve));
    try {
      const watcher = watch(path, this.#report);
      watcher.on('error', this.#report);
      this.#closing.push(() => watcher.close());
    } catch {
      this.#isWatched = false; // it is gone, or the system has no more watches
    }
  }

  /** `pid`: the holder, as far as it is known. Keeps the event loop alive. */
  async happens(pid: number | null): Promise<void> {
    const endIsTold = pid !== null && this.#watchProcess(pid);
    if (!endIsTold || !this.#isWatched) {
      const timer = setTimeout(this.#report, LOOK_EVERY_MS);
      this.#closing.push(() => clearTimeout(timer));
    }
    return this.#happened;
  }

  close(): void {
    for (const close of this.#closing) close();
  }

  /** Whether its end will be told. */
  #watchProcess(pid: number): boolean {
    const opened = native.openProcess(pid);
    if (isFailure(opened)) return false;
    const { handle } = opened;
    const process = native.describeProcess(pid, handle);
    const wait = isFailure(process)
      ? process
      : native.waitForExit(pid, handle, process.birth, this.#report);
    if (isFailure(wait)) native.closeProcess(handle);
    else this.#closing.push(() => native.stopWaiting(wait));
    return !isFailure(wait);
  }
}
