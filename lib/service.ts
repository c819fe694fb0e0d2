// Windows services: installing, removing, starting and stopping them, as the command line does. What a
// service itself does is native/win32/service.cc.
import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { DaemonikerException, nameAfterClass, quote } from './errors';
import { PathRole, ServiceState, native, type ServiceManager, type ServiceStatus } from './native';

export type ServiceErrorCode =
  | 'ERR_SERVICE_COMMAND'
  | 'ERR_SERVICE_ENDED'
  | 'ERR_SERVICE_INSECURE'
  | 'ERR_SERVICE_REFUSED'
  | 'ERR_SERVICE_TIMEOUT'
  | 'ERR_SERVICE_UNSUPPORTED';

/** Something is wrong with a service. Each code and what to do about it: docs/troubleshooting.md. */
export class ServiceError extends DaemonikerException {
  static {
    nameAfterClass(this);
  }

  declare readonly code: ServiceErrorCode;
  /** The number of the error, where it is one of Windows'. */
  declare readonly windowsError?: number;
  declare readonly exitCode?: number;

  constructor(
    message: string,
    code: ServiceErrorCode,
    details: { windowsError?: number; exitCode?: number } = {},
  ) {
    super(message);
    Object.assign(this, { code }, details);
  }
}

/** In the order in which help names them. */
export const START_TYPES = ['auto', 'delayed', 'demand', 'disabled'] as const;
export type StartType = (typeof START_TYPES)[number];

// As Windows numbers them (winsvc.h).
const START_NUMBERS: Readonly<Record<StartType, number>> = {
  auto: 2,
  delayed: 2,
  demand: 3,
  disabled: 4,
};
const STOP = 1;

// Errors of Windows (winerror.h).
const SUCCESS = 0;
const NO_ANSWER = 1053;
const NOT_INSTALLED = 1060;
const NOT_RUNNING = 1062;
const SPECIFIC_EXIT_CODE = 1066;
const ENDED_UNEXPECTEDLY = 1067;
const NEVER_STARTED = 1077;

const EXPLANATIONS: Readonly<Record<number, string>> = {
  2: 'a file of its command line does not exist; see: sc qc <name>',
  3: 'a directory of its command line does not exist; see: sc qc <name>',
  5:
    'access denied: run this command as administrator; if it was, the account of the service may not ' +
    'read its program',
  123: 'Windows does not allow this name: no slashes, and 256 characters at most',
  1053:
    'its process ended, or did not answer, before start() of a SignalHandler1: its account may not be ' +
    'able to read the script, or the command is not the runtime itself, or it took more than 30 seconds',
  1056: 'it is already running',
  1057: 'there is no such account, or it needs a password, which can be set in services.msc',
  1058: 'it is disabled; see: sc config <name> start= demand',
  1060: 'there is no service of this name',
  1061: 'it cannot take requests now: it is starting or stopping',
  1062: 'it is not running',
  1067: 'its process ended unexpectedly',
  1069: 'its account could not log on: the password is wrong, or it has no right to log on as a service',
  1072:
    'it is marked for removal, which waits until it is stopped and no program has it open: close ' +
    'services.msc, the Event Viewer and the Task Manager',
  1073: 'a service of this name already exists; remove it first',
  1077: 'it has not been started since the system booted',
  1078: 'another service has this name as its display name; use --display-name',
};

export interface InstallOptions {
  readonly displayName?: string | undefined;
  readonly description?: string | undefined;
  /** @defaultValue `NT SERVICE\<name>` */
  readonly account?: string | undefined;
  readonly start: StartType;
  /** After a failure. */
  readonly restarts: boolean;
  /** Whether others than administrators may be able to change what it runs. */
  readonly insecure: boolean;
}

export interface Installed {
  readonly commandLine: string;
  readonly account: string;
  /** What this Windows does not know. */
  readonly unsupported: readonly string[];
}

