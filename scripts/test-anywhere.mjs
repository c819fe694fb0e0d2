// Clones HEAD to odd places, makes each clone ready in an odd environment (scripts/anywhere/cells.mjs),
// and runs the demonstration and some of the tests there: those that depend on where they are, and on
// who runs them. One line for each.
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cellsBelow } from './anywhere/cells.mjs';
import { ROOT, mapLimited, run, tryRun } from './support/run.mjs';

/** Files of tests, and how the names of the tests begin that are wanted of them. */
const TESTS = {
  'e2e/cli': ['on a terminal'],
  'e2e/deadline': ['a stderr that hangs'],
  'e2e/delivery': ['send\\(\\) of a signal: SIGTERM', 'a daemon shuts down gracefully'],
  'e2e/environments': ['Ctrl-C in a terminal'],
  'e2e/examples': ['systemd', 'http-server ends'],
  'e2e/pid_file_start': ['on Unix', 'the path may be'],
  'e2e/send_as_root': ['when root asks', 'when a user asks'],
  'e2e/send_hostile_files': ['on Unix a socket is refused'],
  'e2e/several_handlers': ['two copies of the package'],
};
const WANTED = `^(${Object.values(TESTS).flat().join('|')})`;

const PATIENCE_MS = 180_000;

const scratch = mkdtempSync(join(tmpdir(), 'daemoniker-anywhere-'));
const below = (...names) => join(scratch, ...names);

let passed = 0;
let failed = 0;
try {
  chmodSync(scratch, 0o755); // other users go through it
  // Else git clones nothing that belongs to somebody else, as in a container it often does.
  writeFileSync(below('gitconfig'), '[safe]\n\tdirectory = *\n');
  const lanes = Math.min(2, availableParallelism());
  const dependencies = await copiesOfDependencies(lanes);
  await mapLimited(cellsBelow(scratch), lanes, async (cell) => {
    if (cell.needs) {
      console.log(`not run: ${cell.what} (needs ${cell.needs})`);
      return;
    }
    const mine = dependencies.pop();
    await tell(cell, mine);
    dependencies.push(mine);
  });
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);

async function tell(cell, dependencies) {
  const begun = Date.now();
  let result;
  try {
    result = await tryCell(cell, dependencies);
  } catch (error) {
    result = { did: 'no clone', problem: error.message };
  }
  const { did, problem } = result;
  const seconds = Math.round((Date.now() - begun) / 1000);
  if (problem === null) passed += 1;
  else failed += 1;
  console.log(`${problem === null ? 'passed' : 'FAILED'}: ${cell.what}: ${did} (${seconds} s)`);
  // Indented, so that no line of it looks like a result of this script.
  if (problem !== null) console.error(problem.replace(/^/gm, '    '));
}

/**
 * One for each cell that runs at a time; it is moved from clone to clone. The files are the same, by
 * hard links, and readable for every user.
 */
async function copiesOfDependencies(count) {
  const copies = Array.from({ length: count }, (_, index) => below(`node_modules-${index}`));
  const [first, ...others] = copies;
  await run('cp', ['-a', join(ROOT, 'node_modules'), first]);
  await run('chmod', ['-R', 'a+rX', first]);
  for (const other of others) await run('cp', ['-al', first, other]);
  return copies;
}

/** What it did, and what was wrong, or null. */
async function tryCell(cell, dependencies) {
  const clone = below(cell.place);
  mkdirSync(dirname(clone), { recursive: true });
  if (cell.closed) chmodSync(below(cell.closed), 0o700);
  if (cell.env?.TMPDIR) mkdirSync(cell.env.TMPDIR, { recursive: true });
  const gitEnv = { ...process.env, GIT_CONFIG_GLOBAL: below('gitconfig') };
  await run(...words(cell, 'git', 'clone', '--quiet', ROOT, clone), { env: gitEnv });
  // What only looks like the package, for whoever resolves '../..' and not '../../'.
  for (const extension of ['js', 'json']) writeFileSync(`${clone}.${extension}`, '[]');
  if (cell.user) await run('chown', ['-R', `${cell.user.uid}:${cell.user.gid}`, clone]);
  if (cell.through) symlinkSync(clone, below(cell.through));
  const cwd = cell.through ? below(cell.through) : clone;
  const modules = join(clone, 'node_modules');
  renameSync(dependencies, modules);
  try {
    const env = await environment(cell, cwd);
    return await tryClone(cell, { cwd, env, groupTimeout: PATIENCE_MS, ...cell.user });
  } finally {
    renameSync(modules, dependencies);
  }
}

async function tryClone(cell, options) {
  const start = await tryRun(...words(cell, 'npm', 'start'), options);
  if (start.status !== 0 || !start.stdout.includes('Everything was as it should be.')) {
    return { did: 'npm start', problem: `${start.stdout}${start.stderr}` };
  }
  const jest = ['node_modules/jest/bin/jest.js', '--json', '--silent'];
  const which = Object.keys(TESTS).map((file) => `test/${file}.test.ts`);
  const command = words(cell, 'node', ...jest, `--testNamePattern=${WANTED}`, ...which);
  const { did, problem } = judge(cell, await tryRun(...command, options));
  return { did: `npm start, ${did}`, problem };
}

function judge({ complete }, { status, stdout, stderr }) {
  let report;
  try {
    report = JSON.parse(stdout);
  } catch {
    return { did: 'no tests', problem: `${stdout}${stderr}` };
  }
  const files = report.testResults.map(({ name, assertionResults }) => ({
    name,
    wanted: assertionResults.filter(({ fullName }) => new RegExp(WANTED).test(fullName)),
  }));
  const skippedIn = (some) =>
    some.flatMap(({ wanted }) => wanted.filter((one) => one.status === 'pending'));
  const did = `${report.numPassedTests} tests, ${skippedIn(files).length} skipped`;
  if (status !== 0 || report.numPassedTests === 0) return { did, problem: stderr };
  const missing = skippedIn(files.filter(({ name }) => complete && name.includes(complete)));
  const problem = missing.map(({ fullName }) => `skipped: ${fullName}`).join('\n');
  return { did, problem: problem === '' ? null : problem };
}

/** A command in this cell: the program and its arguments. */
function words({ wrapper = [] }, ...command) {
  const [first, ...others] = [...wrapper, ...command];
  return [first, others];
}

/** Without what the npm that runs this script tells it. */
async function environment({ env = {}, node }, cwd) {
  const ofNpm = /^(npm_|INIT_CWD$|NODE_PATH$|PREBUILDS_ONLY$|DAEMONIKER_)/i;
  const path = node === undefined ? {} : { PATH: `${await node()}:${process.env.PATH}` };
  const entries = Object.entries({ ...process.env, PWD: cwd, ...path, ...env });
  return Object.fromEntries(
    entries.filter(([name, value]) => value !== undefined && !ofNpm.test(name)),
  );
}
