// A graceful shutdown: begun once, its hooks one after the other, and bounded as a whole by the addon
// (native/shutdown.h), which also ends it at a second request.
import { writeSync } from 'node:fs';
import { constants } from 'node:os';
import { inspect } from 'node:util';
import { toBoolean, toMilliseconds, toOptions } from './arguments';
import {
  publishHookBegin,
  publishHookEnd,
  publishShutdownBegin,
  publishShutdownEnd,
} from './diagnostics';
import { OURS, raise, someoneListens } from './ending';
import { SignalError, invalidArgType, invalidArgValue, printable, quote } from './errors';
import { notifyStopping } from './notify';
import { registry } from './registry';
import { ReceivedSignal, didYouMeanSignal, findSignum, whyNotHandled } from './signals';

/** Options of a shutdown; see {@link SignalHandlerOptions.shutdown}. */
export interface ShutdownOptions {
  /**
   * The grace period in milliseconds, from 1 to 2147483647, from the arrival of the signal. A process that
   * is still running then is terminated natively, with exit code 124.
   * @defaultValue 10000
   */
  within?: number | undefined;
  /**
   * The signals that begin it.
   * @defaultValue ['SIGINT', 'SIGTERM']
   */
  signals?: readonly NodeJS.Signals[] | undefined;
  /**
   * Those of them that terminate the process at once when they arrive again, from the same source (the
   * terminal, or a process) and more than 500 ms after its first.
   * @defaultValue ['SIGINT'], if that is one of `signals`
   */
  again?: readonly NodeJS.Signals[] | undefined;
  /**
   * Whether an uncaught exception or unhandled rejection, reported on stderr, begins it too. The exit code
   * is 1 then.
   * @defaultValue false
   */
  errors?: boolean | undefined;
}

/**
 * A part of a shutdown. The reason is the {@link ReceivedSignal}, the error, or what
 * {@link SignalHandler1.shutDown} was given. The next hook waits until its result has settled.
 */
export type ShutdownHook = (reason: unknown) => unknown;

/** Options of {@link SignalHandler1.onShutdown}. */
export interface ShutdownHookOptions {
  /**
   * Milliseconds, from 1 to 2147483647, after which the next hook runs even if this one has not finished.
   * The exit code is 1 then.
   * @defaultValue none: the shutdown's `within` alone
   */
  timeout?: number | undefined;
}

/** What {@link ShutdownOptions} come down to. */
export interface ShutdownPlan {
  readonly within: number;
  readonly signums: ReadonlySet<number>;
  readonly again: ReadonlySet<number>;
  readonly errors: boolean;
}

const WITHIN_MS = 10_000;
const OPTIONS = ['within', 'signals', 'again', 'errors'] as const;
const HOOK_OPTIONS = ['timeout'] as const;

/** Throws for anything that is no shutdown option. */
export function toShutdownPlan(value: unknown): ShutdownPlan | null {
  if (value === undefined || value === null || value === false) return null;
  const options: ShutdownOptions =
    typeof value === 'number'
      ? { within: value }
      : value === true
        ? {}
        : toOptions<ShutdownOptions>(
            typeof value === 'object' ? value : refuse(value),
            OPTIONS,
            'options.shutdown',
          );
  const name = typeof value === 'number' ? 'options.shutdown' : 'options.shutdown.within';
  const signums = toSignums('signals', options.signals ?? ['SIGINT', 'SIGTERM']);
  const again =
    options.again === undefined
      ? new Set([...signums].filter((signum) => signum === constants.signals.SIGINT))
      : toSignums('again', options.again);
  for (const signum of again) {
    if (signums.has(signum)) continue;
    throw invalidArgValue(
      'options.shutdown.again',
      'may only name signals that options.shutdown.signals names',
      options.again,
    );
  }
  return {
    within: toMilliseconds(name, options.within ?? WITHIN_MS, 'of type number'),
    signums,
    again,
    errors: toBoolean('options.shutdown.errors', options.errors, false),
  };
}

function refuse(value: unknown): never {
  throw invalidArgType('options.shutdown', 'of type boolean, number or object', value);
}

function toSignums(option: string, value: unknown): Set<number> {
  const name = `options.shutdown.${option}`;
  if (!Array.isArray(value)) throw invalidArgType(name, 'an array of names of signals', value);
  return new Set(value.map((one, index) => toHandledSignum(`${name}[${index}]`, one)));
}

