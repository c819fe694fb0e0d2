// Who holds a lock on a file, as the Linux kernel tells it: fdinfo, proc(5).
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The lock lines of the descriptors by which a process has this file open. */
export function locksOf(pid: number, path: string): string[] {
  const { ino } = statSync(path);
  const directory = `/proc/${pid}/fdinfo`;
  return readdirSync(directory).flatMap((descriptor) => {
    try {
      const lines = readFileSync(join(directory, descriptor), 'utf8').split('\n');
      return lines.filter((line) => line.startsWith('lock:') && line.includes(`:${ino} `));
    } catch {
      return []; // closed meanwhile
    }
  });
}
