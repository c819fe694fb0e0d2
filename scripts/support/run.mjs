// Child processes for the scripts: quiet when all goes well, everything shown when not.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/**
 * Runs a command; resolves with its status and output. After `groupTimeout` milliseconds it is killed,
 * and everything that it started with it; `beforeKill` may look at the process first.
 */
export function tryRun(command, args, { groupTimeout, beforeKill, ...options } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: groupTimeout !== undefined,
      ...options,
    });
    const timer =
      groupTimeout !== undefined &&
      setTimeout(() => {
        beforeKill?.(child.pid);
        process.kill(-child.pid, 'SIGKILL');
      }, groupTimeout);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    child.on('error', (error) => resolve({ status: -1, stdout, stderr: String(error) }));
    child.on('exit', () => clearTimeout(timer));
    child.on('close', (code, signal) => resolve({ status: code ?? -1, signal, stdout, stderr }));
  });
}

/** Runs a command that must succeed and say nothing on stderr matters only if it does not. */
export async function run(command, args, options = {}) {
  const result = await tryRun(command, args, options);
  if (result.status === 0) return result;
  throw new Error(
    `${[command, ...args].join(' ')}\nended with ${result.signal ?? `status ${result.status}`}\n` +
      `${result.stdout}${result.stderr}`,
  );
}

/** Runs `work` on every item, `width` at a time; results in the order of the items. */
export async function mapLimited(items, width, work) {
  const results = new Array(items.length);
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index], index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
  return results;
}
