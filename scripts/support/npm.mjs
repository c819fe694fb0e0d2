// How to run npm without a shell.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * On Windows npm is npm.cmd, which Node.js runs in a shell only. Run by npm, we know its script; it is
 * also there where npm is installed with Node.js itself.
 */
export function npmCommand() {
  const beside = join(dirname(process.execPath), 'node_modules', 'npm', 'bin', 'npm-cli.js');
  const script = [process.env.npm_execpath, beside].find(
    (path) => path?.endsWith('npm-cli.js') && existsSync(path),
  );
  return script === undefined ? ['npm'] : [process.execPath, script];
}
