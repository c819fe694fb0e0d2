// npm run bench: measures, prints, and writes bench/README.md and the picture in it. `--peers`
// measures the receivers in other languages and daemoniker in Bun and Deno too; `--rounds N` (default
// 9) for more or fewer rounds; `--dry` prints only.
import { writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { drawBench } from '../scripts/pictures/bench.mjs';
import { MODES } from '../scripts/pictures/drawing.mjs';
import { RUNTIMES } from '../scripts/runtimes/runtimes.mjs';
import { LIMIT_MS, measureLimits } from './limits.mjs';
import { IDLE_MS, measureIdle } from './idle.mjs';
import { measureFirst, measureLatency, measureRuntimes } from './latency.mjs';
import { measureLoad } from './load.mjs';
import { BUSY_MS, SENDERS, measureNamed } from './named.mjs';
import { measureNotify } from './notify.mjs';
import { buildFloor, buildPeers, buildSender } from './peers.mjs';
import { measureSend } from './send.mjs';
import { measureStart } from './start.mjs';
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
const runtimes = values.peers
  ? await measureRuntimes(
      rounds,
      RUNTIMES.filter(({ name }) => /^(?:Bun|Deno) /.test(name)),
    )
  : [];
const storm = await measureStorm(3 * rounds, buildSender());
const named = process.platform === 'linux' ? await measureNamed() : null;
const start = measureStart(rounds);
const growth = await measureGrowth();
const send = await measureSend(rounds);
const notified = await measureNotify(rounds);
const load = measureLoad(rounds);
const limits = await measureLimits(rounds);
const wakeUps = process.platform === 'linux' ? await measureIdle() : null;

const times = (ratio) => `${ratio.toFixed(2)} ×`;
const latencyTable = (rows) => `| | p50 | | p99 | |
| --- | --- | --- | --- | --- |
${rows.map((row) => `| ${row.name} | ${row.p50.toFixed(0)} µs | ${times(row.p50Ratio)} | ${row.p99.toFixed(0)} µs | ${times(row.p99Ratio)} |`).join('\n')}`;

const sendTable = (rows) => `| | p50 | |
| --- | --- | --- |
${rows.map((row) => `| ${row.name} | ${row.p50.toFixed(1)} µs | ${times(row.p50Ratio)} |`).join('\n')}`;

const runtimesTable = (rows) =>
  rows.length === 0
    ? ''
    : `In other runtimes, compared with their own \`process.on\`, CPUs awake:

| | p50 | p99 | the first |
| --- | --- | --- | --- |
${rows
  .map(({ name, latency: [, { p50Ratio, p99Ratio }], first: [, { p50Ratio: firstRatio }] }) => {
    const ratios = [p50Ratio, p99Ratio, firstRatio].map(times);
    return `| ${name} | ${ratios.join(' | ')} |`;
  })
  .join('\n')}
`;

const stormTable = (rows) =>
  rows
    .map((row) => `| ${row.name} | ${row.delayP99.toFixed(1)} ms | ${times(row.delayP99Ratio)} |`)
    .join('\n');

const ours = latency.awake[1];
const loadMore = load.at(-1).p50 - load[0].p50;
const stormRatio = storm.one[1].delayP99Ratio;
const percent = (share) => `${(share * 100).toFixed(0)} %`;
const figures = [
  ['signal → handler, p50, CPUs awake', times(ours.p50Ratio), '≤ 1.15 ×', ours.p50Ratio <= 1.15],
  ['signal → handler, p99, CPUs awake', times(ours.p99Ratio), '≤ 1.25 ×', ours.p99Ratio <= 1.25],
  ['the first signal of a process', times(first[1].p50Ratio), '≤ 1.5 ×', first[1].p50Ratio <= 1.5],
  ['event-loop delay in a storm, p99', times(stormRatio), '≤ 0.4 ×', stormRatio <= 0.4],
  [
    'memory after a million signals',
    `${(growth.bytes / 2 ** 20).toFixed(2)} MiB more`,
    '< 1 MB more',
    growth.bytes < 1e6,
  ],
  [
    '`send()`, to a daemon at rest',
    times(send.atRest[1].p50Ratio),
    '≤ 1.5 ×',
    send.atRest[1].p50Ratio <= 1.5,
  ],
  ...limits.map(({ name, median }, index) => {
    const reach = index === 0 ? 20 : 50;
    return [name, `${median.toFixed(1)} ms late`, `≤ ${reach} ms late`, median <= reach];
  }),
  ['`start()`, the first', `${start.first.toFixed(1)} ms`, '≤ 5 ms', start.first <= 5],
  ['`start()`, again', `${start.again.toFixed(2)} ms`, '≤ 1 ms', start.again <= 1],
  ["`require('daemoniker')`", `${loadMore.toFixed(1)} ms`, '≤ 5 ms', loadMore <= 5],
];
if (storm.twoNative !== null) {
  const ratio = storm.twoNative[1].delayP99Ratio;
  figures.push(['the same, two native senders', times(ratio), '≤ 1 ×', ratio <= 1]);
}
if (named !== null) {
  for (const [when, share] of [
    ['an idle loop', named.idle],
    [`callbacks of ${BUSY_MS} ms`, named.busy],
  ]) {
    const what = `${SENDERS} \`kill(1)\` named, ${when}`;
    figures.push([what, percent(share), '≥ 85 %', share >= 0.85]);
  }
}
if (notified !== null) {
  const ratio = notified[1].p50Ratio;
  figures.push(['`notify()`', `${ratio.toFixed(4)} ×`, '≤ 0.01 ×', ratio <= 0.01]);
}
if (wakeUps !== null) {
  figures.push([
    `wake-ups of the two threads, idle for ${IDLE_MS / 1000} s`,
    String(wakeUps),
    '0',
    wakeUps === 0,
  ]);
}

const report = `# Benchmarks

Written by \`npm run bench -- --peers\`. Ratios of medians over ${rounds} rounds in which the peers took turns
(three times as many for the storms, which scatter most).
Absolute figures depend on the machine and on what else it does.

Machine: ${cpus().length} × ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${release()}, Node ${process.version}, on ${new Date().toISOString().slice(0, 10)}.

## Goals

Against \`process.on\`, against \`readFileSync\` + \`process.kill\`, against a bare \`node\`, against \`systemd-notify\`.

| | measured | goal | |
| --- | --- | --- | --- |
${figures.map(([what, measured, goal, reached]) => `| ${what} | ${measured} | ${goal} | ${reached ? 'reached' : 'missed'} |`).join('\n')}

## From kill(2) to the handler, idle event loop

<picture>
  <source media="(prefers-color-scheme: dark)" srcset="../docs/pictures/bench-dark.svg">
  <img alt="From kill(2) to the signal handler: the medians of the first table" src="../docs/pictures/bench-light.svg">
</picture>

Each signal is sent as soon as the one before was handled, so the CPUs are awake:

${latencyTable(latency.awake)}

A millisecond after everything went to sleep:

${latencyTable(latency.asleep)}
${missing.length === 0 ? '' : `\nNot measured, because it could not be built here: ${missing.join(', ')}.\n`}
The first signal of a process, for a daemon often the only one. Nothing is warm, and nothing compiled yet.
(signal-exit handles one signal in the life of a process, so it appears only in this table.)

| | p50 | |
| --- | --- | --- |
${first.map((row) => `| ${row.name} | ${row.p50.toFixed(0)} µs | ${times(row.p50Ratio)} |`).join('\n')}

${runtimesTable(runtimes)}
A signal wakes the messenger, which wakes the main thread; \`process.on\` wakes only the main thread.
So the difference is one wake-up of a thread, about 3 µs on a CPU that is awake. What that is as a
ratio depends on how long the rest takes on the machine: 1.2 × has been measured where \`process.on\` took
60 µs, and 1.5 × where it took 7 µs. A bare futex, thread and thread-safe function without any other code cost
the same. In return there are the deadlines below, which \`process.on\` cannot have.

What was tried, and what it gained (p50):

- Creating the record of the arrival when it is read, not before the handler runs: − 80 µs.
- Reading the sender's name in the signal handler after waking the messenger, instead of in the messenger: no
  measurable cost, and nearly all senders are still there.
- Not looking up again a sender that signals again within 100 ms: − 30 µs with a sender that makes no pauses.
- Passing the arrival to JavaScript in one call, as arguments: − 3 µs.
- \`uv_async_send()\` in the signal handler, without a thread: 0.6 to 0.95 ×. Not done, because exceptions that a
  handler throws are lost in its callbacks, and tearing down the environment then aborts the process.
- Running through the whole path once when the event loop turns for the first time after \`start()\`: 1.7 × instead of
  3 × for the first signal.

## Event-loop delay in a storm

Signals as fast as one process can send them.

| | p99 | |
| --- | --- | --- |
${stormTable(storm.one)}
${storm.twoNative === null ? '' : `\nThe same from two native senders, which on two CPUs leave none to the receiver alone:\n\n| | p99 | |\n| --- | --- | --- |\n${stormTable(storm.twoNative)}\n`}

Memory after ${STORM / 1e6} million signals, which the system coalesced into ${growth.handled} calls of the handler:
${(growth.bytes / 2 ** 20).toFixed(2)} MiB more resident.

## send()

To a daemon at rest, the usual state of a daemon that is told to shut down. It has handled the previous signal and
slept for a millisecond, so the call includes waking it.

${sendTable(send.atRest)}

Call after call, without waiting. The peer finds the daemon still busy with the previous signal and
wakes nobody. \`send()\` is slower, and has to wake it each time:

${sendTable(send.busy)}

So the goal is for the first table: in the second, the two do not do the same work.

\`send()\` also opens a pidfd and verifies that the process holds the file's lock, by a read in /proc that
takes as long as reading the file. Tried or considered:

- \`{ verify: false }\`, which does not verify that: − 10 µs.
- Passing what was found about the file to JavaScript as arguments, not as an object: − 2 µs. Not done.
- A second lock whose holder fcntl(2) names (\`l_pid\`), to save one call. Not done: on network and FUSE file
  systems that may be the PID of a process on another machine, and \`send()\` would signal the local process with that
  number.
${
  notified === null
    ? ''
    : `
## notify()

${sendTable(notified)}

The command is a process of its own, for which \`spawnSync()\` waits.
`
}
## Loading

