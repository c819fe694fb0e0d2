// What binding.gyp says for one OS, evaluated by gyp itself.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ROOT, run } from './run.mjs';

const require = createRequire(import.meta.url);

export async function readGyp(os, root = ROOT) {
  const pylib = join(dirname(require.resolve('node-gyp/package.json')), 'gyp', 'pylib');
  const reader = join(ROOT, 'scripts', 'prebuild', 'read_gyp.py');
  const { stdout } = await run('python3', [reader, pylib, root, os]);
  const target = JSON.parse(stdout);
  return { ...target, ...target.configurations.Default };
}
