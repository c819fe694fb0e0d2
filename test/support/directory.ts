// A directory of its own for each test.
import { mkdtempSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

// Root may have a temporary directory that only root can enter; some of root's tests become another
// user, who must get there as well.
const PLACE = process.getuid?.() === 0 && !isOpenToAll(realpathSync(tmpdir())) ? '/tmp' : tmpdir();

export function temporaryDirectory(place = PLACE): string {
  return mkdtempSync(join(place, 'daemoniker-'));
}

export function removeDirectory(path: string): void {
  for (let attempt = 1; ; attempt++) {
    try {
      rmSync(path, { recursive: true, force: true, maxRetries: 5 });
      return;
    } catch (error) {
      // What is ended at this moment, with its PID namespace, may have written one more file.
      if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY' || attempt === 100) throw error;
    }
  }
}

function isOpenToAll(path: string): boolean {
  const mayEnter = (statSync(path).mode & 1) === 1;
  return mayEnter && (path === '/' || isOpenToAll(dirname(path)));
}
