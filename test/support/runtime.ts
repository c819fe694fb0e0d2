// The runtime under test. Jest itself always runs on the host's Node (or, for Windows, inside
// node.exe); fixtures run on what DAEMONIKER_TEST_RUNTIME names, as a JSON array of command words.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

export const RUNTIME: readonly string[] = JSON.parse(
  process.env['DAEMONIKER_TEST_RUNTIME'] ?? JSON.stringify([process.execPath]),
) as string[];

export const ROOT = join(__dirname, '..', '..');
export const FIXTURES = join(__dirname, '..', 'fixtures');

export type RuntimeName = 'node' | 'bun' | 'deno';

/** What its `process.versions` says. */
function askVersions(): Record<string, string> {
  if (RUNTIME.length === 1 && RUNTIME[0] === process.execPath) {
    return process.versions as Record<string, string>; // Jest runs on it
  }
  const { stdout, stderr, status, error } = spawnSync(
    RUNTIME[0] as string,
    [...RUNTIME.slice(1), join(FIXTURES, 'evaluate.cjs'), 'JSON.stringify(process.versions)'],
    { encoding: 'utf8' },
  );
  if (status !== 0) {
    throw new Error(`the runtime under test does not run: ${stderr}`, { cause: error });
  }
  return JSON.parse(stdout) as Record<string, string>;
}

const versions = askVersions();

/** Which runtime it is, and its version. */
export const NAME: RuntimeName =
  versions['bun'] !== undefined ? 'bun' : versions['deno'] !== undefined ? 'deno' : 'node';
export const VERSION = versions[NAME] as string;

export const IS_WINDOWS = process.platform === 'win32';
