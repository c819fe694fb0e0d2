// Makes dist/index.js and dist/cli.js, each one file of all that it needs of lib: Node.js finds, reads
// and compiles each module separately, which for as many as lib has takes longer than all the rest of
// require('daemoniker'). dist/addon.js stays separate (lib/addon.ts says why).
import { join } from 'node:path';
import { build } from 'esbuild';

const OPTIONS = {
  platform: 'node',
  target: 'node18.18', // as "engines" in package.json
  logLevel: 'warning',
};

/** `directory` is where `lib` is. Types are not looked at; that is tsc's part. */
export async function bundle(directory, outdir = join(directory, 'dist')) {
  const lib = (name) => join(directory, 'lib', name);
  const common = { ...OPTIONS, absWorkingDir: directory, outdir };
  await build({
    ...common,
    entryPoints: [lib('index.ts'), lib('cli.ts')],
    bundle: true,
    external: ['node-gyp-build', '*/addon.js'],
    format: 'cjs',
    keepNames: true, // of classes, which esbuild calls _PidFile where they mention themselves
  });
  await build({ ...common, entryPoints: [lib('addon.ts')], format: 'cjs' });
  // Re-exports index.js, so that there is one of each class.
  await build({
    ...common,
    entryPoints: [lib('index.mts')],
    format: 'esm',
    outExtension: { '.js': '.mjs' },
  });
}
