// The end-to-end tests on Windows' own Node.js, some versions of it, under Wine on Linux.
//
//   npm run test:windows [-- [<major version>] [<arguments of jest>]]
//
// One file in one version: npm run test:windows -- 22 test/e2e/merging
//
// Installs what it needs (Debian's packages; the rest below .windows), cross-builds the prebuilt
// addon and runs the same test files as on Linux inside node.exe. What Wine cannot do stands in
// test/wine-limits.json, each case by its full name with the reason; the run fails when another
// case fails, and when one of these passes.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './prebuild/build.mjs';
import { TARGETS } from './prebuild/targets.mjs';
import { WINDOWS_RUNTIMES } from './runtimes/runtimes.mjs';
import { recordResults } from './support/results.mjs';
import { buildTool } from './windows/build.mjs';
import { Wine, nodeForWindows, requireTools, stage } from './windows/wine.mjs';

const [runtimes, jestArguments] = chosen(process.argv.slice(2));

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
// Not below build, which node-gyp empties.
const directory = join(root, '.windows');

requireTools();
execFileSync(process.execPath, ['scripts/build-typescript.mjs'], { cwd: root, stdio: 'inherit' });
const target = TARGETS.find(({ name }) => name === 'win32-x64');
const addon = join(directory, 'daemoniker.node');
await build(target, addon);
buildTool(root);
const project = stage(root, directory, addon);
const wine = new Wine(directory);
let passed = 0;
let failures = 0;
try {
  wine.setUp();
  const tool = join(project, 'test', 'tools', 'build', 'Release', 'windows_tool.exe');
  await wine.keepDesktop(nodeForWindows(directory, runtimes[0].version), addon, tool);
  for (const { name, version } of runtimes) {
    const node = nodeForWindows(directory, version);
    const before = { passed, failures };
    checkRenamed(node);
    const limits = runTests(node, version);
    if (jestArguments.length > 0) continue;
    const problems = failures - before.failures;
    recordResults('runtimes', { [name]: { passed: passed - before.passed, limits, problems } });
  }
} finally {
  wine.shutDown();
}
console.log(`${passed} passed, ${failures} failed`);
process.exitCode = failures === 0 ? 0 : 1;

function chosen(words) {
  const named = WINDOWS_RUNTIMES.filter(({ version }) => version.startsWith(`${words[0]}.`));
  return named.length > 0 ? [named, words.slice(1)] : [WINDOWS_RUNTIMES, words];
}

/** The addon must not ask for a program that is called node.exe. */
function checkRenamed(node) {
  const renamed = join(dirname(node), 'renamed.exe');
  if (!existsSync(renamed)) copyFileSync(node, renamed);
  const load = "console.log(typeof require('./prebuilds/win32-x64/daemoniker.node').take)";
  const { output } = wine.run([renamed, '-e', load], { cwd: project });
  if (output.trim() === 'function') passed++;
  else fail(`the addon does not load into renamed.exe: ${output}`);
}

/** Returns the names of the tests that are known to fail. */
function runTests(node, version) {
  const results = join(project, 'results.json');
  rmSync(results, { force: true });
  const { output } = wine.run(
    [
      ...[node, 'node_modules/jest/bin/jest.js', '--ci', '--runInBand', '--forceExit'],
      ...['--json', '--outputFile=results.json', ...jestArguments],
    ],
    { cwd: project },
  );
  if (!existsSync(results)) {
    fail(`Jest did not run in node.exe ${version}:\n${output}`);
    return [];
  }
  const { testResults } = JSON.parse(readFileSync(results, 'utf8'));
  for (const { message, assertionResults } of testResults) {
    if (assertionResults.length === 0) fail(message); // the file does not even load
  }
  const cases = testResults.flatMap((file) => file.assertionResults);
  if (cases.length === 0) fail(`no tests ran:\n${output}`);
  const ran = cases.filter(({ status }) => status === 'passed' || status === 'failed');
  const limits = new Set(knownLimits().map((limit) => limit.test));
  for (const { fullName, status, failureMessages } of ran) {
    const isKnown = limits.delete(fullName);
    if (status === 'failed' && !isKnown) fail(`${fullName}\n${failureMessages.join('\n')}`);
    if (status === 'passed' && isKnown) {
      fail(`${fullName}\npasses, so it has to leave test/wine-limits.json`);
    }
  }
  if (jestArguments.length === 0) {
    for (const name of limits) fail(`${name}\nis in test/wine-limits.json, but did not run`);
  }
  passed += ran.length - ran.filter(({ status }) => status === 'failed').length;
  const count = (wanted) => cases.filter(({ status }) => status === wanted).length;
  console.log(
    `node.exe ${version} under Wine: ${count('passed')} passed, ${count('failed')} failed ` +
      `(${knownLimits().length} known limits of Wine), ${count('pending')} not for Windows`,
  );
  return knownLimits().map((limit) => limit.test);
}

/** Those that are about a test case; the others are there for people. */
function knownLimits() {
  const limits = JSON.parse(readFileSync(join(root, 'test', 'wine-limits.json'), 'utf8'));
  return limits.filter(({ test }) => test !== undefined);
}

function fail(message) {
  failures++;
  console.error(`FAILED: ${message}\n`);
}
