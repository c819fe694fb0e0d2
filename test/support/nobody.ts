// Tests in which root makes fixtures run as a user who owns nothing.
import { spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeDirectory, temporaryDirectory } from './directory';
import { copyPackage } from './package_copy';
import { only } from './platform';
import { ROOT, RUNTIME } from './runtime';

export const NOBODY = { uid: 65534, gid: 65534 } as const;

// Deno keeps things at home, where this user has none.
const env = { ...process.env, HOME: '/nonexistent', DENO_DIR: tmpdir() };

const root = process.platform === 'linux' && process.getuid?.() === 0 ? readableRoot() : null;

/** Other users, mounts and PID namespaces are root's to make. */
export const asRoot = only('root on Linux only, where others can run the runtime', root !== null);

/** Options of a fixture that becomes this user by its wrapper. */
export const FOR_NOBODY = { root: root ?? ROOT, cwd: root ?? ROOT, env } as const;

/** Options of a fixture that is this user. */
export const AS_NOBODY = { ...NOBODY, ...FOR_NOBODY } as const;

/** This repository, or a copy where it lies in a folder that only root may enter. */
function readableRoot(): string | null {
  if (canRunIn(ROOT)) return ROOT;
  // The second one for a temporary directory in which nothing can be executed.
  for (const place of [undefined, '/dev/shm']) {
    const copy = temporaryDirectory(place);
    afterAll(() => removeDirectory(copy));
    chmodSync(copy, 0o755);
    copyPackage(copy, 'test/fixtures');
    spawnSync('chmod', ['-R', 'a+rX', copy]); // cloned with the umask 077, perhaps
    if (canRunIn(copy)) return copy;
  }
  return null;
}

function canRunIn(place: string): boolean {
  const [command, ...words] = RUNTIME as readonly [string, ...string[]];
  const args = [...words, join(place, 'test', 'fixtures', 'script.cjs'), 'return true'];
  return spawnSync(command, args, { ...NOBODY, cwd: place, env }).status === 0;
}