/** The number of a signal that may have a handler. `name` is what an error calls the argument. */
export function toHandledSignum(name: string, signal: unknown): number {
  const signum = signal === 0 ? undefined : findSignum(signal);
  if (signum === undefined || signum === 0) {
    const hint = typeof signal === 'string' ? didYouMeanSignal(signal) : '';
    throw invalidArgValue(name, `must be the name of a signal of this system${hint}`, signal);
  }
  const reason = whyNotHandled(signum);
  if (reason !== undefined) throw invalidArgValue(name, `cannot have a handler: ${reason}`, signal);
  return signum;
}

interface Hook {
  readonly name: string;
  readonly run: ShutdownHook;
  readonly timeout: number | undefined;
}

/** What is said to be running before the first hook. */
const LISTENERS = 'listeners of abortSignal';

/** The shutdown of one SignalHandler1. */
export class Shutdown {
  readonly #pidFile: string | null;
  readonly #within: number;
  readonly #hooks: Hook[] = [];
  #controller: AbortController | null = null;
  #hooksHaveRun: Promise<void> | null = null;
  #isOver = false;
  #exits = false;
  #hasFailed = false;

  constructor(pidFile: string | null, within: number | undefined) {
    this.#pidFile = pidFile;
    this.#within = within ?? WITHIN_MS;
  }

