// From kill(2) to the first line of the handler, with an idle event loop. The peers take turns, one
// signal each, so that all of them see the same machine.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { compare, percentile } from './statistics.mjs';

const here = join(dirname(fileURLToPath(import.meta.url)), 'receivers');

const SIGNALS_A_ROUND = 400;
const WARM_UP = 300;
const STARTS_A_ROUND = 5;

/**
 * Both ways of sending: at once after the last answer, so that the CPUs are awake; and after a
 * millisecond in which everything falls asleep.
 */
export async function measureLatency(rounds, others) {
  const children = [];
  try {
    const start = async (command) => {
      const receiver = await startReceiver(command);
      children.push(receiver.child);
      return receiver;
    };
    const peers = both({ receiver: await start([process.execPath, join(here, 'node.cjs')]) });
    for (const { name, command } of others) {
      if (command !== null) {
        peers.push({ name, receiver: await start(command), signal: 'SIGTERM' });
      }
    }
    return {
      awake: await measure(peers, rounds, nextTurn),
      asleep: await measure(peers, rounds, () => sleep(1)),
    };
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

/** The same in other runtimes, CPUs awake: `[{ name, latency, first }]`, as the two others. */
export async function measureRuntimes(rounds, runtimes) {
  const results = [];
  for (const { name, command } of runtimes) {
    const words = [...(await command()), join(here, 'node.cjs')];
    const receiver = await startReceiver(words);
    const latency = await measure(both({ receiver }), rounds, nextTurn);
    receiver.child.kill('SIGKILL');
    results.push({ name, latency, first: await measureStarts(rounds, both({ command: words })) });
  }
  return results;
}

/** The two peers that one receiver, or one command that starts one, is at once. */
function both(where) {
  return [
    { name: '`process.on`', ...where, signal: 'SIGUSR2' },
    { name: 'daemoniker', ...where, signal: 'SIGTERM' },
  ];
}

/**
 * The first signal of a process, which for SIGTERM is the only one: nothing is warm, nothing
 * compiled by the JIT. After a pause in which it falls asleep.
 */
export function measureFirst(rounds, others) {
  const inNode = (file) => [process.execPath, join(here, file)];
  return measureStarts(rounds, [
    ...both({ command: inNode('node.cjs') }),
    { name: 'signal-exit (npm)', command: inNode('signal_exit.mjs'), signal: 'SIGTERM' },
    ...others.filter(({ command }) => command !== null),
  ]);
}

async function measureStarts(rounds, peers) {
  const results = peers.map(({ name }) => ({ name, p50: [] }));
  for (let start = 0; start < rounds * STARTS_A_ROUND; start++) {
    for (const [index, { command, signal = 'SIGTERM' }] of peers.entries()) {
      const receiver = await startReceiver(command);
      await sleep(20);
      results[index].p50.push(await latencyOf(receiver, signal));
      receiver.child.kill('SIGKILL');
    }
  }
  return compare(results, ['p50']);
}

async function measure(peers, rounds, pause) {
  await oneRound(peers, WARM_UP, pause);
  const results = peers.map(({ name }) => ({ name, p50: [], p99: [] }));
  for (let round = 0; round < rounds; round++) {
    const latencies = await oneRound(peers, SIGNALS_A_ROUND, pause);
    for (const [index, result] of results.entries()) {
      result.p50.push(percentile(latencies[index], 0.5));
      result.p99.push(percentile(latencies[index], 0.99));
    }
  }
  return compare(results, ['p50', 'p99']);
}

async function startReceiver([command, ...args]) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const stamps = readStamps(child.stdout);
  await stamps.next(); // ready
  return { child, stamps };
}

async function* readStamps(stream) {
  let rest = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = Buffer.concat([rest, chunk]);
    for (; rest.length >= 8; rest = rest.subarray(8)) yield rest.readBigInt64LE();
  }
}

/** Microseconds, for each peer. The next signal goes out when the one before has been reported. */
async function oneRound(peers, signals, pause) {
  const latencies = peers.map(() => []);
  for (let i = 0; i < signals; i++) {
    for (const [index, { receiver, signal }] of peers.entries()) {
      await pause();
      latencies[index].push(await latencyOf(receiver, signal));
    }
  }
  return latencies;
}

async function latencyOf({ child, stamps }, signal) {
  const sent = process.hrtime.bigint();
  process.kill(child.pid, signal);
  const { value } = await stamps.next();
  return Number(value - sent) / 1000;
}
