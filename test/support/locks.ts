// Who holds a lock on a file, as the Linux kernel tells it (fdinfo, proc(5)), and who is in its way.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { startProgram } from './processes';

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

/** Locks the file for reading each time it is told to, through a descriptor that cannot write. Needs python3. */
export async function startReader(path: string): Promise<() => Promise<void>> {
  const reader = await startProgram(
    [
      'python3',
      '-c',
      'import fcntl, struct, sys\n' +
        'print("reads 0", flush=True)\n' +
        'for count, line in enumerate(sys.stdin, 1):\n' +
        '    file = open(sys.argv[1])\n' +
        '    fcntl.fcntl(file, 37, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0))\n' +
        '    print("reads", count, flush=True)',
      path,
    ],
    'reads 0',
  );
  let count = 0;
  return async () => {
    count++;
    reader.tell('');
    await reader.until('its lock', () => reader.stdout.endsWith(`reads ${count}\n`));
  };
}
