// The command line: daemoniker send|stop|status <pid-file>. Nothing here that the library does not
// do; only how a shell asks for it, and how a person is told.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DaemonikerException, PidFileError, SignalError } from './errors';
import { identify, isLeftEmpty } from './identity';
import { send } from './send';
import { signalName, toSignum } from './signals';
import { terminate, type TerminateOptions, type Termination } from './terminate';
import { Output } from './cli_output';

const USAGE = `Usage: daemoniker send <pid-file> [signal]   send a signal, SIGTERM by default
       daemoniker stop <pid-file>            send SIGTERM, wait for the end
       daemoniker status <pid-file>          tell whether the daemon runs

Options:
      --timeout <seconds>  stop: how long to wait (default: 10)
      --kill               stop: after that, end it by SIGKILL
      --no-verify          send, stop: whatever process has that number now
      --insecure           as root, trust a file that others may write
      --json               print one JSON object
  -h, --help, help         print this
  -v, --version            print the version

Exit status:
  send, stop   0 done, or nothing to stop;  1 failed, or it still runs;
               2 wrong usage
  status       0 running;  1 not running, but the file exists;  2 wrong usage;
               3 not running, no file;  4 unknown
`;

class UsageError extends Error {}

const FAILED = 1;
const WRONG_USAGE = 2;

type Status = 'running' | 'dead' | 'stopped' | 'unknown';

// Linux Standard Base, "Init Script Actions".
const STATUS_CODES: Record<Status, number> = { running: 0, dead: 1, stopped: 3, unknown: 4 };

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        timeout: { type: 'string' },
        kill: { type: 'boolean' },
        'no-verify': { type: 'boolean' },
        insecure: { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    });
  } catch (error) {
    const { message } = error as Error;
    // "--timeout -1": to parseArgs() that may be two options.
    if (message.includes('ambiguous')) throw new UsageError(TIMEOUT_USAGE);
    // Its first sentence says what; the rest is advice for programmers.
    throw new UsageError(message.split(/\. |\n/)[0]);
  }
}

type Options = ReturnType<typeof parse>['values'];

const COMMANDS: Record<
  string,
  {
    options: readonly (keyof Options)[];
    mostArguments: number;
    run: (path: string, options: Options, output: Output, signal?: string) => unknown;
  }
> = {
  send: { options: ['no-verify', 'insecure'], mostArguments: 2, run: runSend },
  stop: { options: ['timeout', 'kill', 'no-verify', 'insecure'], mostArguments: 1, run: runStop },
  status: { options: [], mostArguments: 1, run: runStatus },
};

async function runCommand(args: readonly string[]): Promise<void> {
  const { values: options, positionals } = parse(args);
  if (options.help === true || positionals[0] === 'help') {
    process.stdout.write(USAGE);
    return;
  }
  if (options.version === true) {
    process.stdout.write(`${version()}\n`);
    return;
  }
  const [name, path, ...rest] = positionals;
  if (name === undefined) throw new UsageError('Which command?');
  if (!Object.hasOwn(COMMANDS, name)) throw new UsageError(`Unknown command '${name}'`);
  const command = COMMANDS[name] as (typeof COMMANDS)[string];
  if (path === undefined || path === '') throw new UsageError(`'${name}' needs a PID file`);
  const superfluous = rest[command.mostArguments - 1];
  if (superfluous !== undefined) throw new UsageError(`Unexpected argument '${superfluous}'`);
  for (const option of Object.keys(options) as (keyof Options)[]) {
    if (option !== 'json' && !command.options.includes(option)) {
      throw new UsageError(`'${name}' has no option --${option}`);
    }
  }
  const output = new Output(name, path, options.json === true);
  try {
    await command.run(path, options, output, rest[0]);
  } catch (error) {
    if (!(error instanceof DaemonikerException)) throw error;
    const { code, message } = error as PidFileError | SignalError;
    // What a program passes, as a shell says it.
    const advice = message
      .replace('pass { insecure: true }', 'give --insecure')
      .replace('pass { verify: false }', 'give --no-verify');
    output.failure(code, advice);
    process.exitCode = FAILED;
  }
}

