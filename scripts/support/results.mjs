// What the last run of each command found out, for the table of scripts/platforms.mjs. A file for each
// thing, so that commands that run at the same time do not lose what the other has found.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './run.mjs';

const directoryOf = (kind) => join(ROOT, 'build', 'results', kind);

/** By the names of the things. */
export function readResults(kind) {
  const directory = directoryOf(kind);
  if (!existsSync(directory)) return {};
  return Object.fromEntries(
    readdirSync(directory).map((file) => [
      decodeURIComponent(file.replace(/\.json$/, '')),
      JSON.parse(readFileSync(join(directory, file), 'utf8')),
    ]),
  );
}

/** Keeps what an earlier run said of things that this one has left out. */
export function recordResults(kind, results) {
  const directory = directoryOf(kind);
  mkdirSync(directory, { recursive: true });
  for (const [name, result] of Object.entries(results)) {
    const file = join(directory, `${encodeURIComponent(name)}.json`);
    writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  }
}
