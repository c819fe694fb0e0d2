// Compiles lib into dist: the declarations by tsc, which checks the types, the programs by esbuild.
//
// Beside dist; its files take the places of the old ones when all is well. What runs meanwhile finds
// each of them, old or new, at any moment.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');

const built = mkdtempSync(join(root, '.dist-'));
try {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const { status } = spawnSync(
    process.execPath,
    [tsc, '-p', 'tsconfig.json', '--emitDeclarationOnly', '--outDir', built],
    { cwd: root, stdio: 'inherit' },
  );
  if (status === 0) {
    await bundle(root, built);
    replace();
  } else {
    process.exitCode = 1;
  }
} finally {
  rmSync(built, { recursive: true, force: true });
}

function replace() {
  // Which says what stands there: first of all, so that it never says too much.
  rmSync(join(dist, '.daemoniker-setup'), { force: true });
  const files = filesBelow(built);
  for (const file of files) {
    mkdirSync(dirname(join(dist, file)), { recursive: true });
    renameSync(join(built, file), join(dist, file));
  }
  // What an earlier build left there would be published.
  for (const file of filesBelow(dist)) {
    if (!files.includes(file)) rmSync(join(dist, file));
  }
}

function filesBelow(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath ?? entry.path, entry.name)));
}
