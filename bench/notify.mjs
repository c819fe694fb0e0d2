// notify() against the command that comes with systemd.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { notify } from '../dist/index.mjs';
import { compare, median } from './statistics.mjs';

const STATE = 'STATUS=measured';
const CALLS_A_ROUND = 50;

/** Node has no datagram sockets of this kind. */
const RECEIVER = `
import socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
print("ready", flush=True)
while True: receiver.recv(4096)
`;

/** `null` where there is no systemd-notify. */
export async function measureNotify(rounds) {
  if (spawnSync('systemd-notify', ['--version']).status !== 0) return null;
  const directory = mkdtempSync(join(tmpdir(), 'daemoniker-bench-'));
  const before = process.env.NOTIFY_SOCKET;
  process.env.NOTIFY_SOCKET = join(directory, 'notify');
  const receiver = spawn('python3', ['-c', RECEIVER, process.env.NOTIFY_SOCKET], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(receiver.stdout, 'data');
    const peers = [
      { name: '`systemd-notify`', call: () => spawnSync('systemd-notify', [STATE]).status === 0 },
      { name: '`notify()`', call: () => notify(STATE) },
    ];
    for (const { name, call } of peers) if (!call()) throw new Error(`${name} reached nobody`);
    const results = peers.map(({ name }) => ({ name, p50: [] }));
    for (let round = 0; round < rounds; round++) {
      for (const [index, { call }] of peers.entries()) {
        results[index].p50.push(median(timeCalls(call)));
      }
    }
    return compare(results, ['p50']);
  } finally {
    receiver.kill('SIGKILL');
    if (before === undefined) delete process.env.NOTIFY_SOCKET;
    else process.env.NOTIFY_SOCKET = before;
    rmSync(directory, { recursive: true });
  }
}

/** Microseconds. */
function timeCalls(call) {
  const times = [];
  for (let i = 0; i < CALLS_A_ROUND; i++) {
    const begun = process.hrtime.bigint();
    call();
    times.push(Number(process.hrtime.bigint() - begun) / 1000);
  }
  return times;
}
