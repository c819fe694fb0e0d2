// How the command line tells its results: to a person, or as one JSON object.
import type { WriteStream } from 'node:tty';

const COLOURS = { good: 32, bad: 31 } as const;
const QUIET_MS = 200;
const REFRESH_MS = 1000;

export class Output {
  readonly #command: string;
  readonly #pidFile: string;
  readonly #json: boolean;
  #timer: NodeJS.Timeout | undefined;

  constructor(command: string, pidFile: string, json: boolean) {
    this.#command = command;
    this.#pidFile = pidFile;
    this.#json = json;
  }

  result(data: object, text: string, colour: keyof typeof COLOURS): void {
    if (this.#json) this.#printJson(data);
    else process.stdout.write(`${this.#pidFile}: ${paint(process.stdout, text, colour)}\n`);
  }

  failure(code: string, message: string): void {
    if (this.#json) this.#printJson({ error: { code, message } });
    else process.stderr.write(`daemoniker: ${paint(process.stderr, message, 'bad')}\n`);
  }

  /** Until `waited()`, shows that something is going on: on a terminal, with the time left. */
  waiting(seconds: number, thenKills: boolean): void {
    if (this.#json) return;
    const begun = performance.now();
    const then = thenKills ? ', then it is killed' : '';
    const show = (): void => {
      const left = Math.max(0, Math.ceil(seconds - (performance.now() - begun) / 1000));
      const text = `${this.#pidFile}: waiting for its process to end (${left} s left${then})`;
      if (process.stderr.isTTY) {
        process.stderr.write(`${CLEAR_LINE}${text}`);
        this.#timer = setTimeout(show, REFRESH_MS);
      } else {
        process.stderr.write(`${text}\n`);
      }
    };
    // Most daemons are gone before anybody could read it.
    this.#timer = setTimeout(show, QUIET_MS);
  }

  waited(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    if (process.stderr.isTTY) process.stderr.write(CLEAR_LINE);
  }

  #printJson(data: object): void {
    const object = { command: this.#command, pidFile: this.#pidFile, ...data };
    process.stdout.write(`${JSON.stringify(object)}\n`);
  }
}

const CLEAR_LINE = '\r\u001B[2K';

/** Colours on a terminal that has them; `hasColors()` knows NO_COLOR and its like. */
function paint(
  stream: { isTTY?: boolean; hasColors?: WriteStream['hasColors'] },
  text: string,
  colour: keyof typeof COLOURS,
): string {
  const colourful =
    stream.isTTY === true && !process.env['NO_COLOR'] && stream.hasColors?.() === true;
  return colourful ? `\u001B[${COLOURS[colour]}m${text}\u001B[39m` : text;
}
