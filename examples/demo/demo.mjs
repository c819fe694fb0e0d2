// npm start: real processes and real signals. Exit code 0 if everything was as it should be, else 1.
//
// Each function below is a part. `node demo.mjs blocked` runs that one alone.
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ping, send } from 'daemoniker';
import { paint } from './paint.mjs';
import { Program } from './program.mjs';

const PATIENCE_MS = 60_000;
const IS_WINDOWS = process.platform === 'win32';

const directory = mkdtempSync(join(tmpdir(), 'daemoniker-demo-')); // of the PID files
let failures = 0;

const parts = { sender, graceful, impatient, blocked };
const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts);

process.on('exit', () => rmSync(directory, { recursive: true, force: true, maxRetries: 9 }));
setTimeout(() => {
  check(false, `not done after ${PATIENCE_MS / 1000} s`);
  process.exit(1);
}, PATIENCE_MS).unref();

for (const [index, name] of wanted.entries()) {
  if (index > 0) console.log();
  await parts[name](index + 1).catch((error) => check(false, error.message));
}
console.log(
  failures === 0
    ? paint('green', '\nEverything was as it should be.')
    : paint('red', '\nNot everything was as it should be: see ✗.'),
);
process.exit(failures === 0 ? 0 : 1);

async function sender(number) {
  title(`${number}. Who sent the signal`);
  command('node daemon.mjs &');
  const daemon = run('daemon.mjs');
  await daemon.receives();
  say(`The daemon is process ${daemon.child.pid}; this is process ${process.pid}.`);

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGABRT']) {
    const { signum, name, sender } = await sendTo(daemon, signal);
    const isRight = signum === constants.signals[signal] && sender?.pid === process.pid;
    check(
      isRight,
      `send(pidFile, ${signal}): ${name} from pid ${sender?.pid} (${sender?.command})`,
    );
  }

  const delays = [];
  while (delays.length < 201) {
    const sentAt = process.hrtime.bigint();
    const { arrivedAt } = await sendTo(daemon, 'SIGTERM');
    delays.push(Number(BigInt(arrivedAt) - sentAt) / 1000);
  }
  const median = delays.sort((a, b) => a - b)[100];
  say(`From send() to the handler: ${median.toFixed(0)} µs, the median of ${delays.length}.`);

  daemon.child.send('done');
  await daemon.ended;
}

async function graceful(number) {
  title(`${number}. SIGINT, as by Ctrl-C: a graceful shutdown, the last hook first`);
  command('node graceful.mjs &');
  const daemon = run('graceful.mjs');
  await daemon.prints('running');
  call('send(pidFile, SIGINT)');
  send(pidFile('graceful'), 'SIGINT');
  const { code } = await daemon.ended;
  const hooks = daemon.lines.filter((line) => line.endsWith(': closed'));
  const isRight = code === 0 && String(hooks) === 'http: closed,database: closed';
  check(isRight, `both hooks have run: exit code ${code}`);
}

async function impatient(number) {
  title(`${number}. The shutdown hangs, so Ctrl-C again`);
  command('node graceful.mjs hang &');
  const daemon = run('graceful.mjs', 'hang');
  await daemon.prints('running');
  call('send(pidFile, SIGINT)');
  send(pidFile('graceful'), 'SIGINT');
  await daemon.prints('open requests');
  await sleep(600); // within half a second it would count as the same Ctrl-C, passed on by a tool
  call('send(pidFile, SIGINT)');
  send(pidFile('graceful'), 'SIGINT');
  const { code, signal } = await daemon.ended;
  const isBySignal = IS_WINDOWS ? code === 130 : signal === 'SIGINT';
  const isNamed = daemon.output.includes('still running: http');
  check(isBySignal && isNamed, `ended at once, ${how(code, signal)}`);
}

async function blocked(number) {
  title(`${number}. An event loop that is stuck in while (true)`);
  command('node blocked.mjs &');
  const daemon = run('blocked.mjs');
  while (!ping(pidFile('blocked')) && daemon.child.exitCode === null) await sleep(20);
  command('npx daemoniker stop blocked.pid');
  const manifest = createRequire(import.meta.url).resolve('daemoniker/package.json');
  const cli = join(dirname(manifest), 'dist', 'cli.js'); // what npx runs
  const stop = new Program('stop       ', cli, ['stop', 'blocked.pid'], directory);
  const [{ code, signal }, stopped] = await Promise.all([daemon.ended, stop.ended]);
  const says = daemon.output.includes('because the event loop is blocked');
  // None on Windows, and none where the machine is too busy: it may take a few milliseconds only.
  const [frame = 'blocked.mjs:8:'] = daemon.lines.filter((line) => line.startsWith('    at '));
  const isRight = code === 124 && says && frame.includes('blocked.mjs:8:') && stopped.code === 0;
  check(isRight, `ended in time, ${how(code, signal)}`);
}

function run(name, ...args) {
  return new Program(name, fileURLToPath(new URL(name, import.meta.url)), args, directory);
}

function pidFile(name) {
  return join(directory, `${name}.pid`);
}

async function sendTo(daemon, signal) {
  const received = daemon.receives();
  send(pidFile('daemon'), signal);
  return received;
}

function how(code, signal) {
  if (signal === null) return `exit code ${code}`;
  return `by ${signal} (exit code ${128 + constants.signals[signal]} in a shell)`;
}

function title(text) {
  console.log(paint('bold', text));
}

function say(text) {
  console.log(`   ${text}`);
}

function command(text) {
  say(paint('cyan', `$ ${text}`));
}

function call(text) {
  say(paint('cyan', text));
}

function check(isRight, text) {
  if (!isRight) failures++;
  say(isRight ? paint('green', `✓ ${text}`) : paint('red', `✗ ${text}`));
}
