// `npm test`: Jest, and beside it what reads the sources only. Arguments go to Jest.
//
// The types of lib/ are checked where it is compiled, by the set-up before.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { npmCommand } from './support/npm.mjs';
import { ROOT, tryRun } from './support/run.mjs';

const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
const reading = checkSources();
const isFine = await runJest(process.argv.slice(2));
const problems = await reading;
for (const problem of problems) console.error(problem);
process.exitCode = isFine && problems.length === 0 ? 0 : 1;

function runJest(words) {
  const child = spawn(process.execPath, [jest, ...words], { cwd: ROOT, stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (signal !== null) console.error(`Jest was terminated by ${signal}`);
      resolve(code === 0);
    });
  });
}

/** What went wrong, of each that did; the line with the counts is for .ci/run. */
async function checkSources() {
  const [npm, ...args] = npmCommand();
  const found = [];
  for (const name of ['lint', 'typecheck']) {
    const { status, stdout, stderr } = await tryRun(npm, [...args, 'run', '--silent', name]);
    if (status !== 0)
      found.push(`"npm run ${name}" fails:\n${stdout}${stderr}\n0 passed, 1 failed: ${name}`);
  }
  return found;
}
