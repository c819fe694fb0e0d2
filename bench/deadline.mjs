// How late the end comes when a deadline passes with the main thread in `while (true) {}`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median, percentile } from './statistics.mjs';

const here = join(dirname(fileURLToPath(import.meta.url)), 'receivers');

export const DEADLINE_MS = 200;

/** Milliseconds after the deadline at which the parent sees the end. */
export async function measureDeadline(rounds) {
  const lateness = [];
  for (let round = 0; round < rounds; round++) {
    const child = spawn(process.execPath, [join(here, 'stuck.cjs'), String(DEADLINE_MS)], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(child.stdout, 'data'); // about to be stuck
    const begun = performance.now();
    child.kill('SIGTERM');
    const [, signal] = await once(child, 'exit');
    if (signal !== 'SIGTERM') throw new Error(`the stuck process ended by ${signal}`);
    lateness.push(performance.now() - begun - DEADLINE_MS);
  }
  return { median: median(lateness), worst: percentile(lateness, 1) };
}