  get abortSignal(): AbortSignal {
    return (this.#controller ??= new AbortController()).signal;
  }

  /** Returns what takes it away again. */
  add(name: unknown, run: unknown, options: unknown): () => void {
    if (typeof name !== 'string') throw invalidArgType('name', 'of type string', name);
    if (name === '') throw invalidArgValue('name', 'must not be empty', name);
    if (typeof run !== 'function') throw invalidArgType('hook', 'of type function', run);
    const { timeout } = toOptions<ShutdownHookOptions>(options, HOOK_OPTIONS);
    const hook: Hook = {
      name,
      run: run as ShutdownHook,
      timeout:
        timeout === undefined
          ? undefined
          : toMilliseconds('options.timeout', timeout, 'of type number'),
    };
    if (this.#isOver) {
      throw new SignalError(
        `Cannot add the shutdown hook ${quote(name)}: all hooks have already run`,
        'ERR_SHUTDOWN_OVER',
      );
    }
    this.#hooks.push(hook);
    return () => {
      const index = this.#hooks.indexOf(hook);
      if (index >= 0) this.#hooks.splice(index, 1);
    };
  }

  /** Ends with the exit of the process, in the turn of the event loop after the promise settles. */
  begin(reason: unknown): Promise<void> {
    const hasGoneOn = this.#isOver && !this.#exits;
    // Not for a shutdown from which the process goes on.
    if (!this.#exits) notifyStopping(this.#within);
    this.#exits = true;
    const hooksHaveRun = this.#begin(reason, true);
    if (hasGoneOn) {
      registry.beginShutdown(this, this.#within);
      this.#exit(this.abortSignal.reason);
    }
    return hooksHaveRun;
  }

  /** As begin(), but the process goes on. `isBounded`: by the addon, which only the main thread may use. */
  async beginWithoutExit(isBounded: boolean): Promise<void> {
    await this.#begin(undefined, isBounded);
  }

  /** Its handler is started again: after a shutdown from which the process has gone on, another may begin. */
  renew(): void {
    if (!this.#isOver || this.#exits) return;
    this.#controller = null;
    this.#hooksHaveRun = null;
    this.#isOver = false;
    this.#hasFailed = false;
  }

  /** An uncaught exception begins it, and is reported as the runtime would. */
  readonly onError = Object.assign(
    (error: unknown): void => {
      const { native } = registry;
      // A raised signal is for other listeners, or ends the process.
      if (error instanceof ReceivedSignal && error.signum > 0) {
        if (!someoneListens(native.hostProcess)) raise(error, native);
        return;
      }
      this.#hasFailed = true;
      if (this.#isFirst()) {
        const text = inspect(error);
        tell(`${error instanceof Error ? text : `Uncaught ${text}`}\n\n${versions()}\n`);
      }
      if (this.#isOver && this.#exits) {
        native.hostProcess.exitCode = 1;
        // Thrown by an 'exit' listener, it has interrupted the exit.
        registry.exit();
      }
      void this.begin(error);
    },
    { [OURS]: true },
  );

  /** Of those that report an uncaught exception. */
  #isFirst(): boolean {
    const listeners = registry.native.hostProcess.listeners('uncaughtException');
    return listeners.find((listener) => OURS in listener) === this.onError;
  }

  #begin(reason: unknown, isBounded: boolean): Promise<void> {
    if (this.#hooksHaveRun !== null) return this.#hooksHaveRun;
    if (isBounded) registry.beginShutdown(this, this.#within);
    // Before anything of the user's runs, which may begin it again.
    let settle: () => void = () => undefined;
    this.#hooksHaveRun = new Promise((resolve) => (settle = resolve));
    const { abortSignal } = this;
    registry.setRunning(this, LISTENERS);
    this.#controller?.abort(reason);
    const given: unknown = abortSignal.reason;
    publishShutdownBegin(this.#pidFile, given);
    void this.#runHooks(given).then(() => {
      settle();
      if (this.#exits) this.#exit(given);
      else this.#goOn(given);
    });
    return this.#hooksHaveRun;
  }

  async #runHooks(reason: unknown): Promise<void> {
    // A hook may wait for something that does not keep the event loop alive.
    const alive = setInterval(() => undefined, 2 ** 31 - 1);
    for (let hook = this.#hooks.pop(); hook !== undefined; hook = this.#hooks.pop()) {
      registry.setRunning(this, printable(hook.name));
      await this.#runHook(hook, reason);
    }
    this.#isOver = true;
    registry.setRunning(this, '');
    clearInterval(alive);
  }

  async #runHook({ name, run, timeout }: Hook, reason: unknown): Promise<void> {
    const message = { pidFile: this.#pidFile, reason, name };
    publishHookBegin(message);
    let isLate = false;
    let outcome: { error?: unknown } = {};
    try {
      isLate = !(await runWithin(timeout, () => run(reason)));
    } catch (error) {
      outcome = { error };
      tell(`daemoniker: shutdown hook ${quote(name)} failed: ${inspect(error)}\n`);
    }
    if (isLate) {
      tell(
        `daemoniker: shutdown hook ${quote(name)} is taking longer than ${timeout} ms; continuing without it\n`,
      );
    }
    this.#hasFailed ||= isLate || 'error' in outcome;
    publishHookEnd(message, { isLate, ...outcome });
  }

  // In the next turn of the event loop: code that awaits shutDown() may set the exit code.
  #exit(reason: unknown): void {
    setImmediate(() => {
      registry.native.hostProcess.exitCode = this.#publishEnd(reason);
      registry.exit();
    });
  }

  #goOn(reason: unknown): void {
    this.#publishEnd(reason);
    if (this.#hasFailed) registry.native.hostProcess.exitCode = 1;
    registry.finishShutdown(this);
  }

  /** Returns the exit code. */
  #publishEnd(reason: unknown): number | string {
    const exitCode = this.#hasFailed ? 1 : (registry.native.hostProcess.exitCode ?? 0);
    publishShutdownEnd(this.#pidFile, reason, exitCode);
    return exitCode;
  }
}

/**
 * Whether what `run` returns settles in that time, the time in which it blocks included. Throws what
 * it throws or rejects with in that time.
 */
async function runWithin(milliseconds: number | undefined, run: () => unknown): Promise<boolean> {
  if (milliseconds === undefined) {
    await run();
    return true;
  }
  const begun = performance.now();
  const isInTime = (): boolean => performance.now() - begun <= milliseconds;
  const settled = Promise.resolve(run()).then(isInTime);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    const left = Math.max(0, milliseconds - (performance.now() - begun));
    timer = setTimeout(() => resolve(false), left);
  });
  try {
    return await Promise.race([settled, late]);
  } finally {
    clearTimeout(timer);
  }
}

function versions(): string {
  const { node, bun, deno } = process.versions;
  return bun !== undefined
    ? `Bun ${bun}`
    : deno !== undefined
      ? `Deno ${deno}`
      : `Node.js v${node}`;
}

// At once and as a whole, unlike process.stderr on a pipe of Windows: the process may end soon.
function tell(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // A stderr that is closed, or full and does not wait.
  }
}
