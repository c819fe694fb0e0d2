// How late a process ends that has to be ended when a limit has passed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median, percentile } from './statistics.mjs';

const here = join(dirname(fileURLToPath(import.meta.url)), 'receivers');

export const LIMIT_MS = 200;

const LIMITS = [
  { name: '`deadline`, main thread in `while (true) {}`', limit: 'deadline', end: 'SIGTERM' },
  { name: '`shutdown`, a hook in `while (true) {}`', limit: 'spins', end: 124 },
  { name: '`shutdown`, a hook that waits', limit: 'waits', end: 124 },
];

/** For each, milliseconds after the limit at which the parent sees the end. */
export async function measureLimits(rounds) {
  const lateness = LIMITS.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, { limit, end }] of LIMITS.entries()) {
      const child = spawn(process.execPath, [join(here, 'stuck.cjs'), limit, String(LIMIT_MS)], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      await once(child.stdout, 'data');
      const begun = performance.now();
      child.kill('SIGTERM');
      const [code, signal] = await once(child, 'exit');
      if ((code ?? signal) !== end) throw new Error(`${limit} ended by ${code ?? signal}`);
      lateness[index].push(performance.now() - begun - LIMIT_MS);
    }
  }
  return LIMITS.map(({ name }, index) => ({
    name,
    median: median(lateness[index]),
    worst: percentile(lateness[index], 1),
  }));
}
