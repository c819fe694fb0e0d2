// A file system whose locks the kernel does not know.
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { only } from './platform';
import { FIXTURES } from './runtime';

/** Runs a command that has it at a directory. */
export const FUSE = ['python3', join(FIXTURES, 'fuse.py')] as const;

/** What runs a command in the same place. */
export const besides = (pid: number): string[] => ['nsenter', `--mount=/proc/${pid}/ns/mnt`];

const [python, ...words] = FUSE;
const works =
  process.platform === 'linux' &&
  spawnSync(python, [...words, tmpdir(), 'nsenter', '--version']).status === 0;

export const withFuse = only('needs python3, nsenter, and to mount FUSE', works);