function runSend(path: string, options: Options, output: Output, signal = 'SIGTERM'): void {
  const signum = parseSignal(signal);
  send(path, signum, trustOf(options));
  const name = signum === 0 ? 'signal 0' : signalName(signum);
  output.result({ signal: name }, `${name} sent`, 'good');
}

async function runStop(path: string, options: Options, output: Output): Promise<void> {
  const seconds = parseTimeout(options.timeout ?? '10');
  const request: TerminateOptions = {
    timeout: seconds * 1000,
    kill: options.kill === true,
    ...trustOf(options),
  };
  output.waiting(seconds, request.kill === true);
  let termination: Termination;
  try {
    termination = await terminate(path, request);
  } finally {
    output.waited();
  }
  const { pid, outcome } = termination;
  if (outcome === 'not-running') {
    // terminate() has found nobody to end; a person wants to know why.
    const { status, code, message, text } = examine(path);
    const why = status === 'dead' || status === 'stopped' ? text : 'not running';
    output.result({ pid, outcome, code, message }, why, 'good');
    return;
  }
  const text = {
    exited: `process ${pid} has ended`,
    killed: `process ${pid} did not end within ${seconds} s and was killed`,
    timeout: `process ${pid} still runs after ${seconds} s`,
  }[outcome];
  output.result({ pid, outcome }, text, outcome === 'timeout' ? 'bad' : 'good');
  if (outcome === 'timeout') process.exitCode = FAILED;
}

function runStatus(path: string, _options: Options, output: Output): void {
  const { status, pid, text, code, message } = examine(path);
  output.result({ status, pid, code, message }, text, status === 'running' ? 'good' : 'bad');
  process.exitCode = STATUS_CODES[status];
}

interface Examination {
  readonly status: Status;
  readonly pid: number | null;
  /** Of the error, where it says more than the status. */
  readonly code: string | null;
  readonly message: string | null;
  readonly text: string;
}

function examine(path: string): Examination {
  try {
    const target = identify(path, { verify: true, insecure: true });
    target.close();
    return {
      status: 'running',
      pid: target.pid,
      code: null,
      message: null,
      text: `running (process ${target.pid})`,
    };
  } catch (error) {
    if (!(error instanceof SignalError || error instanceof PidFileError)) throw error;
    const { code, message, pid = null } = error;
    const found = { pid, code, message };
    switch (code) {
      case 'ENOENT':
        return { ...found, status: 'stopped', text: 'not running (no such file)' };
      case 'ESRCH':
        return { ...found, status: 'dead', text: `not running (process ${pid} is gone)` };
      case 'ERR_PID_FILE_STALE':
        return {
          ...found,
          status: 'dead',
          text: message.includes('nobody holds')
            ? `not running (nobody holds the file any more; process ${pid} is another one)`
            : `not running (process ${pid} started after the file was written, so it is taken ` +
              'for another one)',
        };
      default:
        return error instanceof PidFileError && isLeftEmpty(error)
          ? { ...found, status: 'dead', text: 'not running (the file is empty)' }
          : { ...found, status: 'unknown', text: `unknown: ${message}` };
    }
  }
}

function trustOf(options: Options): { verify: boolean; insecure: boolean } {
  return { verify: options['no-verify'] !== true, insecure: options.insecure === true };
}

/** `SIGTERM`, `TERM`, `term` or `15`. */
function parseSignal(text: string): number {
  const name = text.toUpperCase();
  try {
    if (/^\d+$/.test(text)) return toSignum(Number(text));
    return toSignum(name.startsWith('SIG') ? name : `SIG${name}`);
  } catch {
    throw new UsageError(`Unknown signal '${text}'`);
  }
}

const TIMEOUT_USAGE = '--timeout takes seconds, such as 10 or 0.5';

/** Seconds, as timeout(1) and systemd take them. */
function parseTimeout(text: string): number {
  const seconds = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && seconds <= 2_000_000) return seconds;
  throw new UsageError(`${TIMEOUT_USAGE}, not '${text}'`);
}

function version(): string {
  const manifest = readFileSync(join(__dirname, '..', 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

/** Runs what the arguments say, and sets the exit status. */
export async function run(args: readonly string[]): Promise<void> {
  try {
    await runCommand(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`daemoniker: ${error.message}\n\n${USAGE}`);
    process.exitCode = WRONG_USAGE;
  }
}
