// What signals as fast as one process can send them do to the receiver's event loop and memory.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compare } from './statistics.mjs';

const here = join(dirname(fileURLToPath(import.meta.url)), 'receivers');

export const STORM = 1_000_000;
const SIGNALS_A_ROUND = 200_000;
const PEERS = [
  { name: '`process.on`', argument: 'process.on' },
  { name: 'daemoniker', argument: 'daemoniker' },
];

const NODE_SENDER = [process.execPath, join(here, 'storm_sender.cjs')];

/**
 * The event loop's delay, p99, in milliseconds: under one sender, and, if there is a native one, under
 * two of those, which leave the receiver no CPU of its own where there are two.
 */
export async function measureStorm(rounds, nativeSender) {
  return {
    one: await measure(rounds, [NODE_SENDER]),
    twoNative: nativeSender === null ? null : await measure(rounds, [nativeSender, nativeSender]),
  };
}

async function measure(rounds, senders) {
  const results = PEERS.map(({ name }) => ({ name, delayP99: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const [index, { argument }] of PEERS.entries()) {
      const receiver = await startReceiver(argument);
      await receiver.ask('begin');
      await storm(receiver.child.pid, SIGNALS_A_ROUND, senders);
      results[index].delayP99.push((await receiver.ask('end')).delayP99);
      receiver.child.kill('SIGKILL');
    }
  }
  return compare(results, ['delayP99']);
}

/** How many bytes more are resident after a million signals, the first fifth being the warm-up. */
export async function measureGrowth() {
  const receiver = await startReceiver('daemoniker');
  // Until V8 has compiled all it is going to compile.
  await storm(receiver.child.pid, STORM);
  const before = await receiver.ask('end');
  await storm(receiver.child.pid, STORM);
  const after = await receiver.ask('end');
  receiver.child.kill('SIGKILL');
  return { bytes: after.resident - before.resident, handled: after.handled - before.handled };
}

async function startReceiver(argument) {
  const child = fork(join(here, 'storm.cjs'), [argument], { execArgv: ['--expose-gc'] });
  await once(child, 'message'); // ready
  return {
    child,
    async ask(message) {
      child.send(message);
      const [answer] = await once(child, 'message');
      return answer;
    },
  };
}

async function storm(pid, signals, senders = [NODE_SENDER]) {
  await Promise.all(
    senders.map(([command, ...args]) =>
      once(spawn(command, [...args, String(pid), String(signals)]), 'exit'),
    ),
  );
}
