// Runs the end-to-end tests on every runtime, with the prebuilt binaries: Jest stays on this Node,
// its fixtures run on the runtime under test. `npm run test:runtimes -- bun "node 18"` picks some,
// `--nodes` every Node that needs neither emulator nor another C library;
// what follows a second `--` goes to Jest. An emulated runtime runs a subset,
// scripts/runtimes/emulated.mjs.
//
// What a runtime itself cannot do stands in test/support/known-limits.json. A listed test that
// passes fails the run as much as an unlisted one that does not: the list never says too much.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { EMULATED } from './runtimes/emulated.mjs';
import { RUNTIMES } from './runtimes/runtimes.mjs';
import { TARGETS } from './prebuild/targets.mjs';
import { testCompiler } from './prebuild/toolchain.mjs';
import { recordResults } from './support/results.mjs';
import { ROOT, mapLimited, tryRun } from './support/run.mjs';

const require = createRequire(import.meta.url);
const HOST = TARGETS.find(({ name }) => name === `linux-${process.arch}-glibc`);
const JEST = join(dirname(require.resolve('jest/package.json')), 'bin', 'jest.js');
const LIMITS = JSON.parse(
  readFileSync(join(ROOT, 'test', 'support', 'known-limits.json'), 'utf8'),
).limits;

const NAMES = EMULATED.flatMap(({ tests }) => tests);
const SUBSET = [
  `--testNamePattern=^(${NAMES.map((name) => name.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|')})$`,
  ...EMULATED.map(({ file }) => `test/e2e/${file}.test.ts`),
];

// A supervisor sees an exit code or a signal, which is no matter of Node's version: shown by the
// newest, by the other engines, and by this one (`npm test`).
const SUPERVISED = ['Node 26', 'Bun', 'Deno'];
const SUPERVISORS = ['supervisors'];

// What the addon does without the engine, and the command line that uses it: the oldest version and the
// newest show it, with the same binary.
const OF_NO_VERSION = ['cli', 'pid_file', 'python_original', 'send_', 'terminate'];

// Most of a test is waiting for a process to start, so three runtimes share two processors well.
const WIDTH = 3;

const words = process.argv.slice(2);
const separator = words.indexOf('--');
const wanted = separator < 0 ? words : words.slice(0, separator);
const forJest = separator < 0 ? [] : words.slice(separator + 1);
const runtimes = RUNTIMES.filter(
  ({ name, binary }) =>
    wanted.length === 0 ||
    (wanted.includes('--nodes') && binary === HOST.name && name.startsWith('Node')) ||
    wanted.some((part) => name.toLowerCase().includes(part.toLowerCase())),
);
// The slowest first.
runtimes.sort((one, other) => Number(other.emulated ?? false) - Number(one.emulated ?? false));
if (runtimes.length === 0) throw new Error(`no runtime is called ${wanted.join(' or ')}`);
const outputs = join(ROOT, 'build', 'runtimes');
mkdirSync(outputs, { recursive: true });

let passed = 0;
let failed = 0;
await mapLimited(runtimes, WIDTH, async (runtime) => {
  const begun = Date.now();
  let result;
  try {
    result = await test(runtime);
  } catch (error) {
    result = { passed: 0, limits: [], problems: [error.message] };
  }
  const { problems, limits } = result;
  passed += result.passed;
  failed += problems.length;
  if (forJest.length === 0)
    recordResults('runtimes', { [runtime.name]: { ...result, problems: problems.length } });
  for (const problem of problems) console.error(`${runtime.name}: ${problem}\n`);
  console.log(
    `${runtime.name}: ${result.passed} passed, ${limits.length} known limits, ` +
      `${problems.length} problems (${Math.round((Date.now() - begun) / 1000)} s)`,
  );
});
console.log(`${passed} passed, ${failed} failed: end-to-end tests on ${runtimes.length} runtimes`);
process.exit(failed > 0 ? 1 : 0);

async function test(runtime) {
  const target = TARGETS.find(({ name }) => name === runtime.binary);
  for (const { file } of new Set([target, HOST])) {
    if (!existsSync(join(ROOT, 'prebuilds', file))) {
      throw new Error(`prebuilds/${file} is missing: npm run prebuild:all builds it`);
    }
  }
  const output = join(outputs, `${runtime.name.replaceAll(/\W+/g, '-')}.json`);
  const which = runtime.emulated ? [...SUBSET] : ['test/e2e'];
  const isSupervised = SUPERVISED.some((name) => runtime.name.startsWith(name));
  const leftOut = [
    ...(isSupervised ? [] : SUPERVISORS),
    ...(runtime.isBetween ? OF_NO_VERSION : []),
  ];
  if (leftOut.length > 0 && forJest.length === 0) {
    which.push('--testPathIgnorePatterns', ...leftOut.map((name) => `test/e2e/${name}`));
  }
  const arguments_ = ['--json', `--outputFile=${output}`, '--silent', '--runInBand', ...forJest];
  rmSync(output, { force: true });
  const { stderr } = await tryRun(process.execPath, [JEST, ...arguments_, ...which], {
    env: {
      ...process.env,
      ...(target === HOST ? {} : testCompiler(target)),
      DAEMONIKER_TEST_RUNTIME: JSON.stringify(await runtime.command()),
      DAEMONIKER_PREBUILT: '1',
      PREBUILDS_ONLY: '1',
    },
  });
  if (!existsSync(output)) throw new Error(`Jest did not run:\n${stderr}`);
  const report = JSON.parse(readFileSync(output, 'utf8'));
  if (report.numTotalTests === 0) throw new Error(`no test ran:\n${stderr}`);
  return judge(runtime, report);
}

function judge(runtime, report) {
  const problems = report.testResults
    .filter(({ message, assertionResults }) => message && assertionResults.length === 0)
    .map(({ name, message }) => `${name} did not run:\n${message}`);
  const known = new Set(
    LIMITS.filter((limit) => limit.runtimes.some((name) => isNamed(runtime, name))).flatMap(
      (limit) => limit.tests,
    ),
  );
  const limits = [];
  let count = 0;
  for (const { fullName, status, failureMessages } of report.testResults.flatMap(
    (file) => file.assertionResults,
  )) {
    const isLimit = known.has(fullName);
    if (status === 'passed' && isLimit) {
      problems.push(`"${fullName}" passes: take it off test/support/known-limits.json`);
    } else if (status === 'passed') {
      count += 1;
    } else if (status === 'failed' && isLimit) {
      limits.push(fullName);
    } else if (status === 'failed') {
      problems.push(`"${fullName}" fails:\n${failureMessages.join('\n')}`);
    }
  }
  // A name that no test has protects nothing.
  const ran = new Set(
    report.testResults
      .flatMap((file) => file.assertionResults)
      .flatMap(({ fullName, status }) => (status === 'pending' ? [] : [fullName])),
  );
  for (const name of forJest.length > 0 ? [] : runtime.emulated ? NAMES : known) {
    if (!ran.has(name)) problems.push(`no test that ran is called "${name}"`);
  }
  return { passed: count, limits, problems };
}

/** `bun`, `node 18`, `qemu` (all that is emulated) or `musl`. */
function isNamed(runtime, name) {
  if (name === 'qemu') return runtime.emulated === true;
  if (name === 'musl') return runtime.binary.endsWith('musl');
  return new RegExp(`^${name}\\b`, 'i').test(runtime.name);
}