/** @throws ServiceError with nothing installed */
export function installService(
  name: string,
  command: readonly string[],
  options: InstallOptions,
): Installed {
  const services = manager();
  const { words, files } = toServiceCommand(command);
  if (!options.insecure) for (const file of files) refuseIfOthersMayChange(services, file);
  const commandLine = words.map(quoteWord).join(' ');
  const account = options.account ?? `NT SERVICE\\${name}`;
  const { error, unsupported } = services.create(
    name,
    options.displayName ?? name,
    commandLine,
    account,
    START_NUMBERS[options.start],
    options.start === 'delayed',
    options.description ?? '',
    options.restarts,
  );
  throwIfRefused(error, name, 'be installed');
  return { commandLine, account, unsupported };
}

export function removeService(name: string): void {
  const services = manager();
  const { state } = statusOf(services, name);
  if (state !== ServiceState.Stopped) {
    throw new ServiceError(
      `The service ${quote(name)} cannot be removed: it is not stopped. Stop it first`,
      'ERR_SERVICE_REFUSED',
    );
  }
  throwIfRefused(services.delete(name), name, 'be removed');
}

/**
 * Waits until it runs, for as long as it makes progress, and then for `timeout` milliseconds. Returns
 * its PID.
 */
export async function startService(name: string, timeout: number): Promise<number> {
  const services = manager();
  const error = services.start(name);
  // Wine says so, too, when the process has ended before it was running.
  if (error !== NO_ANSWER || !hasEndedItself(services.query(name))) {
    throwIfRefused(error, name, 'be started');
  }
  const status = await settled(services, name, ServiceState.StartPending, timeout);
  if (status.state === ServiceState.Running) return status.pid;
  if (status.state !== ServiceState.Stopped) {
    throw new ServiceError(
      `The service ${quote(name)} is neither running nor stopped after ${timeout / 1000} s without progress`,
      'ERR_SERVICE_TIMEOUT',
    );
  }
  const exitCode = exitCodeOf(status);
  throw new ServiceError(
    `The service ${quote(name)} ended during its start (${explainEnd(status)})`,
    'ERR_SERVICE_ENDED',
    exitCode === null ? { windowsError: status.win32ExitCode } : { exitCode },
  );
}

export interface Stopped {
  readonly wasRunning: boolean;
  /** `null` where only an error of Windows is known. */
  readonly exitCode: number | null;
  /** For people. */
  readonly text: string;
}

/** Waits until it has stopped, for as long as it makes progress, and then for `timeout` milliseconds. */
export async function stopService(name: string, timeout: number): Promise<Stopped> {
  const services = manager();
  const before = statusOf(services, name);
  // One that is stopping cannot be asked again.
  if (before.state !== ServiceState.StopPending) {
    const error = services.control(name, STOP);
    if (error === NOT_RUNNING) {
      return { wasRunning: false, exitCode: exitCodeOf(before), text: 'not running' };
    }
    // One that ends at once may not have answered any more.
    if (services.query(name).state !== ServiceState.Stopped) {
      throwIfRefused(error, name, 'be stopped');
    }
  }
  const status = await settled(services, name, ServiceState.StopPending, timeout);
  if (status.state === ServiceState.Stopped) {
    return { wasRunning: true, exitCode: exitCodeOf(status), text: explainEnd(status) };
  }
  throw new ServiceError(
    status.state === ServiceState.Running
      ? `The service ${quote(name)} is still running: it ignores SIGTERM, or was started again`
      : `The service ${quote(name)} has not stopped after ${timeout / 1000} s without progress`,
    'ERR_SERVICE_TIMEOUT',
  );
}

export interface ServiceDescription {
  readonly status: 'running' | 'starting' | 'stopping' | 'stopped' | 'failed' | 'missing';
  readonly pid: number | null;
  readonly exitCode: number | null;
  readonly account: string | null;
  readonly commandLine: string | null;
  /** For people. */
  readonly text: string;
}

