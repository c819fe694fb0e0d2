// What the demonstration of a blocked event loop prints, without what differs from run to run.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../support/run.mjs';

// On a machine that is too busy, V8 may not tell the stack in the few milliseconds that it has.
const MOST_ATTEMPTS = 20;

/** `{ daemon, stop, exitCode }`: the lines of both programs, and the exit code of the daemon. */
export function record() {
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const recording = recordOnce();
    if (recording.daemon.some((line) => line.startsWith('    at '))) return recording;
  }
  throw new Error(`the demonstration printed no stack in ${MOST_ATTEMPTS} attempts`);
}

function recordOnce() {
  const demo = join('examples', 'demo', 'demo.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [demo, 'blocked'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the demonstration failed:\n${stdout}${stderr}`);
  const lines = stdout.split('\n');
  const of = (name) =>
    lines
      .filter((line) => line.trim().startsWith(`${name} `))
      .map((line) => line.slice(line.indexOf('│') + 2))
      // A terminal has no more of it when the command is done.
      .filter((line) => !line.includes('waiting for its process'))
      .map((line) => line.replace(/file:\/\/.*(?=blocked\.mjs:)/, 'file:///srv/app/'))
      .map((line) => line.replace(/process \d+/, 'process 4242'));
  const [, exitCode] = /✓ .* exit code (\d+)/.exec(stdout);
  return { daemon: of('blocked.mjs'), stop: of('stop'), exitCode };
}

/**
 * Whether both are the same but for what depends on the version of Node.js (its own stack frames) and of
 * Linux (how another process ended).
 */
export function isSame(one, other) {
  return essence(one) === essence(other);
}

function essence({ daemon, stop, exitCode }) {
  return JSON.stringify([
    daemon.filter((line) => !line.includes('(node:internal/')),
    stop.map((line) => line.replace(/ \(exit code \d+\)$/, '')),
    exitCode,
  ]);
}
