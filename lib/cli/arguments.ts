// The words of a command line, as what they mean.
import { resolve } from 'node:path';
import { didYouMean } from '../arguments';
import { SIGNAL_NAMES, findSignum } from '../signals';
import {
  OPTIONS,
  LONGEST_TIMEOUT,
  UsageError,
  optionsOf,
  runsCommand,
  takes,
  toCommandName,
  type CommandName,
  type OptionName,
} from './usage';

export interface Words {
  /** All that are no options, before `--`. */
  readonly operands: readonly string[];
  /** The command after `--`; `null` if there is none. */
  readonly rest: readonly string[] | null;
  /** `-9` of `send` is one of them: 'signal'. */
  readonly options: ReadonlyMap<OptionName, string>;
}

/** What comes before a command has only options of all. */
export function parse(command: CommandName | undefined, words: readonly string[]): Words {
  const operands: string[] = [];
  const options = new Map<OptionName, string>();
  /** Of `send`, which takes it in several forms: not two of them. */
  const setSignal = (signal: string, word: string): void => {
    if (options.has('signal')) throw new UsageError(`Unexpected argument '${word}'`, command);
    options.set('signal', signal);
  };
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    if (word === '--') {
      const rest = words.slice(at + 1);
      if (command !== undefined && runsCommand(command)) return { operands, rest, options };
      return { operands: [...operands, ...rest], rest: null, options };
    }
    if (!word.startsWith('-') || word === '-') {
      operands.push(word);
      continue;
    }
    const [given, inline]: [string, string?] = word.startsWith('--') ? splitOnce(word) : [word];
    const name = findOption(given);
    if (name === undefined) {
      if (command !== 'send' || !looksLikeSignal(word)) throw unknownOption(command, given);
      setSignal(word.slice(1), word);
      continue;
    }
    if (command !== undefined && !takes(command, name)) {
      throw new UsageError(`'${command}' has no option ${given}`, command);
    }
    const argument = argumentOf(name);
    if (argument !== undefined) {
      const value = inline ?? words[++at];
      if (value === undefined || (inline === undefined && value.startsWith('--'))) {
        throw new UsageError(`${given} needs ${argument}`, command);
      }
      if (command === 'send' && name === 'signal') setSignal(value, given);
      else options.set(name, value);
    } else {
      if (inline !== undefined) throw new UsageError(`${given} takes no value`, command);
      options.set(name, '');
    }
  }
  return { operands, rest: null, options };
}

function splitOnce(word: string): [string, string?] {
  const at = word.indexOf('=');
  return at < 0 ? [word] : [word.slice(0, at), word.slice(at + 1)];
}

function findOption(given: string): OptionName | undefined {
  const names = Object.keys(OPTIONS) as OptionName[];
  return names.find((name) => {
    const option = OPTIONS[name];
    return given === `--${name}` || ('short' in option && given === `-${option.short}`);
  });
}

/** `-9` or `-HUP`, as kill(1) takes them. */
function looksLikeSignal(word: string): boolean {
  return /^-(\d+|[a-z][\w+-]+)$/i.test(word);
}

function unknownOption(command: CommandName | undefined, given: string): UsageError {
  if (command !== undefined && looksLikeSignal(given) && takes(command, 'signal')) {
    return new UsageError(
      `'${command}' has no option ${given}; did you mean --signal ${given.slice(1)}?`,
      command,
    );
  }
  const known = command === undefined ? Object.keys(OPTIONS) : optionsOf(command);
  const hint = didYouMean(
    given,
    known.map((name) => `--${name}`),
  );
  return new UsageError(`Unknown option ${given}${hint}`, command);
}

/** What must follow it. */
function argumentOf(name: OptionName): string | undefined {
  const option = OPTIONS[name];
  return 'argument' in option ? option.argument : undefined;
}

/** The command, and all other words. Options may stand before it. */
export function findCommand(
  words: readonly string[],
): [CommandName | 'help' | undefined, string[]] {
  const at = words.findIndex((word, index) => {
    const before = findOption(words[index - 1] ?? '');
    return !word.startsWith('-') && (before === undefined || argumentOf(before) === undefined);
  });
  if (at < 0) return [undefined, [...words]];
  const word = words[at] as string;
  const others = [...words.slice(0, at), ...words.slice(at + 1)];
  return [word === 'help' ? word : toCommandName(word, others), others];
}

/** A PID file, and no more than `most` operands in all. */
export function atMost(
  most: number,
  command: CommandName,
  operands: readonly string[],
): readonly [string, ...string[]] {
  const all = atLeastOne(command, operands);
  const superfluous = all[most];
  if (superfluous !== undefined)
    throw new UsageError(`Unexpected argument '${superfluous}'`, command);
  return all;
}

export function atLeastOne(
  command: CommandName,
  operands: readonly string[],
): readonly [string, ...string[]] {
  const [path, ...others] = operands;
  if (path === undefined || operands.includes('')) {
    throw new UsageError(`'${command}' needs a PID file`, command);
  }
  return [path, ...others];
}

/** Of one that is given twice, the second could only be told what the first has changed. */
export function pidFiles(command: CommandName, operands: readonly string[]): readonly string[] {
  const all = new Map<string, string>();
  for (const path of atLeastOne(command, operands)) {
    const resolved = resolve(path);
    if (!all.has(resolved)) all.set(resolved, path);
  }
  return [...all.values()];
}

/** `SIGTERM`, `TERM`, `term` or `15`. */
export function parseSignal(command: CommandName, text: string): number {
  const signal = toSignal(text);
  const signum = findSignum(signal);
  if (signum !== undefined) return signum;
  const hint = typeof signal === 'number' ? '' : didYouMean(signal, SIGNAL_NAMES);
  throw new UsageError(`Unknown signal '${text}'${hint}`, command);
}

export function isSignal(text: string): boolean {
  return findSignum(toSignal(text)) !== undefined;
}

function toSignal(text: string): string | number {
  if (/^\d+$/.test(text)) return Number(text);
  const upper = text.toUpperCase();
  return upper.startsWith('SIG') ? upper : `SIG${upper}`;
}

/** Seconds, as timeout(1) and systemd take them. */
export function parseTimeout(command: CommandName, text: string): number {
  const seconds = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && seconds <= LONGEST_TIMEOUT) return seconds;
  throw new UsageError(
    `--timeout takes seconds from 0 to ${LONGEST_TIMEOUT}, such as 10 or 0.5, not '${text}'`,
    command,
  );
}
