// An addon that is compiled differently from binding.gyp, beside the one in build/Release, and the
// tests with it. Linux only.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { COMPILER } from './compile.mjs';
import { ROOT, run } from './run.mjs';

const require = createRequire(import.meta.url);
const JEST = join(dirname(require.resolve('jest/package.json')), 'bin', 'jest.js');

/** Links `objects` into an addon below `directory`; gives that directory. */
export async function linkVariant(objects, directory, flags) {
  const addon = addonIn(directory);
  mkdirSync(dirname(addon), { recursive: true });
  await run(COMPILER, [...objects, '-shared', ...flags, '-pthread', '-ldl', '-o', addon]);
  return directory;
}

/** Runs Jest, the processes of which load the addon of linkVariant(): how many tests passed and failed. */
export async function testVariant(directory, jestArguments, variables) {
  // node-gyp-build looks for the addon below it.
  const env = { ...process.env, ...variables, DAEMONIKER_PREBUILD: directory };
  const addon = addonIn(directory);
  const loaded = "require('.'); process.report.getReport().sharedObjects.join()";
  const { stdout: libraries } = await run(process.execPath, ['-p', loaded], { env });
  if (!libraries.includes(addon)) throw new Error(`not ${addon} was loaded, but ${libraries}`);

  const result = join(directory, 'tests.json');
  const jest = [JEST, ...jestArguments, '--json', `--outputFile=${result}`];
  await new Promise((resolve) => {
    const child = spawn(process.execPath, jest, { cwd: ROOT, env, stdio: 'inherit' });
    child.on('close', resolve);
  });
  const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(
    readFileSync(result, 'utf8'),
  );
  if (numPassedTests + numFailedTests === 0) throw new Error('no test ran');
  return { passed: numPassedTests, failed: numFailedTests + numRuntimeErrorTestSuites };
}

const addonIn = (directory) => join(directory, 'build', 'Release', 'daemoniker.node');
