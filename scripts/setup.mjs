// Makes a fresh clone ready: dependencies, the addon, the compiled TypeScript. Does only what is
// out of date, so it costs next to nothing the second time.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npmCommand } from './support/npm.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
process.chdir(root);
refuseImpossiblePath();

step(
  'dependencies',
  ['package.json', 'package-lock.json'],
  'node_modules/.daemoniker-setup',
  () => {
    // No install scripts: nothing of the dependencies needs one, and the addon is built below.
    const [npm, ...args] = npmCommand();
    run(npm, [...args, 'ci', '--ignore-scripts', '--no-audit', '--no-fund']);
  },
);
step(
  'native addon',
  ['binding.gyp', 'native', 'scripts/build-native.mjs'],
  'build/.daemoniker-setup',
  () => {
    run(process.execPath, ['scripts/build-native.mjs']);
  },
  { isForThisVersion: true }, // of Node.js, whose headers it is built with
);
step(
  'TypeScript',
  [
    'tsconfig.json',
    'lib',
    'scripts/build-typescript.mjs',
    'scripts/bundle.mjs',
    'package-lock.json',
  ],
  'dist/.daemoniker-setup',
  () => {
    run(process.execPath, ['scripts/build-typescript.mjs']);
  },
);

/** What the tools themselves cannot do; all other characters are fine. */
function refuseImpossiblePath() {
  if (process.platform === 'win32') return; // only `:` can be there, after the drive
  const impossible = {
    ':': 'npm puts it into PATH, where a colon separates',
    '*': 'TypeScript takes it for a pattern',
    '?': 'TypeScript takes it for a pattern',
    '\n': 'make takes it for two lines',
  };
  const character = Object.keys(impossible).find((one) => root.includes(one));
  if (character === undefined) return;
  console.error(
    `set-up: nothing can be built in ${JSON.stringify(root)}, because of the ` +
      `${JSON.stringify(character)} in that path: ${impossible[character]}. Move the clone.`,
  );
  process.exit(1);
}

/** Runs `action` unless it has succeeded for just these inputs. */
function step(name, inputs, stamp, action, { isForThisVersion = false } = {}) {
  const state = fingerprint(inputs, isForThisVersion);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === state) return;
  const begun = performance.now();
  process.stderr.write(`set-up: ${name} … `);
  action();
  writeFileSync(stamp, state);
  process.stderr.write(`done in ${((performance.now() - begun) / 1000).toFixed(1)} s\n`);
}

function fingerprint(inputs, isForThisVersion) {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`);
  if (isForThisVersion) hash.update(process.version);
  for (const file of inputs.flatMap(filesBelow).sort())
    hash.update(file).update(readFileSync(file));
  return hash.digest('hex');
}

function filesBelow(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => filesBelow(join(path, name)));
}

function run(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status === 0) return;
  process.stderr.write(`failed\n${stdout ?? ''}${stderr ?? ''}${error ?? ''}`);
  process.exit(1);
}
