// Checks or mends the format of the C++ sources with clang-format, which comes as a
// Python package.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
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
const { status, stderr } = spawnSync(clangFormat(), [...mode, ...sources], { encoding: 'utf8' });
process.stderr.write(stderr);
process.exit(status ?? 1);

/** Every version formats a little differently, so it is always the pinned one. */
function clangFormat() {
  const environment = join('build', 'clang-format');
  const binary = join(
    environment,
    process.platform === 'win32' ? 'Scripts' : 'bin',
    'clang-format',
  );
  if (!existsSync(binary)) {
    run('python3', ['-m', 'venv', environment]);
    run(join(dirname(binary), 'pip'), ['install', '--quiet', `clang-format==${VERSION}`]);
  }
  return binary;
}

function run(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return;
  process.stderr.write(`${stdout}${stderr}`);
  process.exit(1);
}
