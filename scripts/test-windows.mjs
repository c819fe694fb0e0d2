// The end-to-end tests on Windows' own Node.js, some versions of it, under Wine on Linux.
//
//   npm run test:windows [-- [--wine 8|10] [<major version>|all] [<arguments of jest>]]
//
// One file in one version: npm run test:windows -- 22 test/e2e/coalescing
// Everything in every version that runs there, under each Wine: npm run test:windows -- all
//
// With nothing chosen, it is everything in the oldest version under Debian's Wine 8, and in the newest
// under Wine 10 (wine10.mjs), which orders threads and files differently, what depends on that.
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
import { UNDER_WINE, WINDOWS_RUNTIMES } from './runtimes/runtimes.mjs';
import { recordResults } from './support/results.mjs';
import { buildTool } from './windows/build.mjs';
import { Wine, nodeForWindows, requireTools, stage } from './windows/wine.mjs';

/** The newest under the newer Wine: when nothing is chosen, these. */
const NEWEST = { wineVersion: 10, versions: UNDER_WINE[10].slice(-1) };
const FOR_NEWEST = ['test/e2e/windows', 'test/e2e/pid_file_claims', 'test/e2e/pid_file_end'];

const runs = chosen(process.argv.slice(2));

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
let passed = 0;
let failures = 0;
for (const run of runs) {
  try {
    const wine = await Wine.find(run.wineVersion, directory);
    if (wine !== null) await runUnder(wine, run);
    else console.log(`Wine ${run.wineVersion} was not run: this machine allows no mounts`);
  } catch (error) {
    fail(error.message);
  }
}
console.log(`${passed} passed, ${failures} failed`);
process.exitCode = failures === 0 ? 0 : 1;

/** Which versions of Node.js run which tests under which Wine. */
function chosen(words) {
  const option = words.indexOf('--wine');
  const [, wineVersion] = option < 0 ? [] : words.splice(option, 2);
  if (option >= 0 && UNDER_WINE[wineVersion] === undefined) refuse('--wine takes 8 or 10');
  const wines = Object.keys(UNDER_WINE).filter((wine) => wine === (wineVersion ?? wine));
  const isNamed = (version) => words[0] === 'all' || version.startsWith(`${words[0]}.`);
  const named = wines
    .map((wine) => ({ wineVersion: Number(wine), versions: UNDER_WINE[wine].filter(isNamed) }))
    .filter(({ versions }) => versions.length > 0);
  if (named.length > 0) {
    const jestArguments = words.slice(1);
    // One version runs under one Wine, if nothing else is said.
    const isOne = words[0] !== 'all' && wineVersion === undefined;
    return (isOne ? named.slice(0, 1) : named).map((run) => ({ ...run, jestArguments }));
  }
  if (/^\d+$/.test(words[0])) refuse(`node.exe ${words[0]} does not run under that Wine`);
  const whole = WINDOWS_RUNTIMES.map(({ wine, version }) => ({
    ...{ wineVersion: wine, versions: [version], jestArguments: words },
  }));
  const isChosen = words.length > 0 || wineVersion !== undefined;
  const newest = { ...NEWEST, jestArguments: isChosen ? words : FOR_NEWEST };
  return [...whole, newest].filter((run) => wines.includes(String(run.wineVersion)));
}

function refuse(message) {
  console.error(message);
  process.exit(2);
}

async function runUnder(wine, { wineVersion, versions, jestArguments }) {
  try {
    wine.setUp();
    const tool = join(project, 'test', 'tools', 'build', 'Release', 'windows_tool.exe');
    await wine.keepDesktop(nodeForWindows(directory, versions[0]), addon, tool);
    for (const version of versions) {
      const node = nodeForWindows(directory, version);
      const before = { passed, failures };
      checkRenamed(wine, node);
      const limits = runTests(wine, wineVersion, node, version, jestArguments);
      const listed = WINDOWS_RUNTIMES.find(
        (runtime) => runtime.version === version && runtime.wine === wineVersion,
      );
      if (jestArguments.length > 0 || listed === undefined) continue;
      const problems = failures - before.failures;
      const result = { passed: passed - before.passed, limits, problems };
      recordResults('runtimes', { [listed.name]: result });
    }
  } finally {
    wine.shutDown();
  }
}

/** The addon must not ask for a program that is called node.exe. */
function checkRenamed(wine, node) {
  const renamed = join(dirname(node), 'renamed.exe');
  if (!existsSync(renamed)) copyFileSync(node, renamed);
  const load = "console.log(typeof require('./prebuilds/win32-x64/daemoniker.node').take)";
  const { output } = wine.run([renamed, '-e', load], { cwd: project });
  if (output.trim() === 'function') passed++;
  else fail(`the addon does not load into renamed.exe: ${output}`);
}

/** Returns the names of the tests that are known to fail. */
function runTests(wine, wineVersion, node, version, jestArguments) {
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
    fail(`Jest did not run in node.exe ${version} under Wine ${wineVersion}:\n${output}`);
    return [];
  }
  const { testResults } = JSON.parse(readFileSync(results, 'utf8'));
  for (const { message, assertionResults } of testResults) {
    if (assertionResults.length === 0) fail(message); // the file does not even load
  }
  const cases = testResults.flatMap((file) => file.assertionResults);
  if (cases.length === 0) fail(`no tests ran:\n${output}`);
  const ran = cases.filter(({ status }) => status === 'passed' || status === 'failed');
  const known = knownLimits(wineVersion);
  const limits = new Set(known);
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
    `node.exe ${version} under Wine ${wineVersion}: ${count('passed')} passed, ${count('failed')} failed ` +
      `(${known.length} known limits of Wine), ${count('pending')} not for Windows`,
  );
  return known;
}

/** The names of the test cases that fail under this Wine; the other limits are informational. */
function knownLimits(wineVersion) {
  const limits = JSON.parse(readFileSync(join(root, 'test', 'wine-limits.json'), 'utf8'));
  return limits
    .filter(({ test, wine = [8, 10] }) => test !== undefined && wine.includes(wineVersion))
    .map(({ test }) => test);
}

function fail(message) {
  failures++;
  console.error(`FAILED: ${message}\n`);
}
