// The program that does for the tests on Windows what JavaScript cannot: test/tools/windows_tool.cc.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './runtime';

export const TOOL = join(ROOT, 'test', 'tools', 'build', 'Release', 'windows_tool.exe');

export const CTRL_C_EVENT = 0;
export const CTRL_BREAK_EVENT = 1;
export const CTRL_CLOSE_EVENT = 2;

/** What it writes. */
export function tool(...args: (string | number)[]): string {
  return execFileSync(TOOL, args.map(String), {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
