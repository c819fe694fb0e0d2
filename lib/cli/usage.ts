// What the command line understands, and how it says so.
import { didYouMean } from '../arguments';

/** Wrong usage, told in one line. */
export class UsageError extends Error {
  /** `command`: the one whose help says more. */
  constructor(problem: string, command?: string) {
    super(`${problem}${problem.endsWith('?') ? '' : '.'} See: ${helpFor(command)}`);
  }
}

function helpFor(command: string | undefined): string {
  return command === undefined ? 'daemoniker help' : `daemoniker help ${command}`;
}

interface Option {
  /** What follows it. */
  readonly argument?: string;
  readonly short?: string;
  readonly text: string;
}

export const OPTIONS = {
  signal: { argument: '<signal>', short: 's', text: 'instead of SIGTERM: HUP, SIGHUP or 1' },
  timeout: { argument: '<seconds>', text: 'how long to wait (default: 10)' },
  kill: { text: 'after that time, end it by SIGKILL' },
  log: { argument: '<file>', text: 'what it writes is appended to it' },
  cwd: { argument: '<directory>', text: 'where it is started (default: here)' },
  'no-verify': { text: 'whatever process has that number now' },
  insecure: { text: 'as root, trust a file that others may write' },
  json: { text: 'print one JSON object for each PID file' },
  quiet: { short: 'q', text: 'print nothing but errors' },
  help: { short: 'h', text: 'print this' },
  version: { short: 'v', text: 'print the version' },
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof OPTIONS;

const EVERYWHERE: readonly OptionName[] = ['json', 'quiet', 'help'];

interface Usage {
  readonly synopsis: string;
  readonly summary: string;
  readonly text: string;
  readonly options: readonly OptionName[];
  readonly exitStatus: string;
}

const INTERRUPTED = '129, 130, 143 interrupted by SIGHUP, SIGINT, SIGTERM';

const DONE_OR_NOT = `0 done;  1 failed;  2 wrong usage`;

export const COMMANDS = {
  send: {
    synopsis: '<pid-file> [<signal>]',
    summary: 'send a signal',
    text: `Sends a signal to the process that the PID file means, and to no other: SIGTERM,
or what is given as SIGHUP, HUP, -HUP, 1 or -1. 0 sends nothing and checks only.`,
    options: ['no-verify', 'insecure'],
    exitStatus: DONE_OR_NOT,
  },
  stop: {
    synopsis: '<pid-file>...',
    summary: 'send SIGTERM, wait for the end',
    text: `Asks the daemon of each PID file to end, all at once, and waits until they are
gone. One that does not run is no error.`,
    options: ['signal', 'timeout', 'kill', 'no-verify', 'insecure'],
    exitStatus: '0 stopped;  1 failed, or it still runs;  2 wrong usage',
  },
  status: {
    synopsis: '<pid-file>...',
    summary: 'tell whether the daemon runs',
    text: `Tells whether the daemon of each PID file runs: which process, since when, and
how that is known. Warns if stop would refuse to end it.`,
    options: [],
    exitStatus: `0 running;  1 not running, but the file exists;  2 wrong usage;
             3 not running, no file;  4 unknown.  Of several, the highest`,
  },
  start: {
    synopsis: '<pid-file> [options] -- <command> [<argument>...]',
    summary: 'start it in the background',
    text: `Starts a daemon that outlives its terminal, and waits until it holds the PID file.
What it writes to stdout and stderr is appended to a log: the PID file's name with
.log in place of .pid. If it does not get there, it is ended, and the last lines of
its stderr are told.`,
    options: ['log', 'cwd', 'timeout'],
    exitStatus: `0 started;  1 failed, or it runs already;  2 wrong usage;
             ${INTERRUPTED}`,
  },
  restart: {
    synopsis: '<pid-file> [options] -- <command> [<argument>...]',
    summary: 'stop it if it runs, and start it',
    text: `As stop and then start. It is not started if it cannot be stopped.`,
    options: ['signal', 'kill', 'no-verify', 'insecure', 'log', 'cwd', 'timeout'],
    exitStatus: `0 started;  1 failed, or it still runs;  2 wrong usage;
             ${INTERRUPTED}`,
  },
  reload: {
    synopsis: '<pid-file>...',
    summary: 'send SIGHUP',
    text: `Sends SIGHUP to the daemon of each PID file, to read its configuration again. It
ends a daemon that has no handler for it.`,
    options: ['no-verify', 'insecure'],
    exitStatus: DONE_OR_NOT,
  },
} as const satisfies Record<string, Usage>;

export type CommandName = keyof typeof COMMANDS;

export const COMMAND_NAMES = Object.keys(COMMANDS) as readonly CommandName[];

/** Throws for anything that is no command. */
export function toCommandName(word: string): CommandName {
  const found = COMMAND_NAMES.find((name) => name === word);
  if (found !== undefined) return found;
  throw new UsageError(`Unknown command '${word}'${didYouMean(word, [...COMMAND_NAMES, 'help'])}`);
}

/** Whether a command takes another one after `--`. */
export function runsCommand(command: CommandName): boolean {
  return COMMANDS[command].synopsis.includes(' -- ');
}

/** Whether a command has an option. */
export function takes(command: CommandName, option: OptionName): boolean {
  return optionsOf(command).includes(option);
}

export function optionsOf(command: CommandName): readonly OptionName[] {
  return [...COMMANDS[command].options, ...EVERYWHERE];
}

/** Of one command, or of all. */
export function usage(command?: CommandName): string {
  if (command !== undefined) {
    const { synopsis, text, exitStatus } = COMMANDS[command];
    const given = synopsis.includes('[options]') ? synopsis : `${synopsis} [options]`;
    return `Usage: daemoniker ${command} ${given}

${text}

Options:
${describeOptions(optionsOf(command))}

Exit status: ${exitStatus}
`;
  }
  const lines = COMMAND_NAMES.map((name) => {
    const { synopsis, summary } = COMMANDS[name];
    const shown = synopsis.replace(' [options] -- <command> [<argument>...]', ' -- <command>...');
    return `  ${`${name} ${shown}`.padEnd(36)} ${summary}`;
  });
  return `Usage: daemoniker <command> <pid-file> [options]

${lines.join('\n')}
  ${'help [<command>]'.padEnd(36)} print this, or that of a command

Options:
${describeOptions([...EVERYWHERE, 'version'])}
`;
}

function describeOptions(names: readonly OptionName[]): string {
  return names
    .map((name) => {
      const { argument, short, text }: Option = OPTIONS[name];
      const long = `--${name}${argument === undefined ? '' : ` ${argument}`}`;
      return `  ${short === undefined ? '   ' : `-${short},`} ${long.padEnd(20)} ${text}`;
    })
    .join('\n');
}
