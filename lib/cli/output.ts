// How the command line tells its results: to a person, or as JSON, one object a line.
import type { WriteStream } from 'node:tty';
import { printable } from '../errors';

const COLOURS = { good: 32, bad: 31, warning: 33 } as const;
const QUIET_MS = 200;
const REFRESH_MS = 1000;

export type Tone = keyof typeof COLOURS;

export class Output {
  readonly #command: string;
  readonly #style: 'text' | 'json' | 'quiet';
  /** What the operands name, as the key in JSON. */
  readonly #subject: 'pidFile' | 'service';
  readonly #waitingFor = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  /** On the terminal, in a line that is not finished. */
  #isShown = false;

  constructor(
    command: string,
    style: 'text' | 'json' | 'quiet',
    subject: 'pidFile' | 'service' = 'pidFile',
  ) {
    this.#command = command;
    this.#style = style;
    this.#subject = subject;
  }

  result(pidFile: string, data: object, text: string, tone: Tone): void {
    if (this.#style === 'json') this.#printJson(pidFile, data);
    else if (this.#style === 'text') this.#print(process.stdout, `${pidFile}: `, text, tone);
  }

  /** A result that is a failure: told even by --quiet. */
  failedResult(pidFile: string, data: object, text: string): void {
    if (this.#style === 'quiet') this.#print(process.stderr, `${pidFile}: `, text, 'bad');
    else this.result(pidFile, data, text, 'bad');
  }

  /** `lines`: more of it, as the daemon wrote it. */
  failure(
    pidFile: string,
    error: { readonly code: string; readonly message: string; readonly [more: string]: unknown },
    lines: readonly string[] = [],
  ): void {
    if (this.#style === 'json') {
      this.#printJson(pidFile, { error });
      return;
    }
    this.#print(process.stderr, 'daemoniker: ', error.message, 'bad');
    for (const line of lines) process.stderr.write(`  ${printable(line)}\n`);
  }

  /** Beside a result; in JSON that has it. */
  warning(pidFile: string, text: string): void {
    if (this.#style === 'text') this.#print(process.stderr, `${pidFile}: `, text, 'warning');
  }

  /** Until `waited()`, shows that something is going on: on a terminal, with the time left. */
  waiting(pidFiles: readonly string[], what: string, seconds: number, then = ''): void {
    if (this.#style !== 'text') return;
    for (const pidFile of pidFiles) this.#waitingFor.add(pidFile);
    const begun = performance.now();
    const show = (): void => {
      if (this.#waitingFor.size === 0) return;
      const left = Math.max(0, Math.ceil(seconds - (performance.now() - begun) / 1000));
      const text = `${[...this.#waitingFor].join(', ')}: waiting for ${what} (${left} s left${then})`;
      if (process.stderr.isTTY) {
        // No more than one line, which can be cleared.
        const { columns } = process.stderr;
        const width = columns > 0 ? columns - 1 : Infinity;
        process.stderr.write(`${CLEAR_LINE}${printable(text).slice(0, width)}`);
        this.#isShown = true;
        this.#timer = setTimeout(show, REFRESH_MS);
      } else {
        process.stderr.write(`${printable(text)}\n`);
      }
    };
    // Most daemons are gone before it could be read.
    this.#timer = setTimeout(show, QUIET_MS);
  }

  waited(pidFile: string): void {
    this.#waitingFor.delete(pidFile);
    if (this.#waitingFor.size > 0 || this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#clear();
  }

  #clear(): void {
    if (this.#isShown) process.stderr.write(CLEAR_LINE);
    this.#isShown = false;
  }

  #print(stream: WriteStream, before: string, text: string, tone: Tone): void {
    this.#clear();
    stream.write(`${printable(before)}${paint(stream, printable(text), tone)}\n`);
  }

  #printJson(pidFile: string, data: object): void {
    const object = { command: this.#command, [this.#subject]: pidFile, ...data };
    // JSON itself leaves some of them as they are.
    process.stdout.write(`${printable(JSON.stringify(object))}\n`);
  }
}

const CLEAR_LINE = '\r\u001B[2K';

/** One line of text. Colours on a terminal that has them; `hasColors()` knows NO_COLOR and its like. */
function paint(
  stream: { isTTY?: boolean; hasColors?: WriteStream['hasColors'] },
  text: string,
  tone: Tone,
): string {
  const colourful =
    stream.isTTY === true && !process.env['NO_COLOR'] && stream.hasColors?.() === true;
  return colourful ? `\u001B[${COLOURS[tone]}m${text}\u001B[39m` : text;
}
