// zig's compiler, which comes as a Python package and targets every platform from any, and the
// questions that the scripts beside this file answer in Python.
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { ROOT, run } from '../support/run.mjs';
import { TOOLS, python } from '../support/tools.mjs';

const here = (file) => join(ROOT, 'scripts', 'prebuild', file);
const require = createRequire(import.meta.url);

export { readGyp } from '../support/gyp.mjs';

export const headers = require('node-api-headers');
export const includeHeaders = relative(ROOT, headers.include_dir);

const interpreter = await python('prebuild', here('requirements.txt'));

const cache = join(TOOLS, 'zig-cache');
const cacheVariables = { ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache };

export function zig(...args) {
  return run(interpreter, ['-m', 'ziglang', ...args], {
    env: { ...process.env, ...cacheVariables },
  });
}

/** For the tests' native helper: the variables that make them compile it for another platform. */
export function testCompiler(target) {
  const words = [interpreter, '-m', 'ziglang', 'cc', '-target', target.triple()];
  // Else zig adds checks that need its own run-time library.
  words.push('-fno-sanitize=undefined');
  return { ...cacheVariables, DAEMONIKER_TEST_CC: JSON.stringify(words) };
}

export const signMachO = (file, identifier) =>
  run(interpreter, [here('mach_o_signature.py'), file, identifier]);

/** What is wrong with a binary, and its figures; see check.py. */
export async function check(file, expected) {
  const { stdout } = await run(interpreter, [here('check.py'), file, JSON.stringify(expected)]);
  return JSON.parse(stdout);
}
