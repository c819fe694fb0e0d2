// Claiming a PID file as soon as its holder releases it.
import { watch } from 'node:fs';
import { PidFileError } from './errors';
import { isFailure } from './native';
import { findHolder, locked, prepareClaim, type Claim } from './pid_file';
import { registry } from './registry';
import { happensWithin } from './waiting';

const { native } = registry;

/** Where nothing tells that the file is free: its holder is not known, or its file cannot be watched. */
const LOOK_EVERY_MS = 100;

/** A lock can also end while its process lives (execve(2), close_range(2)), and a watch may begin late (Deno). */
const LOOK_ANYWAY_EVERY_MS = 1000;

/**
 * Claims the file within that time, or throws `ERR_PID_FILE_LOCKED`. `stopped` is aborted when nobody
 * waits any more; its reason is thrown.
 */
export async function claimWithin(
  path: string,
  milliseconds: number,
  abortSignal: AbortSignal | undefined,
  stopped: AbortSignal,
): Promise<Claim> {
  const end = performance.now() + milliseconds;
  for (;;) {
    stopped.throwIfAborted();
    // It watches before it looks, so that hardly anything is missed in between.
    const change = new Change(path, stopped);
    try {
      // Once more when the time is over, too.
      const result = claimIfFree(path);
      if (!(result instanceof PidFileError)) return result;
      const left = end - performance.now();
      if (left <= 0) throw result;
      await happensWithin(left, change.happens(result.pid ?? null), abortSignal);
    } finally {
      change.close();
    }
  }
}

/** The claim, or who has the file. Does not even try while it is held, which would take time. */
function claimIfFree(path: string): Claim | PidFileError {
  const holder = findHolder(path);
  if (holder !== null) return locked(path, holder.pid);
  try {
    const claim = prepareClaim(path, 1);
    claim.publish();
    return claim;
  } catch (error) {
    if (error instanceof PidFileError && error.code === 'ERR_PID_FILE_LOCKED') return error;
    throw error;
  }
}

/**
 * Something that may have made the file free: it was changed or deleted, or its holder has ended; or
 * some time has passed. Rejects when `stopped` is aborted.
 */
class Change {
  readonly #happened: Promise<void>;
  #report = (): void => undefined;
  #isWatched = true;
  readonly #closing: (() => void)[] = [];

  constructor(path: string, stopped: AbortSignal) {
    this.#happened = new Promise((resolve, reject) => {
      this.#report = resolve;
      const giveUp = (): void => reject(stopped.reason as Error);
      stopped.addEventListener('abort', giveUp);
      this.#closing.push(() => stopped.removeEventListener('abort', giveUp));
    });
    this.#happened.catch(() => undefined); // whoever waits for it gets it
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
    const isTold = endIsTold && this.#isWatched;
    const timer = setTimeout(this.#report, isTold ? LOOK_ANYWAY_EVERY_MS : LOOK_EVERY_MS);
    this.#closing.push(() => clearTimeout(timer));
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
