// Looks for mistakes in what only a hosted machine runs: the workflows, by actionlint, and the shell
// scripts, those in the workflows included, by shellcheck.
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT, tryRun } from './support/run.mjs';
import { goProgram, python } from './support/tools.mjs';

const REQUIREMENTS = join(ROOT, 'scripts', 'workflows');
const ACTIONLINT = 'v1.7.12';

/** A program that a Python package brings along. */
async function fromPython(name, requirements) {
  return join(dirname(await python(name, join(REQUIREMENTS, requirements))), name);
}

const shellcheck = await fromPython('shellcheck', 'shellcheck.txt');
// The Python package downloads the program from where not every network lets it; Go builds the same.
const actionlint =
  (await goProgram('github.com/rhysd/actionlint/cmd/actionlint', ACTIONLINT)) ??
  (await fromPython('actionlint', 'actionlint.txt'));

const scripts = readdirSync(join(ROOT, 'scripts'), { recursive: true })
  .filter((name) => name.endsWith('.sh'))
  .map((name) => join('scripts', name));
const checks = [
  ['the workflows', actionlint, ['-no-color', '-pyflakes=', `-shellcheck=${shellcheck}`]],
  ...['.ci/run', ...scripts].map((script) => [script, shellcheck, [script]]),
];
let failed = 0;
for (const [what, program, args] of checks) {
  const { status, stdout, stderr } = await tryRun(program, args);
  if (status === 0) continue;
  failed += 1;
  console.error(`${what}:\n${stdout}${stderr}`);
}
console.log(`${checks.length - failed} passed, ${failed} failed: workflows and shell scripts`);
process.exit(failed > 0 ? 1 : 0);
