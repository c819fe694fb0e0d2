// What the last run of each command found out, for the table of scripts/platforms.mjs.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './run.mjs';

const fileOf = (kind) => join(ROOT, 'build', 'results', `${kind}.json`);

export function readResults(kind) {
  return existsSync(fileOf(kind)) ? JSON.parse(readFileSync(fileOf(kind), 'utf8')) : {};
}

/** Keeps what an earlier run said of things that this one has left out. */
export function recordResults(kind, results) {
  mkdirSync(join(ROOT, 'build', 'results'), { recursive: true });
  const all = { ...readResults(kind), ...results };
  writeFileSync(fileOf(kind), `${JSON.stringify(all, null, 2)}\n`);
}
