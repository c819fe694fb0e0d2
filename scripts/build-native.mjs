// Builds the addon for this machine into build/Release, with node-gyp.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodedirArguments } from './headers.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
const { status, stdout, stderr, error } = spawnSync(
  process.execPath,
  [nodeGyp, 'rebuild', ...nodedirArguments(), ...process.argv.slice(2)],
  { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
);
if (status !== 0) {
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}${error ?? ''}`);
  console.error(
    'The addon could not be built: see above. It needs Python 3, make and a C++17 compiler.',
  );
  process.exit(1);
}
