// What require('daemoniker') adds to the start of a bare node, and the part of it that is not ours.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compare } from './statistics.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

// Starts of one and the same program differ by more than what is looked for.
const STARTS_A_ROUND = 20;

export function measureLoad(rounds) {
  const loader = `require(${JSON.stringify(join(root, 'node_modules', 'node-gyp-build'))})`;
  const peers = [
    { name: 'bare `node`', program: '' },
    { name: 'node-gyp-build and the addon alone', program: `${loader}(${JSON.stringify(root)})` },
    { name: "`require('daemoniker')`", program: `require(${JSON.stringify(root)})` },
  ];
  const results = peers.map(({ name }) => ({ name, p50: [] }));
  for (let start = 0; start < rounds * STARTS_A_ROUND; start++) {
    for (const [index, { program }] of peers.entries()) {
      const begun = process.hrtime.bigint();
      spawnSync(process.execPath, ['-e', program]);
      results[index].p50.push(Number(process.hrtime.bigint() - begun) / 1e6);
    }
  }
  return compare(results, ['p50']);
}
