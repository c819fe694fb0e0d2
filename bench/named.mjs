// How many of those who send a signal by kill(1), and are gone at once, can be named.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = join(dirname(fileURLToPath(import.meta.url)), 'receivers');

export const SENDERS = 200;
export const BUSY_MS = 20;

/** The share, with an idle event loop and with one that has callbacks of 20 ms. */
export async function measureNamed() {
  return { idle: await share([]), busy: await share([String(BUSY_MS)]) };
}

async function share(args) {
  const child = fork(join(here, 'named.cjs'), args);
  await once(child, 'message'); // ready
  let named = 0;
  for (let i = 0; i < SENDERS; i++) {
    const answer = once(child, 'message');
    spawn('/bin/kill', ['-TERM', String(child.pid)]);
    const [command] = await answer;
    if (command === 'kill') named++;
  }
  child.kill('SIGKILL');
  return named / SENDERS;
}
