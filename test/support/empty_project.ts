// Projects as a new user has them: empty, but for this package as it is published, and programs pasted
// from the documents.
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import * as ts from 'typescript';
import { temporaryDirectory, removeDirectory } from './directory';
import { Fixture, type Ending } from './fixture';
import { freePort } from './free_port';
import type { CodeBlock } from './markdown';
import { copyPackage } from './package_copy';
import { FIXTURES, ROOT, RUNTIME } from './runtime';

/** What one line of a program has printed. */
export interface Printed {
  readonly file: string;
  readonly line: number;
  readonly name: 'log' | 'info' | 'warn' | 'error';
  readonly text: string;
}

let installed: string | undefined;

/** A directory `node_modules`, the same for all projects of a test file. */
function modules(): string {
  if (installed === undefined) {
    installed = temporaryDirectory();
    const bin = join(installed, '.bin');
    copyPackage(join(installed, 'daemoniker'));
    mkdirSync(bin);
    symlinkSync('../daemoniker/dist/cli.js', join(bin, 'daemoniker'));
  }
  return installed;
}

/** Removes what all projects share. For `afterAll`. */
export function removeModules(): void {
  if (installed !== undefined) removeDirectory(installed);
  installed = undefined;
}

export class EmptyProject {
  readonly directory = temporaryDirectory();
  readonly #port = freePort();

  constructor() {
    writeFileSync(join(this.directory, 'package.json'), '{}');
    mkdirSync(join(this.directory, 'node_modules'));
    for (const name of ['daemoniker', '.bin']) {
      symlinkSync(join(modules(), name), join(this.directory, 'node_modules', name));
    }
  }

  /** The port that programs use here in place of 8080, which may be in use. */
  get port(): Promise<number> {
    return this.#port;
  }

  /** Installs what is installed in this repository. */
  install(packageName: string): void {
    const link = join(this.directory, 'node_modules', packageName);
    mkdirSync(dirname(link), { recursive: true });
    rmSync(link, { force: true });
    symlinkSync(join(ROOT, 'node_modules', packageName), link);
  }

  /** Writes a program under its name; TypeScript as JavaScript, which every Node understands. */
  async paste({ code, name = '' }: Pick<CodeBlock, 'code' | 'name'>): Promise<void> {
    const text = code.replaceAll('8080', String(await this.#port));
    writeFileSync(
      join(this.directory, fileToRun(name)),
      name.endsWith('.ts') ? transpiled(name, text) : text,
    );
  }

  /** Runs a pasted program, the runtime's flags in front of its name. */
  run(...words: readonly string[]): Program {
    return new Program(words, this.directory);
  }

  pidFiles(): string[] {
    return readdirSync(this.directory)
      .filter((name) => name.endsWith('.pid'))
      .map((name) => join(this.directory, name));
  }

  remove(): void {
    removeDirectory(this.directory);
  }
}

function transpiled(fileName: string, text: string): string {
  const compilerOptions = {
    module: ts.ModuleKind.ES2022,
    target: ts.ScriptTarget.ES2022,
    inlineSourceMap: true,
  };
  return ts.transpileModule(text, { fileName, compilerOptions }).outputText;
}

/** The file that a pasted program is in. */
export function fileToRun(name: string): string {
  return name.replace(/\.ts$/, '.mjs');
}

/** A program that says what it prints where, and when it has been evaluated and stays alive. */
export class Program extends Fixture {
  readonly printed: Printed[] = [];
  readonly #stays: Promise<void>;

  constructor(words: readonly string[], cwd: string) {
    const command = [...words.slice(0, -1), join(FIXTURES, 'run_program.mjs')];
    const name = words.at(-1) as string;
    const flags = name.endsWith('.ts') ? ['--enable-source-maps'] : [];
    super([...RUNTIME, ...flags, ...command, fileToRun(name)], {
      cwd,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    });
    const reports = createInterface({ input: this.child.stdio[3] as Readable });
    this.#stays = new Promise((resolve) => {
      reports.on('line', (line) => {
        const { event, ...details } = JSON.parse(line) as { event: string };
        if (event === 'stays') resolve();
        else this.printed.push(details as Printed);
      });
    });
  }

  /** Until it has been evaluated and something keeps it alive; fails if it ends before. */
  async stays(): Promise<void> {
    const early = this.ended.then(({ code, signal, stderr }) => {
      throw new Error(`it does not stay alive: exit ${code ?? signal}\n${stderr}`);
    });
    await Promise.race([this.#stays, early]);
  }

  /** What it has written to stderr but for its own console.error() and what the default handler says. */
  unexpected({ stderr }: Ending): string {
    return this.printed
      .filter(({ name }) => name === 'error' || name === 'warn')
      .reduce((rest, { text }) => rest.replace(`${text}\n`, ''), stderr)
      .replace(/^daemoniker: SIG\w+ received from .*\n$/, '');
  }
}
