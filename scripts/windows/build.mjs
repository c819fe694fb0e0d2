// Builds the program that the Windows tests use, where node-gyp would put it, with mingw-w64.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const COMPILER = 'x86_64-w64-mingw32-g++-posix';

export function buildTool(root) {
  const tools = join(root, 'test', 'tools');
  const output = join(tools, 'build', 'Release', 'windows_tool.exe');
  const source = join(tools, 'windows_tool.cc');
  mkdirSync(dirname(output), { recursive: true });
  const { defines, libraries } = readTarget(join(tools, 'binding.gyp'));
  const flags = ['-std=c++17', '-Wall', '-Wextra', '-Werror', '-municode', '-static', '-s'];
  execFileSync(
    COMPILER,
    [...flags, ...defines.map((define) => `-D${define}`), source, '-o', output, ...libraries],
    { stdio: 'inherit' },
  );
}

/** A binding.gyp is a literal of JavaScript, but for its comments. */
function readTarget(file) {
  const text = readFileSync(file, 'utf8').replace(/^\s*#.*$/gm, '');
  return new Function(`return (${text})`)().targets[0];
}
