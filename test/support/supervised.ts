// The daemon that supervisors are given: it says what becomes of it.
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ping } from '../../';
import { alsoEnd, directory, pidFile } from './each_test';
import { Fixture } from './fixture';
import { eventually } from './processes';
import { ROOT, RUNTIME } from './runtime';
import { commandLine, scriptText } from './shell';

export const CLI: readonly string[] = [...RUNTIME, join(ROOT, 'dist', 'cli.js')];

const said = (): string => join(directory, 'said');

/** What it has said: who began its shutdown, and that it was not cut off. */
export function saidLines(): string[] {
  return readFileSync(said(), 'utf8').trim().split('\n');
}

/** What it says when one stop is one shutdown, to its end. */
export const gracefully = (signal: string): string[] => [signal, 'done'];

interface DaemonOptions {
  readonly shutdown?: unknown;
  /** Where this package is, for a user who may not see the repository. */
  readonly root?: string;
  readonly file?: string;
  /** Code that runs when it has started. */
  readonly code?: string;
}

/** The words of the command that runs it. */
export function daemon({
  shutdown = true,
  root = ROOT,
  file = pidFile,
  code = '',
}: DaemonOptions = {}): string[] {
  const program = join(directory, 'daemon.cjs');
  writeFileSync(
    program,
    `const { SignalHandler1 } = require(${JSON.stringify(root)});
    const fs = require('node:fs');
    const say = (text) => fs.appendFileSync(${JSON.stringify(said())}, text + '\\n');
    const options = { shutdown: ${JSON.stringify(shutdown)} };
    const handler = new SignalHandler1(${JSON.stringify(file)}, options).start().ref();
    handler.onShutdown('hook', async ({ name }) => {
      say(name);
      // Long enough for a second signal of the same stop.
      await new Promise((resolve) => setTimeout(resolve, 200));
      say('done');
    });
    ${code}`,
  );
  return [...RUNTIME, program];
}

/** A script of the shell; supervisors quote words in their own ways. */
export function script(name: string, text: string): string {
  const file = join(directory, name);
  writeFileSync(file, scriptText(text));
  chmodSync(file, 0o755);
  return file;
}

/** One that becomes a command. */
export const runScript = (name: string, words: readonly string[]): string =>
  script(name, `exec ${commandLine(words)}`);

export const runs = (): Promise<void> => eventually('the daemon runs', () => ping(pidFile));
export const isGone = (): Promise<void> => eventually('its end', () => !ping(pidFile));

/** For those that may be ended only when they have said something. */
export const isThere = (file: string): Promise<void> => eventually(file, () => existsSync(file));

export async function succeeds(...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Fixture(words).end();
  if (code !== 0) throw new Error(`${words.join(' ')}: exit code ${code}\n${stdout}${stderr}`);
  return stdout;
}

// A supervisor may leave it behind. In a PID namespace of its own it is not to be found, and ends with that.
alsoEnd(() => {
  try {
    return ping(pidFile) ? [Number(readFileSync(pidFile, 'utf8'))] : [];
  } catch {
    return [];
  }
});
