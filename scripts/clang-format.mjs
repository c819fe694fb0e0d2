// Checks or fixes the format of the C++ sources with clang-format, which comes as a
// Python package.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSION = '21.1.8';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
process.chdir(root);

const sources = ['native', join('test', 'native')]
  .flatMap((directory) =>
    readdirSync(directory, { recursive: true }).map((name) => join(directory, name)),
  )
  .filter((name) => /\.(cc|h)$/.test(name));
const mode = process.argv[2] === '--write' ? ['-i'] : ['--dry-run', '--Werror'];
const format = ['-c', 'import clang_format; clang_format.clang_format()', ...mode, ...sources];
const { status, stderr } = spawnSync(pythonWithClangFormat(), format, { encoding: 'utf8' });
process.stderr.write(stderr);
process.exit(status ?? 1);

/**
 * Every version formats a little differently, so it is always the pinned one. A Python and not the
 * commands `pip` and `clang-format` beside it: they are scripts that do not run where their own path
 * has a space or a quotation mark in it.
 */
function pythonWithClangFormat() {
  const environment = join('build', 'clang-format');
  const windows = process.platform === 'win32';
  const python = join(environment, ...(windows ? ['Scripts', 'python.exe'] : ['bin', 'python']));
  const done = join(environment, `.clang-format-${VERSION}`);
  if (!existsSync(done)) {
    run('python3', ['-m', 'venv', environment]);
    run(python, ['-m', 'pip', 'install', '--quiet', `clang-format==${VERSION}`]);
    writeFileSync(done, '');
  }
  return python;
}

function run(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return;
  process.stderr.write(`${stdout}${stderr}`);
  process.exit(1);
}
