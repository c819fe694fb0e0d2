// send() against what it replaces: reading the PID file and process.kill().
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { send } from '../dist/index.mjs';
import { compare, median } from './statistics.mjs';

const here = join(dirname(fileURLToPath(import.meta.url)), 'receivers');

const CALLS_A_ROUND = 300;

/**
 * `atRest`: to a daemon that has handled the signal before and has slept for a millisecond, so that
 * each call wakes it. `busy`: call after call, so that the faster the peer is, the surer it finds the
 * daemon still at work.
 */
export async function measureSend(rounds) {
  const directory = mkdtempSync(join(tmpdir(), 'daemoniker-bench-'));
  const pidFile = join(directory, 'bench.pid');
  const child = spawn(process.execPath, [join(here, 'daemon.cjs'), pidFile], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answer = () => once(child.stdout, 'data');
  try {
    await answer(); // ready
    const peers = [
      {
        name: '`readFileSync` + `process.kill`',
        call: () => process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGTERM'),
      },
      { name: '`send()`', call: () => send(pidFile, 'SIGTERM') },
    ];
    const atRest = await measure(peers, rounds, async () => {
      await answer();
      await sleep(1);
    });
    child.stdout.resume();
    return { atRest, busy: await measure(peers, rounds, null) };
  } finally {
    child.kill('SIGKILL');
    rmSync(directory, { recursive: true });
  }
}

async function measure(peers, rounds, pause) {
  for (const { call } of peers) await timeCalls(call, pause);
  const results = peers.map(({ name }) => ({ name, p50: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const [index, { call }] of peers.entries()) {
      results[index].p50.push(median(await timeCalls(call, pause)));
    }
  }
  return compare(results, ['p50']);
}

/** Microseconds. */
async function timeCalls(call, pause) {
  const times = [];
  for (let i = 0; i < CALLS_A_ROUND; i++) {
    const begun = process.hrtime.bigint();
    call();
    times.push(Number(process.hrtime.bigint() - begun) / 1000);
    if (pause !== null) await pause();
  }
  return times;
}
