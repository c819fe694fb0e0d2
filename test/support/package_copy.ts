// Copies of this package, with what it needs to be loaded.
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from './runtime';

const PARTS = ['package.json', 'dist', 'build/Release', 'prebuilds', 'node_modules/node-gyp-build'];

/** Copies it, and further parts of this repository, into a directory. */
export function copyPackage(target: string, ...further: readonly string[]): void {
  for (const part of [...PARTS, ...further]) {
    if (!existsSync(join(ROOT, part))) continue;
    mkdirSync(dirname(join(target, part)), { recursive: true });
    cpSync(join(ROOT, part), join(target, part), {
      recursive: true,
      filter: (path) => !path.includes('obj.target') && !path.includes('.deps'),
    });
  }
}
