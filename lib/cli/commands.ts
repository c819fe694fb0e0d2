// The commands. Nothing here that the library does not do; only how a shell asks for it, and how a
// person is told.
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { DaemonikerException, LaunchError, type PidFileError, type SignalError } from '../errors';
import { checkStart, defaultLog, launch, type LaunchOptions } from '../launch';
import { send } from '../send';
import { signalName } from '../signals';
import { terminate, type Termination } from '../terminate';
import { atLeastOne, atMost, isSignal, parseSignal, parseTimeout, pidFiles } from './arguments';
import type { Words } from './arguments';
import { advise, examine, successor, supervisorOf, type Status } from './examine';
import type { Output, Tone } from './output';
import { service } from './service';
import { UsageError, type CommandName } from './usage';

const FAILED = 1;
const { SIGKILL } = constants.signals;

// Linux Standard Base, "Init Script Actions".
const STATUS_CODES: Record<Status, number> = { running: 0, dead: 1, stopped: 3, unknown: 4 };

/** Does what the words say; the exit status. */
type Command = (words: Words, output: Output) => number | Promise<number>;

export const RUN: Readonly<Record<CommandName, Command>> = {
  send(words, output) {
    const given = words.options.get('signal');
    const [path, signal = given ?? 'SIGTERM'] = atMost(
      given === undefined ? 2 : 1,
      'send',
      words.operands,
    );
    if (isSignal(path) && /[./\\]/.test(signal)) {
      throw new UsageError(`Put the PID file first: daemoniker send ${signal} ${path}`, 'send');
    }
    const signum = parseSignal('send', signal);
    return attempt(path, output, () => sendTo(path, signum, words, output));
  },

  reload(words, output) {
    const paths = pidFiles('reload', words.operands);
    const signum = parseSignal('reload', 'SIGHUP');
    return forEach(paths, (path) =>
      attempt(path, output, () => sendTo(path, signum, words, output)),
    );
  },

  stop(words, output) {
    const paths = pidFiles('stop', words.operands);
    return stopAll('stop', paths, words, output);
  },

  start(words, output) {
    return start(toStart('start', words), output);
  },

  restart(words, output) {
    const request = toStart('restart', words);
    return attempt(request.path, output, async () => {
      // A slip must not end the one that runs.
      const release = checkStart(request.path, request.command, toOptions(request));
      try {
        const stopped = await stopAll('restart', [request.path], words, output);
        return stopped === 0 ? await start(request, output) : stopped;
      } finally {
        release();
      }
    });
  },

  status(words, output) {
    const paths = pidFiles('status', words.operands);
    return forEach(paths, (path) => {
      const { status, text, data, refusal } = examine(path);
      output.result(path, { status, ...data }, text, status === 'running' ? 'good' : 'bad');
      if (refusal !== null) output.warning(path, `stop would refuse: ${refusal.message}`);
      return STATUS_CODES[status];
    });
  },

  service,
};

/** The highest exit status. */
async function forEach(
  paths: readonly string[],
  run: (path: string) => number | Promise<number>,
): Promise<number> {
  return Math.max(...(await Promise.all(paths.map(async (path) => run(path)))));
}

async function attempt(
  path: string,
  output: Output,
  run: () => number | Promise<number>,
): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (isNoFile(error, path)) {
      const message =
        `There is no PID file '${path}'. Name a PID file here, not a process ID; ` +
        `a file of that name is ./${path}`;
      output.failure(path, { code: 'ENOENT', message });
      return FAILED;
    }
    if (!(error instanceof DaemonikerException)) throw error;
    if (error instanceof LaunchError) {
      const { code, message, exitCode = null, signal = null, stderr = null } = error;
      // The lines follow, each as one; in the message they are escaped.
      const lines = stderr ? stderr.split('\n') : [];
      const summary = message
        .split('\n')
        .slice(0, stderr ? -lines.length : undefined)
        .join('\n');
      output.failure(path, { code, message: summary, exitCode, signal, stderr }, lines);
    } else {
      const { code, message } = error as PidFileError | SignalError;
      output.failure(path, { code, message: advise(message) });
    }
    return FAILED;
  }
}

/** A number is the path of a file here, too. */
function isNoFile(error: unknown, path: string): boolean {
  return (
    /^\d+$/.test(path) && (error as { code?: unknown } | null)?.code === 'ERR_INVALID_ARG_VALUE'
  );
}

function sendTo(path: string, signum: number, { options }: Words, output: Output): number {
  send(path, signum, trustOf(options));
  const name = signum === 0 ? 'signal 0' : signalName(signum);
  output.result(path, { signal: name }, `${name} sent`, 'good');
  return 0;
}

function trustOf(options: Words['options']): { verify: boolean; insecure: boolean } {
  return { verify: !options.has('no-verify'), insecure: options.has('insecure') };
}

/** All at once. */
function stopAll(
  command: CommandName,
  paths: readonly string[],
  { options }: Words,
  output: Output,
): Promise<number> {
  const seconds = parseTimeout(command, options.get('timeout') ?? '10');
  const signal = options.get('signal');
  const signum = parseSignal(command, signal ?? 'SIGTERM');
  const request = {
    signal: signum,
    timeout: seconds * 1000,
    kill: options.has('kill'),
    ...trustOf(options),
  };
  const then = request.kill ? ', then SIGKILL' : '';
  output.waiting(paths, 'its process to exit', seconds, then);
  return forEach(paths, (path) =>
    attempt(path, output, async () => {
      try {
        const supervisor = supervisorOf(path, request.verify);
        const termination = await terminate(path, request);
        return await tell(path, termination, { signum, seconds, supervisor }, output);
      } finally {
        output.waited(path);
      }
    }),
  );
}

