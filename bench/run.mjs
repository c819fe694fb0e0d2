// npm run bench: measures, prints, and writes bench/README.md and the chart in it. `--peers`
// measures the receivers in other languages too; `--rounds N` (default 9) for more or fewer rounds;
// `--dry` prints only.
import { writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { DEADLINE_MS, measureDeadline } from './deadline.mjs';
import { IDLE_MS, measureIdle } from './idle.mjs';
import { measureFirst, measureLatency } from './latency.mjs';
import { measureLoad } from './load.mjs';
import { buildFloor, buildPeers } from './peers.mjs';
import { toChart } from './plot.mjs';
import { measureSend } from './send.mjs';
import { STORM, measureGrowth, measureStorm } from './storm.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    peers: { type: 'boolean', default: false },
    dry: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);

const others = values.peers ? buildPeers() : [buildFloor()];
const missing = others.filter(({ command }) => command === null).map(({ name }) => name);
const latency = await measureLatency(rounds, others);
const first = await measureFirst(rounds, others);
const storm = await measureStorm(rounds);
const growth = await measureGrowth();
const send = await measureSend(rounds);
const load = measureLoad(rounds);
const deadline = await measureDeadline(rounds);
const wakeUps = process.platform === 'linux' ? await measureIdle() : null;

const times = (ratio) => `${ratio.toFixed(2)} ×`;
const latencyTable = (rows) => `| | p50 | | p99 | |
| --- | --- | --- | --- | --- |
${rows.map((row) => `| ${row.name} | ${row.p50.toFixed(0)} µs | ${times(row.p50Ratio)} | ${row.p99.toFixed(0)} µs | ${times(row.p99Ratio)} |`).join('\n')}`;

const sendTable = (rows) => `| | p50 | |
| --- | --- | --- |
${rows.map((row) => `| ${row.name} | ${row.p50.toFixed(1)} µs | ${times(row.p50Ratio)} |`).join('\n')}`;

const ours = latency.awake[1];
const loadMore = load.at(-1).p50 - load[0].p50;
const figures = [
  ['signal → handler, p50, CPUs awake', times(ours.p50Ratio), '≤ 1.25 ×', ours.p50Ratio <= 1.25],
  ['signal → handler, p99, CPUs awake', times(ours.p99Ratio), '≤ 1.25 ×', ours.p99Ratio <= 1.25],
  [
    'event-loop delay in a storm, p99',
    times(storm[1].delayP99Ratio),
    '≤ 0.5 ×',
    storm[1].delayP99Ratio <= 0.5,
  ],
  [
    'memory after a million signals',
    `${(growth.bytes / 2 ** 20).toFixed(2)} MiB more`,
    '< 1 MB more',
    growth.bytes < 1e6,
  ],
  [
    '`send()`, to a daemon at rest',
    times(send.atRest[1].p50Ratio),
    '≤ 2 ×',
    send.atRest[1].p50Ratio <= 2,
  ],
  [
    'deadline, main thread in `while (true) {}`',
    `${deadline.median.toFixed(1)} ms late`,
    '≤ 20 ms late',
    deadline.median <= 20,
  ],
  ["`require('daemoniker')`", `${loadMore.toFixed(1)} ms`, '≤ 5 ms', loadMore <= 5],
];
if (wakeUps !== null) {
  figures.push([
    `wake-ups of the dispatcher, idle for ${IDLE_MS / 1000} s`,
    String(wakeUps),
    '0',
    wakeUps === 0,
  ]);
}

