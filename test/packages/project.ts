// Programs of a project that has installed this package, and those of package.json beside this file.
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { directory } from '../support/each_test';
import { FIXTURES, ROOT, RUNTIME } from '../support/runtime';

const PACKAGES = join(__dirname, 'node_modules');

/** What a program begins with to have `say()`, as the fixtures do. */
export const SAY = `import { say } from ${JSON.stringify(join(FIXTURES, 'say.cjs'))};`;

/** Writes a program into a directory of a project; its path. */
export function write(name: string, code: string, project = directory): string {
  const modules = join(project, 'node_modules');
  if (!existsSync(modules)) symlinkSync(PACKAGES, modules, 'dir');
  const path = join(project, name);
  writeFileSync(path, code);
  return path;
}

/** The command of an installed package. */
export function command(name: string): string[] {
  const { bin } = JSON.parse(readFileSync(join(PACKAGES, name, 'package.json'), 'utf8')) as {
    bin: string | Record<string, string>;
  };
  const script = typeof bin === 'string' ? bin : bin[name];
  return [...RUNTIME, join(PACKAGES, name, script as string)];
}

beforeAll(() => {
  const ours = join(PACKAGES, 'daemoniker');
  if (!existsSync(ours)) symlinkSync(ROOT, ours, 'dir');
});
