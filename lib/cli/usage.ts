// What the command line understands, and how it says so.
import { didYouMean } from '../arguments';
import { sentence } from '../errors';

/** Wrong usage, told in one line. */
export class UsageError extends Error {
  /** `command`: the one whose help says more. */
  constructor(problem: string, command?: string) {
    super(`${sentence(problem)} See: ${helpFor(command)}`);
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

/** In seconds; in milliseconds it is still a number that a timer takes. */
export const LONGEST_TIMEOUT = 2_000_000;

export const OPTIONS = {
  signal: { argument: '<signal>', short: 's', text: 'such as HUP, SIGHUP or 1 (default: SIGTERM)' },
  timeout: {
    argument: '<seconds>',
    text: `how long to wait, up to ${LONGEST_TIMEOUT} (default: 10)`,
  },
  kill: { text: 'if it is still running then, send SIGKILL' },
  log: { argument: '<file>', text: 'append the output of the daemon to this file' },
  cwd: { argument: '<directory>', text: 'start the daemon in this directory (default: here)' },
  'no-verify': { text: 'signal whichever process has that PID now' },
  insecure: { text: 'trust files that other users may write' },
  account: { argument: '<account>', text: 'the account it runs as (default: NT SERVICE\\<name>)' },
  'display-name': { argument: '<text>', text: 'its name in services.msc (default: <name>)' },
  description: { argument: '<text>', text: 'its description in services.msc' },
  start: { argument: '<type>', text: 'auto (default), delayed, demand or disabled' },
  restart: { argument: '<when>', text: 'on-failure (default) or never' },
  json: { text: 'print one JSON object for each PID file' },
  quiet: { short: 'q', text: 'print nothing but errors' },
  help: { short: 'h', text: 'print this help' },
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

const INTERRUPTED = '129, 130, 131, 143 interrupted by SIGHUP, SIGINT, SIGQUIT, SIGTERM';

const DONE_OR_NOT = `0 done;  1 failed;  2 wrong usage`;

export const COMMANDS = {
  send: {
    synopsis: '<pid-file> [<signal>]',
    summary: 'send a signal',
    text: `Sends a signal to the process that the PID file names, and to no other: SIGTERM,
or another one, given as SIGHUP, HUP, 1, -HUP, -1 or -s HUP. 0 sends nothing and
only checks.`,
    options: ['signal', 'no-verify', 'insecure'],
    exitStatus: DONE_OR_NOT,
  },
  stop: {
    synopsis: '<pid-file>...',
    summary: 'send SIGTERM, wait for the exit',
    text: `Asks the daemons of all PID files at once to shut down, and waits until they
have exited. A daemon that is not running is not an error.`,
    options: ['signal', 'timeout', 'kill', 'no-verify', 'insecure'],
    exitStatus: '0 stopped;  1 failed, or still running;  2 wrong usage',
  },
  status: {
    synopsis: '<pid-file>...',
    summary: 'print whether the daemon is running',
    text: `Prints whether the daemon of each PID file is running, as which process, since
when, and how that is known. Warns if stop would refuse to signal it.`,
    options: [],
    exitStatus: `0 running;  1 not running, but the file exists;  2 wrong usage;
             3 not running, no file;  4 unknown.  The highest of several`,
  },
  start: {
    synopsis: '<pid-file> [options] -- <command> [<argument>...]',
    summary: 'start it in the background',
    text: `Starts a daemon that outlives its terminal, and waits until it holds the PID
file. Its stdout and stderr are appended to a log file: the PID file's name with
.log in place of .pid. If it does not hold the PID file in time, it is
terminated, and the last lines of its stderr are printed.`,
    options: ['log', 'cwd', 'timeout'],
    exitStatus: `0 started;  1 failed, or already running;  2 wrong usage;
             ${INTERRUPTED}`,
  },
  restart: {
    synopsis: '<pid-file> [options] -- <command> [<argument>...]',
    summary: 'stop it if it is running, and start it',
    text: `Checks that the command, directory and log can be used, stops the daemon if it
is running, and then starts it, unless it could not be stopped. --timeout
applies to each of the two.`,
    options: ['signal', 'kill', 'no-verify', 'insecure', 'log', 'cwd', 'timeout'],
    exitStatus: `0 started;  1 failed, or still running;  2 wrong usage;
             ${INTERRUPTED}`,
  },
  reload: {
    synopsis: '<pid-file>...',
    summary: 'send SIGHUP',
    text: `Sends SIGHUP to the daemon of each PID file, which asks it to reload its
configuration. A daemon without a handler for it is terminated by it.`,
    options: ['no-verify', 'insecure'],
    exitStatus: DONE_OR_NOT,
  },
  service: {
    synopsis: '<action> <name> [options] [-- <command>...]',
    summary: 'manage a Windows service',
    text: `Manages a Windows service, by one of these actions:

  install  make the command (node <script>) a service that starts with the
           system; refused if anyone but administrators may change what it runs
  remove   undo that, once it is stopped
  start    start it, and wait until it is running
  stop     ask it to shut down, and wait until it has stopped
  status   print whether it is running, or how it ended

start and stop wait for as long as the service reports progress; --timeout is
counted from its last report. All other options are for install. Must be run as
administrator.`,
    options: [
      ...(['account', 'display-name', 'description', 'start', 'restart'] as const),
      ...(['insecure', 'timeout'] as const),
    ],
    exitStatus: `0 done, or running;  1 failed, or ended with a failure;
             2 wrong usage;  3 stopped;  4 not installed`,
  },
} as const satisfies Record<string, Usage>;

export type CommandName = keyof typeof COMMANDS;

export const COMMAND_NAMES = Object.keys(COMMANDS) as readonly CommandName[];

/** Throws for anything that is not a command. `others`: the words after it. */
export function toCommandName(word: string, others: readonly string[] = []): CommandName {
  const found = COMMAND_NAMES.find((name) => name === word);
  if (found !== undefined) return found;
  const hint = didYouMean(word, [...COMMAND_NAMES, 'help']);
  const later = COMMAND_NAMES.find((name) => name === others[0]);
  if (later !== undefined && hint === '') {
    throw new UsageError(`Put the command first: daemoniker ${later} ${word}`, later);
  }
  throw new UsageError(`Unknown command '${word}'${hint}`);
}

/** Whether a command takes another one after `--`. */
export function runsCommand(command: CommandName): boolean {
  return COMMANDS[command].synopsis.includes('-- <command>');
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
    const shown = synopsis
      .replace(' [options] -- <command> [<argument>...]', ' -- <command>...')
      .replace(/ \[options\] \[.*/, '');
    return `  ${`${name} ${shown}`.padEnd(36)} ${summary}`;
  });
  return `Usage: daemoniker <command> <pid-file> [options]

${lines.join('\n')}
  ${'help [<command>]'.padEnd(36)} print this help, or the help of a command

Options:
${describeOptions([...EVERYWHERE, 'version'])}
`;
}

function describeOptions(names: readonly OptionName[]): string {
  return names
    .map((name) => {
      const { argument, short, text }: Option = OPTIONS[name];
      const long = `--${name}${argument === undefined ? '' : ` ${argument}`}`;
      return `  ${short === undefined ? '   ' : `-${short},`} ${long.padEnd(21)} ${text}`;
    })
    .join('\n');
}
