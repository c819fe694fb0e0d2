#!/usr/bin/env node
// The command `daemoniker`. An unexpected failure, such as an addon that does not load or a result that cannot be
// written, is one line on stderr too, and never an exit status that means something else.
const args = process.argv.slice(2);

const FAILED = 1;
// Linux Standard Base, "Init Script Actions": 1 would say that the daemon is dead.
const STATUS_UNKNOWN = 4;

function fail(error: unknown): void {
  const [message] = (error instanceof Error ? error.message : String(error)).split('\n');
  process.stderr.write(`daemoniker: ${message}\n`);
  const command = args.find((word) => !word.startsWith('-'));
  process.exitCode = command === 'status' ? STATUS_UNKNOWN : FAILED;
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A reader that stopped reading wants the exit status alone.
  if (error.code !== 'EPIPE') fail(error);
});

// A closed terminal must not stop the work half-way: what was started has to be terminated.
process.stderr.on('error', () => undefined);

import('./cli/main.js').then(({ run }) => run(args)).catch(fail);

export {};
