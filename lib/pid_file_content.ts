// What a PID file says, and nothing about whether it is true.
import { PidFileError, quote, type PidFileErrorDetails } from './errors';
import { FileKind, LockState, type FileReport } from './native';

/** The largest process ID that any of the three systems can have. */
export const LARGEST_PID = 2 ** 31 - 1;

const KINDS = {
  [FileKind.Directory]: 'it is a directory',
  [FileKind.Fifo]: 'it is a FIFO',
  [FileKind.Other]: 'it is not a regular file',
} as const;

/**
 * What follows the line with the PID in a file that was written under its lock: such a file means
 * nobody once it is unlocked. Every reader overlooks empty lines at the end, those of
 * `kill "$(cat file)"` too, and no other program writes two.
 */
export const MARK = '\n\n';

/** As this package writes it. */
export function contentFor(pid: number): string {
  return `${pid}\n`;
}

/**
 * Whether its daemon has ended: the file says that it was written under a lock, and nobody holds it,
 * where locks can be told.
 */
export function isAbandoned(report: FileReport, pid: number, lock: LockState): boolean {
  return lock === LockState.Free && report.content === contentFor(pid) + MARK;
}

/**
 * The PID in a file, or `null` if the file is empty. Throws `ERR_PID_FILE_INVALID`.
 *
 * Zero bytes are what some file systems (NTFS) have in place of content that was not on the disk yet
 * when the power failed.
 */
export function parsePidFile(path: string, report: FileReport): number | null {
  if (report.kind !== FileKind.Regular) throw invalid(path, KINDS[report.kind]);
  if (report.size > report.content.length) {
    throw invalid(path, `it holds ${report.size} bytes, which is too long for a process ID`);
  }
  if (/^\0*$/.test(report.content)) return null;
  const match = /^[ \t\r\n]*([1-9][0-9]{0,9})[ \t\r\n]*$/.exec(report.content);
  const pid = Number(match?.[1]);
  if (match === null || pid > LARGEST_PID) {
    throw invalid(path, `it holds ${quote(report.content)}`);
  }
  return pid;
}

/** Not written yet by a daemon that starts, or emptied by one that could not delete it. */
export function empty(path: string): PidFileError {
  return invalid(path, 'it is empty', { pid: null });
}

export function invalid(
  path: string,
  found: string,
  details: PidFileErrorDetails = {},
): PidFileError {
  return new PidFileError(
    `'${path}' is not a PID file: ${found}. A PID file holds one process ID in decimal`,
    'ERR_PID_FILE_INVALID',
    path,
    details,
  );
}
