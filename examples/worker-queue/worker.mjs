// Does the jobs in a directory, one after another. When it is asked to end, it finishes the one that
// it is at and leaves the others for its next start.
//
//   node worker.mjs my.pid queue done
//   touch queue/1 queue/2 queue/3
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SignalHandler1 } from 'daemoniker';

const [pidFile = 'my.pid', queue = 'queue', done = 'done'] = process.argv.slice(2);
const end = new AbortController();

// `deadline`: a worker whose job blocks the event loop must still be possible to end.
const options = { sigterm: finish, sigint: finish, deadline: 60_000 };
const handler = new SignalHandler1(pidFile, options).start();

function finish() {
  handler.exitWithin(30_000);
  end.abort();
}

for (const directory of [queue, done]) await mkdir(directory, { recursive: true });
console.log('waiting for jobs');
while (!end.signal.aborted) {
  const [job] = (await readdir(queue)).sort();
  if (job !== undefined) await work(job);
  else await sleep(500, undefined, { signal: end.signal }).catch(() => undefined);
}
console.log('ended between two jobs');

async function work(job) {
  console.log(`begins ${job}`);
  await sleep(300);
  await rename(join(queue, job), join(done, job));
  console.log(`has done ${job}`);
}