const report = `# Benchmarks

Written by \`npm run bench -- --peers\`. Ratios of medians over ${rounds} rounds in which the peers took turns;
absolute figures depend on the machine and on what else it does.

Machine: ${cpus().length} × ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${release()}, Node ${process.version}.

## The figures to reach

Against \`process.on\`, against \`readFileSync\` + \`process.kill\`, against a bare \`node\`.

| | measured | to reach | |
| --- | --- | --- | --- |
${figures.map(([what, measured, goal, reached]) => `| ${what} | ${measured} | ${goal} | ${reached ? 'reached' : 'missed'} |`).join('\n')}

## From kill(2) to the handler, idle event loop

![Medians of the first table](latency.svg)

The next signal goes out as soon as the one before was handled, so the CPUs are awake:

${latencyTable(latency.awake)}

After a millisecond in which everything fell asleep:

${latencyTable(latency.asleep)}
${missing.length === 0 ? '' : `\nNot measured, because it could not be built here: ${missing.join(', ')}.\n`}
The first signal of a process, for a daemon often the only one: nothing is warm, nothing compiled yet.
(signal-exit handles one signal in a process's life, so it is in this table alone.)

| | p50 | |
| --- | --- | --- |
${first.map((row) => `| ${row.name} | ${row.p50.toFixed(0)} µs | ${times(row.p50Ratio)} |`).join('\n')}

A signal wakes the dispatcher thread, and that wakes the main thread; \`process.on\` wakes the main thread
alone. What the additional wake-up of an idle CPU costs a virtual machine depends on its host: with
everything asleep, from 1.1 × to 2.6 × have been measured on one and the same, and as much for a bare
eventfd, thread and thread-safe function without anything of ours. A busy host shows in p99 first: awake,
1.1, 2.0 and 2.1 × in three runs within ten minutes. It buys what the first row cannot do at all: the
deadline below.

What was tried, and what it gave (p50):

- The record of the arrival made when somebody asks for it, not before the handler: − 80 µs.
- The sender looked up after the main thread was woken and sched_yield(2): − 40 µs. Another 200 µs later:
  − 10 µs more with everything asleep, but half of the senders that exit at once are gone by then; not done.
- A sender that signals again within 100 ms not looked up anew: − 30 µs under a sender without pauses,
  because the dispatcher stays on the main thread's CPU.
- The arrival handed to JavaScript in one call, as arguments: − 3 µs.

## Event-loop delay in a storm

Signals as fast as one process can send them.

| | p99 | |
| --- | --- | --- |
${storm.map((row) => `| ${row.name} | ${row.delayP99.toFixed(1)} ms | ${times(row.delayP99Ratio)} |`).join('\n')}

Memory after ${STORM / 1e6} million signals, which the system merged into ${growth.handled} calls of the handler:
${(growth.bytes / 2 ** 20).toFixed(2)} MiB more resident.

## send()

To a daemon at rest, as it is when it is to shut down: it has handled the signal before and slept for a
millisecond, so the call includes waking it.

${sendTable(send.atRest)}

Call after call, without waiting. Here the peer finds the daemon still at work on the signal before and
wakes nobody, which \`send()\`, being slower, has to do each time:

${sendTable(send.busy)}

That table was the headline until it was clear that the two do not do the same work there.

What it does more: a pidfd, and the proof that the process holds the file's lock, a read in /proc that
takes as long as reading the file. Tried or considered:

- \`{ verify: false }\` leaves the proof out: − 10 µs.
- What was found about the file handed to JavaScript as arguments, not as an object: − 2 µs; not done.
- A second lock whose holder fcntl(2) names (\`l_pid\`), for one call less: on network and FUSE file
  systems that may be a process of another machine, so \`send()\` could hit an innocent; not done.

## Loading

| | p50 | more |
| --- | --- | --- |
${load.map((row) => `| ${row.name} | ${row.p50.toFixed(1)} ms | ${(row.p50 - load[0].p50).toFixed(1)} ms |`).join('\n')}

Node finds, reads and compiles each module by itself, so \`lib\` is published as one file, made by esbuild
and as readable as before. With a file for each of its fifteen modules the whole took 1.4 to 3 times
as long, on a busy host. What is left beyond the second row is this
one file, found, read and compiled.

## Deadline of ${DEADLINE_MS} ms, main thread in \`while (true) {}\`

The parent sees the end ${deadline.median.toFixed(1)} ms after the deadline (worst of ${rounds}: ${deadline.worst.toFixed(1)} ms).
`;

const here = dirname(fileURLToPath(import.meta.url));
const readme = join(here, 'README.md');
const text = await format(report, { ...(await resolveConfig(readme)), filepath: readme });
process.stdout.write(text);
if (!values.dry) {
  writeFileSync(readme, text);
  writeFileSync(
    join(here, 'latency.svg'),
    toChart('From kill(2) to the handler, p50', latency.awake),
  );
}
