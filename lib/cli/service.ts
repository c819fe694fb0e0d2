// `daemoniker service`: how a shell asks for what lib/service.ts does.
import {
  START_TYPES,
  ServiceError,
  describeService,
  installService,
  removeService,
  startService,
  stopService,
  type ServiceDescription,
} from '../service';
import { parseTimeout, type Words } from './arguments';
import type { Output } from './output';
import { UsageError, type OptionName } from './usage';

const FAILED = 1;

// As for PID files: Linux Standard Base, "Init Script Actions".
const STATUS_CODES: Readonly<Record<ServiceDescription['status'], number>> = {
  running: 0,
  starting: 0,
  stopping: 0,
  failed: 1,
  stopped: 3,
  missing: 4,
};

const ACTIONS = ['install', 'remove', 'start', 'stop', 'status'] as const;
type Action = (typeof ACTIONS)[number];

const OF_INSTALL: readonly OptionName[] = [
  ...(['account', 'display-name', 'description', 'start'] as const),
  ...(['restart', 'insecure'] as const),
];

export async function service(words: Words, output: Output): Promise<number> {
  const { action, name } = toRequest(words);
  try {
    return await RUN[action](name, words, output);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    const { code, message, windowsError = null, exitCode = null } = error;
    output.failure(name, { code, message, windowsError, exitCode });
    return FAILED;
  }
}

function toRequest({ operands, rest, options }: Words): { action: Action; name: string } {
  const [word, name, superfluous] = operands;
  const action = ACTIONS.find((one) => one === word);
  if (action === undefined) {
    const given = word === undefined ? '' : `, not '${word}'`;
    throw new UsageError(`'service' takes one of ${ACTIONS.join(', ')}${given}`, 'service');
  }
  if (name === undefined || name === '') {
    throw new UsageError(`'service ${action}' needs the name of a service`, 'service');
  }
  if (superfluous !== undefined) {
    throw new UsageError(
      action === 'install'
        ? `Put -- before the command: daemoniker service install ${name} -- ${operands.slice(2).join(' ')}`
        : `Unexpected argument '${superfluous}'`,
      'service',
    );
  }
  if (action === 'install' && (rest?.[0] === undefined || rest[0] === '')) {
    throw new UsageError(
      `'service install' needs a command: daemoniker service install ${name} -- node daemon.js`,
      'service',
    );
  }
  if (action !== 'install') {
    if (rest !== null) throw new UsageError(`'service ${action}' takes no command`, 'service');
    const foreign = OF_INSTALL.find((option) => options.has(option));
    if (foreign !== undefined) {
      throw new UsageError(`'service ${action}' has no option --${foreign}`, 'service');
    }
  }
  return { action, name };
}

function chosen<Value extends string>(
  { options }: Words,
  option: OptionName,
  among: readonly [Value, ...Value[]],
): Value {
  const given = options.get(option) ?? among[0];
  const found = among.find((one) => one === given);
  if (found !== undefined) return found;
  throw new UsageError(`--${option} takes ${among.join(', ')}, not '${given}'`, 'service');
}

const RUN: Readonly<
  Record<Action, (name: string, words: Words, output: Output) => number | Promise<number>>
> = {
  install(name, words, output) {
    const { options, rest } = words;
    const { commandLine, account, unsupported } = installService(name, rest ?? [], {
      displayName: options.get('display-name'),
      description: options.get('description'),
      account: options.get('account'),
      start: chosen(words, 'start', START_TYPES),
      restarts: chosen(words, 'restart', ['on-failure', 'never']) === 'on-failure',
      insecure: options.has('insecure'),
    });
    const text = `installed: runs ${commandLine} as ${account}`;
    output.result(name, { commandLine, account, unsupported }, text, 'good');
    for (const setting of unsupported) {
      output.warning(name, `this version of Windows does not support the setting '${setting}'`);
    }
    return 0;
  },

  remove(name, _, output) {
    removeService(name);
    output.result(name, {}, 'removed', 'good');
    return 0;
  },

  async start(name, words, output) {
    const seconds = secondsOf(words);
    const pid = await waiting(name, 'it to run', seconds, output, () =>
      startService(name, seconds * 1000),
    );
    output.result(name, { pid }, `running as process ${pid}`, 'good');
    return 0;
  },

  async stop(name, words, output) {
    const seconds = secondsOf(words);
    const { wasRunning, exitCode, text } = await waiting(name, 'it to stop', seconds, output, () =>
      stopService(name, seconds * 1000),
    );
    const outcome = wasRunning ? 'stopped' : 'gone';
    const isClean = !wasRunning || exitCode === 0;
    const shown = wasRunning ? `stopped (${text})` : text;
    output.result(name, { outcome, exitCode }, shown, isClean ? 'good' : 'warning');
    return 0;
  },

  status(name, _, output) {
    const { text, ...data } = describeService(name);
    output.result(name, data, text, data.status === 'running' ? 'good' : 'bad');
    return STATUS_CODES[data.status];
  },
};

function secondsOf({ options }: Words): number {
  return parseTimeout('service', options.get('timeout') ?? '10');
}

async function waiting<Result>(
  name: string,
  what: string,
  seconds: number,
  output: Output,
  wait: () => Promise<Result>,
): Promise<Result> {
  output.waiting([name], what, seconds);
  try {
    return await wait();
  } finally {
    output.waited(name);
  }
}
