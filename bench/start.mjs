// What start() takes: the first one of a process, and the following ones.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from './statistics.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

const STARTS_A_ROUND = 5;

const PROGRAM = `
  const { SignalHandler1 } = require(${JSON.stringify(root)});
  const took = [];
  for (let i = 0; i < 20; i++) {
    const handler = new SignalHandler1(null, { sigterm: () => undefined });
    const begun = performance.now();
    handler.start();
    took.push(performance.now() - begun);
    handler.stop();
  }
  console.log(JSON.stringify(took));
`;

/** Milliseconds. */
export function measureStart(rounds) {
  const first = [];
  const again = [];
  for (let round = 0; round < rounds * STARTS_A_ROUND; round++) {
    const { stdout } = spawnSync(process.execPath, ['-e', PROGRAM], { encoding: 'utf8' });
    const [one, ...others] = JSON.parse(stdout);
    first.push(one);
    again.push(median(others));
  }
  return { first: median(first), again: median(again) };
}