export function describeService(name: string): ServiceDescription {
  const services = manager();
  const found = services.query(name);
  if (found.error === NOT_INSTALLED) {
    const nothing = { pid: null, exitCode: null, account: null, commandLine: null };
    return { status: 'missing', ...nothing, text: 'not installed' };
  }
  throwIfRefused(found.error, name, 'be queried');
  const { error, account, commandLine } = services.configuration(name);
  const known = error === SUCCESS ? { account, commandLine } : { account: null, commandLine: null };
  const exitCode = exitCodeOf(found);
  switch (found.state) {
    // Another program's, paused or about to be.
    default:
      return { status: 'running', pid: found.pid, exitCode, ...known, text: 'paused' };
    case ServiceState.Stopped: {
      const isFailure = exitCode !== 0 && found.win32ExitCode !== NEVER_STARTED;
      const status = isFailure ? 'failed' : 'stopped';
      return { status, pid: null, exitCode, ...known, text: `stopped (${explainEnd(found)})` };
    }
    case ServiceState.Running:
    case ServiceState.StartPending:
    case ServiceState.StopPending: {
      const status =
        found.state === ServiceState.Running
          ? 'running'
          : found.state === ServiceState.StartPending
            ? 'starting'
            : 'stopping';
      const text = `${status} as process ${found.pid}`;
      return { status, pid: found.pid, exitCode: null, ...known, text };
    }
  }
}

function manager(): ServiceManager {
  const { services } = native;
  if (services !== undefined) return services;
  throw new ServiceError(
    "Services of this kind exist on Windows only. Elsewhere use a supervisor such as systemd, or 'daemoniker " +
      "start'",
    'ERR_SERVICE_UNSUPPORTED',
  );
}

function throwIfRefused(error: number, name: string, what: string): void {
  if (error === SUCCESS) return;
  throw new ServiceError(
    `The service ${quote(name)} cannot ${what}: ${explain(error).replaceAll('<name>', name)}`,
    'ERR_SERVICE_REFUSED',
    { windowsError: error },
  );
}

function explain(error: number): string {
  const explanation = EXPLANATIONS[error] ?? `see: net helpmsg ${error}`;
  return `error ${error} of Windows, ${explanation}`;
}

function statusOf(services: ServiceManager, name: string): ServiceStatus {
  const status = services.query(name);
  throwIfRefused(status.error, name, 'be queried');
  return status;
}

const POLL_MS = 100;

/** Its status once that is not `pending` any more, or has not changed for that long. */
async function settled(
  services: ServiceManager,
  name: string,
  pending: ServiceState,
  timeout: number,
): Promise<ServiceStatus> {
  let since = performance.now();
  let checkpoint: number | undefined;
  for (;;) {
    const status = statusOf(services, name);
    if (status.state !== pending) return status;
    if (status.checkpoint !== checkpoint) {
      checkpoint = status.checkpoint;
      since = performance.now();
    }
    if (performance.now() - since >= timeout) return status;
    await setTimeout(POLL_MS);
  }
}

function hasEndedItself({ error, state, win32ExitCode }: ServiceStatus): boolean {
  const hasReported = win32ExitCode === SUCCESS || win32ExitCode === SPECIFIC_EXIT_CODE;
  return error === SUCCESS && state === ServiceState.Stopped && hasReported;
}

function exitCodeOf({ win32ExitCode, specificExitCode }: ServiceStatus): number | null {
  if (win32ExitCode === SPECIFIC_EXIT_CODE) return specificExitCode;
  return win32ExitCode === SUCCESS ? 0 : null;
}

function explainEnd(status: ServiceStatus): string {
  const exitCode = exitCodeOf(status);
  if (exitCode !== null) return `exit code ${exitCode}`;
  const { win32ExitCode } = status;
  return [NEVER_STARTED, ENDED_UNEXPECTEDLY].includes(win32ExitCode)
    ? (EXPLANATIONS[win32ExitCode] ?? '')
    : explain(win32ExitCode);
}

