// `npm test`: Jest, and beside it what reads the sources only. Arguments go to Jest.
//
// The types of lib/ are checked where it is compiled, by the set-up before.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { ROOT, tryRun } from './support/run.mjs';

const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
const reading = checkSources();
const status = await new Promise((resolve) => {
  const args = [jest, ...process.argv.slice(2)];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  child.on('error', (error) => {
    console.error(error);
    resolve(1);
  });
  child.on('close', (code) => resolve(code ?? 1));
});
const problems = await reading;
for (const problem of problems) console.error(problem);
process.exitCode = status !== 0 || problems.length > 0 ? 1 : 0;

/** What went wrong, of each that did. */
async function checkSources() {
  const found = [];
  for (const name of ['lint', 'typecheck']) {
    const result = await tryRun('npm', ['run', '--silent', name], {
      shell: process.platform === 'win32',
    });
    if (result.status !== 0) found.push(`npm run ${name}:\n${result.stdout}${result.stderr}`);
  }
  return found;
}