interface StartRequest {
  readonly path: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly seconds: number;
  readonly log: string;
  readonly isLogGiven: boolean;
  readonly cwd: string | undefined;
}

function toStart(name: 'start' | 'restart', words: Words): StartRequest {
  const { operands, rest, options } = words;
  const [path, ...others] = atLeastOne(name, operands);
  if (rest === null) {
    throw new UsageError(
      others.length > 0
        ? `Put -- before the command: daemoniker ${name} ${path} -- ${others.join(' ')}`
        : `'${name}' needs a command: daemoniker ${name} ${path} -- node daemon.js`,
      name,
    );
  }
  if (others[0] !== undefined) throw new UsageError(`Unexpected argument '${others[0]}'`, name);
  const [command, ...args] = rest;
  if (command === undefined || command === '') {
    throw new UsageError(`'${name}' needs a command after --`, name);
  }
  for (const option of ['log', 'cwd'] as const) {
    if (options.get(option) === '') throw new UsageError(`--${option} must not be empty`, name);
  }
  const log = options.get('log');
  if (log !== undefined && resolve(log) === resolve(path)) {
    throw new UsageError('--log must not be the PID file', name);
  }
  return {
    path,
    command,
    args,
    seconds: parseTimeout(name, options.get('timeout') ?? '10'),
    log: log ?? defaultLog(path),
    isLogGiven: log !== undefined,
    cwd: options.get('cwd'),
  };
}

const toOptions = ({ isLogGiven, log, cwd }: StartRequest): LaunchOptions => ({
  cwd,
  stdout: isLogGiven ? log : undefined,
});

function start(request: StartRequest, output: Output): Promise<number> {
  const { path, command, args, seconds, log } = request;
  return attempt(path, output, async () => {
    const interrupted = new AbortController();
    const interrupt = (signal: NodeJS.Signals): void => interrupted.abort(signal);
    for (const signal of INTERRUPTIONS) process.on(signal, interrupt);
    output.waiting([path], 'it to start', seconds);
    try {
      const { pid } = await launch(path, command, args, {
        ...toOptions(request),
        timeout: seconds * 1000,
        abortSignal: interrupted.signal,
      });
      output.waited(path);
      output.result(path, { pid, log }, `started as process ${pid} (log: ${log})`, 'good');
      return 0;
    } catch (error) {
      output.waited(path);
      if (error !== interrupted.signal.reason) throw error;
      const signal = error as NodeJS.Signals;
      output.failure(path, {
        code: 'ABORT_ERR',
        message: `The start of '${path}' was interrupted by ${signal}; what was started has been terminated`,
      });
      return 128 + constants.signals[signal];
    } finally {
      for (const signal of INTERRUPTIONS) process.removeListener(signal, interrupt);
    }
  });
}

/**
 * They do not reach what is started, which is in a session of its own. The first one aborts the start,
 * the others change nothing: npx passes on a Ctrl-C that the terminal has sent to all.
 */
const INTERRUPTIONS: readonly NodeJS.Signals[] = [
  ...(['SIGINT', 'SIGTERM', 'SIGHUP'] as const),
  // Ctrl-\, of which Windows knows nothing.
  ...(process.platform === 'win32' ? [] : (['SIGQUIT'] as const)),
];

interface StopRequest {
  readonly signum: number;
  readonly seconds: number;
  readonly supervisor: number | null;
}

/** Tells how it ended; the exit status. */
async function tell(
  path: string,
  termination: Termination,
  { signum, seconds, supervisor }: StopRequest,
  output: Output,
): Promise<number> {
  output.waited(path);
  const { pid, outcome, exitCode = null, signal = null } = termination;
  if (pid === null) {
    // terminate() has found no process; a person wants to know why.
    const { status, data, text } = examine(path);
    const why = status === 'dead' || status === 'stopped' ? text : 'not running';
    const { code, message } = data;
    output.result(path, { pid, outcome, code, message }, why, 'good');
    return 0;
  }
  if (outcome === 'timeout') {
    const { data } = examine(path);
    const isSuspended = data.pid === pid && data.suspended === true;
    const hint = isSuspended ? '; it is suspended: send SIGCONT to continue it' : '';
    const text = `process ${pid} is still running after ${seconds} s${hint}`;
    output.failedResult(path, { pid, outcome }, text);
    return FAILED;
  }
  const how = signal ?? (exitCode === null ? null : `exit code ${exitCode}`);
  const isForced = outcome === 'killed' && signum !== SIGKILL;
  const text = isForced
    ? `process ${pid} did not exit within ${seconds} s and was killed`
    : outcome === 'killed'
      ? `process ${pid} was killed`
      : `process ${pid} has ended${how === null ? '' : ` (${how})`}`;
  // A crash is not what was asked for.
  const isAsked =
    signal === null ? exitCode === null || exitCode === 0 : signal === signalName(signum);
  const tone: Tone = isAsked && !isForced ? 'good' : 'warning';
  const runsAgain = await successor(path, pid, supervisor);
  output.result(path, { pid, outcome, exitCode, signal, runsAgain }, text, tone);
  if (runsAgain !== null) {
    output.warning(path, `running again as process ${runsAgain} (restarted by its supervisor?)`);
  }
  return 0;
}
