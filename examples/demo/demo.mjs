// npm start: a daemon, real signals, send().
//
// Three processes: this one watches, daemon.mjs handles signals, sender.mjs sends them through the
// daemon's PID file. Exit code 0 when everything arrived, else 1.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as util from 'node:util';

const PATIENCE_MS = 10_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGABRT'];

const here = dirname(fileURLToPath(import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'daemoniker-demo-'));
const pidFile = join(directory, 'demo.pid');
const children = [];
let failures = 0;

const watchdog = setTimeout(() => {
  console.error(`Nothing has happened for ${PATIENCE_MS / 1000} s: giving up.`);
  process.exit(1);
}, PATIENCE_MS);
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

try {
  await demonstrate();
} catch (error) {
  console.error(paint('red', `\nThe demonstration failed: ${error.message}`));
  failures++;
}
clearTimeout(watchdog);
console.log(
  failures === 0
    ? paint('green', '\nEverything arrived.')
    : paint('red', '\nNot everything arrived as it should.'),
);
process.exit(failures === 0 ? 0 : 1);

async function demonstrate() {
  const daemon = await start('daemon.mjs');
  const sender = await start('sender.mjs');
  const content = readFileSync(pidFile, 'utf8').trim();
  console.log(`A daemon runs as pid ${paint('bold', daemon.pid)}; its PID file says ${content}.`);
  console.log(`Another process, pid ${paint('bold', sender.pid)}, knows that file only.\n`);
  check(content === String(daemon.pid));

  for (const signal of SIGNALS) {
    const [arrival, departure] = await sendAndWatch(sender, daemon, signal);
    const microseconds = (BigInt(arrival.arrivedAt) - BigInt(departure.sentAt)) / 1000n;
    console.log(
      `  send(pidFile, ${signal})`.padEnd(26) +
        `→ handler called with ${paint('bold', String(arrival.signum).padStart(2))}, ` +
        `from ${describe(arrival.sender)}, after ${microseconds} µs`,
    );
    check(arrival.name === signal && arrival.signum === constants.signals[signal]);
    check(arrival.sender?.pid === sender.pid);
  }

  daemon.send('delete handler.sigterm');
  await next(daemon);
  console.log('\n  delete handler.sigterm    → the default handler raises SIGTERM');
  const ended = once(daemon, 'exit');
  sender.send('SIGTERM');
  const [code, signal] = await ended;
  const expected = process.platform === 'win32' ? code === 143 : signal === 'SIGTERM';
  const way = signal === null ? `exit code ${code}` : `death by ${signal} (in a shell: 143)`;
  console.log(
    `  send(pidFile, SIGTERM)    → the daemon ended; its parent sees ${paint('bold', way)}`,
  );
  check(expected);
}

async function start(script) {
  const child = fork(join(here, script), [pidFile]);
  children.push(child);
  await next(child);
  return child;
}

async function sendAndWatch(sender, daemon, signal) {
  const watched = Promise.all([next(daemon), next(sender)]);
  sender.send(signal);
  return watched;
}

async function next(child) {
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`a process ended too early (${signal ?? `exit code ${code}`})`);
  });
  ended.catch(() => undefined);
  const [message] = await Promise.race([once(child, 'message'), ended]);
  watchdog.refresh();
  return message;
}

function describe(sender) {
  if (sender === null) return 'an unknown sender';
  return `pid ${sender.pid}${sender.command === null ? '' : ` (${sender.command})`}`;
}

function check(isTrue) {
  if (!isTrue) failures++;
}

function paint(style, text) {
  return process.stdout.isTTY && !process.env.NO_COLOR && util.styleText
    ? util.styleText(style, String(text))
    : String(text);
}
