// The command line: daemoniker <command> <pid-file>.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { printable } from '../errors';
import { findCommand, parse } from './arguments';
import { RUN } from './commands';
import { Output } from './output';
import { UsageError, toCommandName, usage } from './usage';

const WRONG_USAGE = 2;

/** `help` takes them, too, and they change nothing. */
const HELP: readonly string[] = ['-h', '--help'];

/** Runs what the words say, and sets the exit status. */
export async function run(words: readonly string[]): Promise<void> {
  try {
    process.exitCode = await runCommand(words);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`daemoniker: ${printable(error.message)}\n`);
    process.exitCode = WRONG_USAGE;
  }
}

async function runCommand(words: readonly string[]): Promise<number> {
  const [command, others] = findCommand(words);
  if (command === 'help') return help(others);
  const parsed = parse(command, others);
  const { options } = parsed;
  if (options.has('help')) {
    process.stdout.write(usage(command));
    return 0;
  }
  if (options.has('version')) {
    process.stdout.write(`${version()}\n`);
    return 0;
  }
  if (command === undefined) throw new UsageError('No command given');
  if (options.has('json') && options.has('quiet')) {
    throw new UsageError('--json and --quiet cannot be used together', command);
  }
  const style = options.has('json') ? 'json' : options.has('quiet') ? 'quiet' : 'text';
  const subject = command === 'service' ? 'service' : 'pidFile';
  return RUN[command](parsed, new Output(command, style, subject));
}

function help(words: readonly string[]): number {
  const [wrong] = words.filter((word) => word.startsWith('-') && !HELP.includes(word));
  if (wrong !== undefined) throw new UsageError(`'help' has no option ${wrong}`);
  const [command = 'help', ...others] = words.filter((word) => !HELP.includes(word));
  if (others[0] !== undefined) throw new UsageError(`Unexpected argument '${others[0]}'`);
  process.stdout.write(usage(command === 'help' ? undefined : toCommandName(command)));
  return 0;
}

function version(): string {
  const manifest = readFileSync(join(__dirname, '..', 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
