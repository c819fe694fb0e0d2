// A small program in a child process, and what it says.
//
// Fixtures print one JSON object a line (test/fixtures/say.cjs); a test waits for the line it needs,
// never for time to pass.
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { join } from 'node:path';
import { IS_WINDOWS, ROOT, RUNTIME } from './runtime';
import { signal as signalProcess } from './sending';
import { CTRL_C_EVENT, tool } from './windows_tool';

/** How long anything may take before a test fails. Generous: the machine may be busy. */
export const PATIENCE_MS = 120_000;

/** What is soon: much later than on any busy machine, and too early for what must not be waited for. */
export const SOON_MS = 30_000;

export interface Said {
  readonly event: string;
  readonly [key: string]: unknown;
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface FixtureOptions extends SpawnOptions {
  /** What stands before the runtime, such as `['setsid', '--wait']`. */
  readonly wrapper?: readonly string[];
  /** Flags for the runtime itself. */
  readonly flags?: readonly string[];
  /** The copy of this repository that it is taken from, and loads. */
  readonly root?: string;
}

const started = new Set<Fixture>();

export class Fixture {
  readonly child: ChildProcess;
  readonly said: Said[] = [];
  readonly ended: Promise<Ending>;
  #stdout = '';
  #stderr = '';
  #read = 0;
  #over = false;
  #listeners = new Set<() => void>();

  constructor(command: readonly string[], options: SpawnOptions = {}) {
    this.child = spawn(command[0] as string, command.slice(1), {
      stdio: ['pipe', 'pipe', 'pipe'],
      ...options,
    });
    started.add(this);
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#parse();
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#changed();
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (code, signal) => {
        this.#over = true;
        started.delete(this);
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr });
        this.#changed();
      });
    });
    this.ended.catch(() => undefined); // whoever waits for it gets the error
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('the fixture did not start');
    return this.child.pid;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** The first thing said, not returned before, that is this event. */
  async hears(event: string): Promise<Said> {
    return this.hearsAny(event);
  }

  /** As `hears()`, for whichever of several comes first. */
  async hearsAny(...events: readonly string[]): Promise<Said> {
    let index = -1;
    await this.until(events.map((event) => `"${event}"`).join(' or '), () => {
      index = this.said.findIndex((said, at) => at >= this.#read && events.includes(said.event));
      return index >= 0;
    });
    this.#read = index + 1;
    return this.said[index] as Said;
  }

  /** Waits until something said or written makes it true. */
  async until(what: string, isTrue: () => boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const finish = (error?: Error): void => {
        clearTimeout(timer);
        this.#listeners.delete(look);
        if (error === undefined) resolve();
        else reject(error);
      };
      const fail = (reason: string): void =>
        finish(
          new Error(`${reason} before ${what}.\nstdout: ${this.#stdout}\nstderr: ${this.#stderr}`),
        );
      const look = (): void => {
        if (isTrue()) finish();
        else if (this.#over) fail('the fixture ended');
      };
      const timer = setTimeout(() => fail(`${PATIENCE_MS} ms passed`), PATIENCE_MS);
      this.#listeners.add(look);
      look();
    });
  }

  /** Writes a line to its standard input: the commands of a fixture that takes some. */
  tell(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  /** Sends a real signal with kill(2); on Windows, which has none, what send() sends. */
  kill(signal: NodeJS.Signals | number): void {
    signalProcess(this.pid, signal);
  }

  /** SIGINT as a terminal or console sends it: what process.on('SIGINT') hears on Windows, too. */
  interrupt(): void {
    if (IS_WINDOWS) tool('control', this.pid, CTRL_C_EVENT);
    else process.kill(this.pid, 'SIGINT');
  }

  /** How it ended; fails after a while if it does not. */
  async end(): Promise<Ending> {
    await this.until('its end', () => this.#over);
    return this.ended;
  }

  #parse(): void {
    const lines = this.#stdout.split('\n');
    lines.pop();
    this.said.length = 0;
    for (const line of lines) {
      if (line.startsWith('{"')) this.said.push(JSON.parse(line) as Said);
    }
    this.#changed();
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Starts `test/fixtures/<name>.cjs` on the runtime under test. */
export function start(
  name: string,
  args: readonly string[] = [],
  { wrapper = [], flags = [], root = ROOT, ...options }: FixtureOptions = {},
): Fixture {
  const program = join(root, 'test', 'fixtures', `${name}.cjs`);
  return new Fixture([...wrapper, ...RUNTIME, ...flags, program, ...args], options);
}

/** Ends what a failed test left running. For `afterEach`. */
export async function endAll(): Promise<void> {
  for (const fixture of [...started]) {
    fixture.child.kill('SIGKILL');
    await fixture.ended.catch(() => undefined);
  }
}
