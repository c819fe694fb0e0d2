// Does the jobs in a directory, one after another. When it is asked to shut down, it finishes its current
// job and leaves the others for its next start.
//
//   node worker.mjs my.pid queue done
//   touch queue/1 queue/2 queue/3
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SignalHandler1 } from 'daemoniker';

const [pidFile = 'my.pid', queue = 'queue', done = 'done'] = process.argv.slice(2);

const handler = new SignalHandler1(pidFile, { shutdown: 30_000 }).start();
const { abortSignal } = handler;

for (const directory of [queue, done]) await mkdir(directory, { recursive: true });
console.log('waiting for jobs');
const worked = workUntilAborted();
// This hook waits for the current job; then the process exits.
handler.onShutdown('jobs', () => worked);

async function workUntilAborted() {
  while (!abortSignal.aborted) {
    const [job] = (await readdir(queue)).sort();
    if (job !== undefined) await work(job);
    else await sleep(500, undefined, { signal: abortSignal }).catch(() => undefined);
  }
  console.log('ended between two jobs');
}

async function work(job) {
  console.log(`begins ${job}`);
  await sleep(300);
  await rename(join(queue, job), join(done, job));
  console.log(`has done ${job}`);
}