// ---- What it runs ----

/** Runtimes whose first word that is no option is the script. */
const RUNTIMES = /^(node|bun)(\.exe)?$/i;
/** Options of node that can have their value in the next word, which would be taken for the script. */
const TAKE_A_WORD =
  /^(-r|--require|--import|--loader|--experimental-loader|--env-file|--env-file-if-exists|-C|--conditions|--title)$/;

/** The words, with absolute paths, and which of them are files that must be safe from others. */
function toServiceCommand([program = '', ...others]: readonly string[]): {
  readonly words: readonly string[];
  readonly files: readonly string[];
} {
  // The file itself and not what PATH has in front of it: a shim is another process than the runtime.
  const executable = realFile(/^node(\.exe)?$/i.test(program) ? process.execPath : program);
  if (!/\.exe$/i.test(executable)) {
    throw new ServiceError(
      `${quote(executable)} cannot be a service: it must be an .exe, and not a wrapper that starts another ` +
        'process. Use: node <script>',
      'ERR_SERVICE_COMMAND',
    );
  }
  const words = [executable, ...others];
  const files = [executable];
  if (executable === realpathSync.native(process.execPath) || RUNTIMES.test(basename(executable))) {
    const at = words.findIndex((word, index) => index > 0 && !word.startsWith('-'));
    for (const option of words.slice(1, at < 0 ? undefined : at)) {
      if (!TAKE_A_WORD.test(option)) continue;
      throw new ServiceError(
        `Write ${quote(option)} and its value as one word: ${option.replace(/^-r$/, '--require')}=…`,
        'ERR_SERVICE_COMMAND',
      );
    }
    if (at < 0) {
      throw new ServiceError(
        `${quote(basename(executable))} needs a script: daemoniker service install <name> -- node daemon.js`,
        'ERR_SERVICE_COMMAND',
      );
    }
    const script = realFile(words[at] as string);
    words[at] = script;
    files.push(script);
  }
  for (const word of words) {
    if (!/%[^%]+%/.test(word)) continue;
    throw new ServiceError(
      `${quote(word)} cannot be part of a service's command: Windows would expand %…% as a variable`,
      'ERR_SERVICE_COMMAND',
    );
  }
  return { words, files };
}

/** Its absolute path without links: whoever could change a link would choose what the service runs. */
function realFile(given: string): string {
  const path = resolve(given);
  if (existsSync(path)) return realpathSync.native(path);
  throw new ServiceError(
    `There is no file ${quote(path)}. Options of the runtime go in front of the script, each as one ` +
      'word (--require=C:\\x\\y.cjs)',
    'ERR_SERVICE_COMMAND',
  );
}

/** As the C runtime of Windows takes command lines apart; always quoted, so a path with spaces is one path. */
export function quoteWord(word: string): string {
  return `"${word.replace(/(\\*)("|$)/g, (_, slashes: string, end: string) =>
    end === '"' ? `${slashes}${slashes}\\"` : `${slashes}${slashes}`,
  )}"`;
}

function refuseIfOthersMayChange(services: ServiceManager, file: string): void {
  let role = PathRole.File;
  for (let part = file; ; part = dirname(part)) {
    const { error, account } = services.whoMayChange(part, role);
    if (error !== SUCCESS || account !== '') {
      const problem =
        error === SUCCESS
          ? `${account} may change ${quote(part)}`
          : `it is not known who may change ${quote(part)} (${explain(error)})`;
      throw new ServiceError(
        `${quote(file)} is not safe to run as a service: ${problem}. Put it where only administrators ` +
          'may write, such as "C:\\Program Files", or use --insecure',
        'ERR_SERVICE_INSECURE',
      );
    }
    if (dirname(part) === part) return;
    role = role === PathRole.File ? PathRole.Directory : PathRole.FurtherUp;
  }
}
