// Compiles the addon's sources with this machine's compiler and other flags than node-gyp's.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { readGyp } from './gyp.mjs';
import { ROOT, mapLimited, run } from './run.mjs';

const require = createRequire(import.meta.url);

export const COMPILER = process.env.CXX ?? 'c++';
export const gyp = await readGyp('linux');

/**
 * The objects by their sources, which are paths below `root`. `flags` come last, after those of
 * binding.gyp.
 */
export async function compile(sources, directory, flags, root = ROOT) {
  const include = [
    join(root, 'native'),
    require('node-addon-api').include_dir,
    require('node-api-headers').include_dir,
  ].map((path) => `-I${path}`);
  const defines = gyp.defines.map((define) => `-D${define}`);
  const all = [...gyp.cflags, ...gyp.cflags_cc, '-fPIC', ...defines, ...include, ...flags];
  const objects = await mapLimited(sources, 2, async (source) => {
    const object = join(directory, `${source.replaceAll('/', '_')}.o`);
    await run(COMPILER, [...all, '-c', join(root, source), '-o', object]);
    return [source, object];
  });
  return new Map(objects);
}