| | p50 | more |
| --- | --- | --- |
${load.map((row) => `| ${row.name} | ${row.p50.toFixed(1)} ms | ${(row.p50 - load[0].p50).toFixed(1)} ms |`).join('\n')}

Node.js finds, reads and compiles each module separately, so \`lib\` is published as one file, made by esbuild
and as readable as before. With one file for each of its fifteen modules, loading took 1.4 to 3 times
as long on a busy host. What remains beyond the second row is finding, reading and compiling that one file.

## Limits of ${LIMIT_MS} ms

From the limit to the end of the process, as the parent sees it. A shutdown also names the hook that was running on
stderr.

| | p50 | the worst of ${rounds} |
| --- | --- | --- |
${limits.map(({ name, median, worst }) => `| ${name} | ${median.toFixed(1)} ms | ${worst.toFixed(1)} ms |`).join('\n')}
`;

const here = dirname(fileURLToPath(import.meta.url));
const readme = join(here, 'README.md');
const text = await format(report, { ...(await resolveConfig(readme)), filepath: readme });
process.stdout.write(text);
if (!values.dry) {
  writeFileSync(readme, text);
  const pictures = join(here, '..', 'docs', 'pictures');
  for (const mode of MODES) writeFileSync(join(pictures, `bench-${mode}.svg`), drawBench(mode));
}
