// Breaks the sources, one line at a time, and fails if the tests do not notice: a mutant that
// survives is a missing test. Each runs in a copy of the tree, rebuilt, with the test files that
// should notice it (scripts/mutants.json), on this Node or on the runtime that it names. `-- errno`
// picks some by their names.
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { bundle } from './bundle.mjs';
import { RUNTIMES } from './runtimes/runtimes.mjs';
import { COMPILER, compile, gyp } from './support/compile.mjs';
import { readGyp } from './support/gyp.mjs';
import { ROOT, run, tryRun } from './support/run.mjs';

const wanted = process.argv.slice(2);
const { mutants } = JSON.parse(readFileSync(join(ROOT, 'scripts', 'mutants.json'), 'utf8'));
const NODE_MODULES = join(ROOT, 'node_modules');

let passed = 0;
let failed = 0;
const copy = mkdtempSync(join(tmpdir(), 'daemoniker-mutants-'));
try {
  // Some tests need other users who can read it.
  chmodSync(copy, 0o755);
  for (const part of ['lib', 'native', 'test', 'binding.gyp', 'package.json', 'tsconfig.json']) {
    cpSync(join(ROOT, part), join(copy, part), {
      recursive: true,
      filter: (path) => basename(path) !== 'node_modules', // of test/packages
    });
  }
  cpSync(join(ROOT, 'jest.config.cjs'), join(copy, 'jest.config.cjs'));
  cpSync(join(ROOT, 'dist'), join(copy, 'dist'), { recursive: true });
  symlinkSync(NODE_MODULES, join(copy, 'node_modules'));
  // Built once; a mutant compiles its own file again.
  const objects = await compile(gyp.sources, copy, [], copy);
  const chosen = mutants.filter(
    ({ name }) => wanted.length === 0 || wanted.some((word) => name.includes(word)),
  );
  await build(gyp.sources[0], objects);
  for (const where of new Set(chosen.map(({ runtime }) => runtime))) {
    const all = chosen.filter(({ runtime }) => runtime === where).flatMap(({ tests }) => tests);
    await passesUnbroken([...new Set(all)], where);
  }
  for (const mutant of chosen) {
    const begun = Date.now();
    const isNoticed = await notices(mutant, objects);
    if (isNoticed) passed += 1;
    else failed += 1;
    const seconds = Math.round((Date.now() - begun) / 1000);
    console.log(`${isNoticed ? 'noticed' : 'SURVIVED'}: ${mutant.name} (${seconds} s)`);
  }
} finally {
  rmSync(copy, { recursive: true });
}
console.log(`${passed} passed, ${failed} failed: mutants`);
process.exit(failed > 0 ? 1 : 0);

/** What fails here as well would notice nothing. */
async function passesUnbroken(tests, runtime) {
  const { status, stderr } = await jest(tests, runtime);
  if (status !== 0) throw new Error(`fails in a copy in which nothing is broken:\n${stderr}`);
}

async function jest(tests, runtime) {
  const named = RUNTIMES.find(({ name }) => name.startsWith(`${runtime} `));
  const program = join(NODE_MODULES, 'jest', 'bin', 'jest.js');
  return tryRun(process.execPath, [program, '--bail', '--testTimeout=30000', ...tests], {
    cwd: copy,
    env: {
      ...process.env,
      ...(named && { DAEMONIKER_TEST_RUNTIME: JSON.stringify(await named.command()) }),
    },
    // A mutant may make the tests wait for ever.
    groupTimeout: tests.length * 180_000,
  });
}

async function notices({ name, file, find, replace, tests, runtime }, objects) {
  const path = join(copy, file);
  const before = readFileSync(path, 'utf8');
  if (before.split(find).length !== 2)
    throw new Error(`${name}: ${file} does not say once: ${find}`);
  writeFileSync(
    path,
    before.replace(find, () => replace),
  );
  try {
    await build(file, objects);
    const { status } = await jest(tests, runtime);
    return status !== 0;
  } finally {
    writeFileSync(path, before);
    if (file.startsWith('lib/')) await build(file, objects);
  }
}

async function build(file, objects) {
  // Without the types: an error of theirs is none of the tests' merits.
  if (file.startsWith('lib/')) await bundle(copy);
  const release = join(copy, 'build', 'Release');
  const sources = file.endsWith('.h') ? gyp.sources : [file];
  const own = join(copy, 'mutant');
  rmSync(own, { recursive: true, force: true });
  mkdirSync(own);
  mkdirSync(release, { recursive: true });
  const mutated = file.startsWith('native/') ? await compile(sources, own, [], copy) : new Map();
  const all = new Map([...objects, ...mutated]);
  const { ldflags } = file === 'binding.gyp' ? await readGyp('linux', copy) : gyp;
  const flags = ['-shared', '-pthread', ...ldflags];
  await run(COMPILER, [...all.values(), ...flags, '-o', join(release, 'daemoniker.node')]);
}
