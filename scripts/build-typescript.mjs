// Compiles lib into dist: the declarations by tsc, which checks the types, the programs by esbuild.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');

// What an earlier build left there would be published.
rmSync(dist, { recursive: true, force: true });
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const { status } = spawnSync(
  process.execPath,
  [tsc, '-p', 'tsconfig.json', '--emitDeclarationOnly'],
  { cwd: root, stdio: 'inherit' },
);
if (status !== 0) process.exit(1);
await bundle(root);
