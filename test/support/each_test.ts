// For each test of a file that imports this: a directory of its own, and the path of a PID file in it
// that does not exist yet. What the test left running is ended before they go.
import { join } from 'node:path';
import { removeDirectory, temporaryDirectory } from './directory';
import { endAll } from './fixture';
import { eventually, isAlive } from './processes';

// Imported as they are, they always name those of the test that runs.
export let directory: string;
export let pidFile: string;

beforeEach(() => {
  directory = temporaryDirectory();
  pidFile = join(directory, 'test.pid');
});

afterEach(async () => {
  await endAll();
  for (const pid of others.flatMap((which) => which())) {
    if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    await eventually('its end', () => !isAlive(pid));
  }
  removeDirectory(directory);
});

const others: (() => number[])[] = [];

/** Ends these, too: programs that outlive their starters. */
export function alsoEnd(which: () => number[]): void {
  others.push(which);
}
