// The end-to-end tests on Windows' own Node.js, some versions of it, under Wine on Linux.
//
//   npm run test:windows [-- [--wine 8|10] [<major version>|all] [<arguments of jest>]]
//
// One file in one version: npm run test:windows -- 22 test/e2e/merging
// Everything in every version that runs there, under each Wine: npm run test:windows -- all
//
// With nothing chosen, it is everything under Debian's Wine 8, and under Wine 10 (wine10.mjs), which
// orders threads and files differently, what depends on that.
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
import { WINDOWS_RUNTIMES, WINE_10_VERSIONS } from './runtimes/runtimes.mjs';
import { recordResults } from './support/results.mjs';
import { buildTool } from './windows/build.mjs';
import { Wine, nodeForWindows, requireTools, stage } from './windows/wine.mjs';

/** What is run under Wine 10 by default. */
const FOR_WINE_10 = ['test/e2e/windows', 'test/e2e/pid_file_claims'];

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
  const wineVersion = option < 0 ? null : Number(words.splice(option, 2)[1]);
  if (wineVersion !== null && wineVersion !== 8 && wineVersion !== 10) {
    console.error('--wine takes 8 or 10');
    process.exit(2);
  }
  const under8 = WINDOWS_RUNTIMES.map(({ version }) => version);
  const under10 = [...under8, ...WINE_10_VERSIONS];
  const on = (wine, versions, jestArguments) => ({ wineVersion: wine, versions, jestArguments });
  if (words[0] === 'all') {
    const runs = [on(8, under8, words.slice(1)), on(10, under10, words.slice(1))];
    return runs.filter((run) => wineVersion === null || run.wineVersion === wineVersion);
  }
  const named = under10.filter((version) => version.startsWith(`${words[0]}.`));
  const versions = named.length > 0 ? named : under8;
  const jestArguments = named.length > 0 ? words.slice(1) : words;
  const isFor10 = versions.some((version) => WINE_10_VERSIONS.includes(version));
  if (wineVersion === 8 && isFor10) {
    console.error(`node.exe ${versions.join(', ')} does not run under Wine 8`);
    process.exit(2);
  }
  if (wineVersion !== null || words.length > 0) {
    return [on(wineVersion ?? (isFor10 ? 10 : 8), versions, jestArguments)];
  }
  return [on(8, under8, []), on(10, [under8.at(-1)], FOR_WINE_10)];
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
      const listed = WINDOWS_RUNTIMES.find((runtime) => runtime.version === version);
      if (jestArguments.length > 0 || wineVersion !== 8 || listed === undefined) continue;
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
