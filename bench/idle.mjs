// How often our parked threads wake up (Linux: voluntary context switches, proc(5)).
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const receiver = join(dirname(fileURLToPath(import.meta.url)), 'receivers', 'idle.cjs');

export const IDLE_MS = 10_000;

export async function measureIdle() {
  const child = fork(receiver);
  try {
    const [threads] = await once(child, 'message');
    const wakeUpsOf = (thread) =>
      Number(
        /^voluntary_ctxt_switches:\s*(\d+)/m.exec(
          readFileSync(`/proc/${child.pid}/task/${thread}/status`, 'utf8'),
        )[1],
      );
    const wakeUps = () => threads.reduce((sum, thread) => sum + wakeUpsOf(thread), 0);
    await sleep(1000); // until it is parked
    const before = wakeUps();
    await sleep(IDLE_MS);
    return wakeUps() - before;
  } finally {
    child.kill('SIGKILL');
  }
}
