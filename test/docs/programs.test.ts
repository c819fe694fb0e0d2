// Every program in the documents runs when it is pasted into an empty project under the name that its
// first line gives it, and does what its comments and the output beside it say.
//
// - One that starts a handler or a server stays alive until it gets SIGTERM (and before that, any other
//   signals that it handles), and then exits with 0, or is terminated by SIGTERM.
// - Any other one exits with 0 on its own. If it names the PID file of a daemon in the same document, that
//   daemon is running; if it names the file of another program there, that program is beside it.
// - What it prints is what a comment behind console.log() says. If there is one behind console.error(), that
//   need not happen. Nothing else is on stderr, unless it is shown in a block that follows.
import { Agent, get } from 'node:http';
import { builtinModules } from 'node:module';
import { dirname, join } from 'node:path';
import { ping, terminate } from '../../';
import {
  EmptyProject,
  fileToRun,
  removeModules,
  type Printed,
  type Program,
} from '../support/empty_project';
import { deathBy } from '../support/endings';
import { Fixture, endAll, type Ending } from '../support/fixture';
import { codeBlocks, documents, type CodeBlock } from '../support/markdown';
import { onUnix } from '../support/platform';
import { eventually } from '../support/processes';
import { ROOT } from '../support/runtime';

/** Programs for what is not installed here. Checked both ways: one that runs here must not be listed. */
const NEEDS: Readonly<Record<string, { what: string; without: string }>> = {
  // test/packages/pm2.test.ts runs it. Nobody closes its channel here.
  'docs/operating.md: server.mjs': { what: 'pm2', without: 'still running: http' },
};

const blocks = documents().flatMap(codeBlocks);
const programs = blocks.filter(({ language }) => ['js', 'ts'].includes(language));
const named = programs.filter(({ name }) => name !== undefined);
const title = ({ file, name }: CodeBlock): string => `${file}: ${name}`;

const projects: EmptyProject[] = [];
function emptyProject(): EmptyProject {
  const project = new EmptyProject();
  projects.push(project);
  return project;
}

afterAll(async () => {
  await endAll();
  for (const project of projects) {
    for (const path of project.pidFiles())
      await terminate(path, { kill: true }).catch(() => undefined);
    project.remove();
  }
  removeModules();
});

// The documents are the same everywhere; so once is enough.
onUnix('a program in the documents', () => {
  test('has a name, and is an ES module unless its name says otherwise', () => {
    expect(programs.length).toBeGreaterThan(40);
    const wrong = programs.filter(
      ({ name = '', language, code }) =>
        !(language === 'ts' ? /\.ts$/ : /\.[cm]js$/).test(name) ||
        name.endsWith('.cjs') !== /\brequire\(/.test(code),
    );
    expect(wrong.map(({ file, line }) => `${file}:${line}`)).toEqual([]);
  });

  test.concurrent.each(
    Object.entries(NEEDS).map(([which, { what, without }]) => [which, what, without] as const),
  )('%s does not run without %s', async (which, _, without) => {
    const block = named.find((one) => title(one) === which);
    expect(block).toBeDefined();
    await expect(runProgram(block as CodeBlock)).rejects.toThrow(without);
  });

  const runnable = named.filter((block) => NEEDS[title(block)] === undefined);
  test.concurrent.each(runnable.map((block) => [title(block), block] as const))('%s', (_, block) =>
    runProgram(block),
  );
});

onUnix('a session in the documents', () => {
  const sessions = blocks.filter(
    ({ language, code }) => language === 'sh' && /\bdaemoniker (?!service)/.test(code),
  );
  test.concurrent.each(sessions.map((block) => [`${block.file}:${block.line}`, block] as const))(
    '%s',
    (_, block) => runSession(block),
  );

  const printed = blocks.filter(
    ({ language, code }) => language === 'json' && code.includes('"pidFile"'),
  );
  test.concurrent.each(printed.map((block) => [`${block.file}:${block.line}`, block] as const))(
    '%s is what --json prints',
    async (_, block) => {
      const shown = JSON.parse(block.code) as { command: string; pidFile: string };
      const { stdout } = await runSession({
        ...block,
        code: `npx daemoniker ${shown.command} ${shown.pidFile} --json`,
      });
      const real = JSON.parse(stdout) as typeof shown;
      expect(Object.keys(real)).toEqual(Object.keys(shown));
      const { exitCode } = real as { exitCode?: unknown };
      if (exitCode === null) Object.assign(shown, { exitCode }); // not every system tells
      expect(real).toEqual({ ...shown, pid: expect.any(Number) as number });
    },
  );
});

// What is said about them there.
onUnix('docs/other-packages.md', () => {
  const endsBySignal = ['with_terminus.mjs', 'with_signal_exit.mjs'];
  const servers = named.filter(({ file }) => file === 'docs/other-packages.md');

  test.concurrent.each(servers.map((block) => [block.name as string, block] as const))(
    '%s answers the request that it is at, if that is said, and then ends',
    async (name, block) => {
      const project = emptyProject();
      const code = block.code
        .replace('8080', "8080, () => console.log('listens')")
        .replace(
          "response.end('hello\\n')",
          "{ console.log('asked'); setTimeout(() => $&, 300); }",
        );
      await paste(project, { ...block, code });
      const program = project.run(name);
      await program.until('listens', () => program.stdout.includes('listens'));
      const answer = textFrom(`http://localhost:${await project.port}/`).catch(() => 'cut off');
      await program.until('asked', () => program.stdout.includes('asked'));
      program.kill('SIGTERM');
      expect(await answer).toBe(name === 'with_signal_exit.mjs' ? 'cut off' : 'hello\n');
      expect(await program.end()).toMatchObject(
        endsBySignal.includes(name) ? deathBy('SIGTERM') : { code: 0, signal: null, stderr: '' },
      );
    },
  );
});

async function textFrom(url: string): Promise<string> {
  return (await fetch(url)).text();
}

/** Whether it is to stay alive until it gets a signal. */
function isDaemon({ code }: CodeBlock): boolean {
  const ends = /await [\w.]+\.shutDown\(|\.stop\(|asyncDispose|await using/;
  return /new SignalHandler1\(|\.listen\(/.test(code) && !ends.test(code);
}

const siblings = (block: CodeBlock): CodeBlock[] =>
  named.filter((other) => other.file === block.file && other.name !== block.name);

const signalsItself = ({ code }: CodeBlock): boolean => code.includes('process.kill(process.pid');

/** The daemon in the same document that holds a PID file which is named here. */
function daemonFor({ file, code }: CodeBlock): CodeBlock | undefined {
  const pidFiles = code.match(/[\w-]+\.pid\b/g) ?? [];
  const holders = named.filter(
    (other) =>
      other.file === file &&
      isDaemon(other) &&
      pidFiles.some((pidFile) => other.code.includes(`'${pidFile}'`)),
  );
  return holders.find(isGraceful) ?? holders[0];
}

/** Whether it has a handler of its own for SIGTERM. */
const isGraceful = ({ code }: CodeBlock): boolean => /\b(?:shutdown|sigterm)\b/.test(code);

/** Pastes a program, with what it imports and the other programs that it names. */
async function paste(project: EmptyProject, block: CodeBlock): Promise<CodeBlock[]> {
  const beside = siblings(block).filter(({ name = '' }) => isNamed(name, block.code));
  for (const each of [...beside, block]) {
    await project.paste(each);
    const imported = each.code.matchAll(
      /(?:from |require\(|import )'((?:@[^/']+\/)?[^./'][^/']*)/g,
    );
    for (const [, name = ''] of imported) {
      if (name === 'daemoniker' || name.startsWith('node:') || builtinModules.includes(name))
        continue;
      project.install(name);
    }
  }
  return beside;
}

const isNamed = (name: string, code: string): boolean =>
  new RegExp(`(?<![\\w.-])${name.replaceAll('.', '\\.')}\\b`).test(code);

async function runProgram(block: CodeBlock): Promise<void> {
  const project = emptyProject();
  const beside = await paste(project, block);
  if (/\.test\.\w+$/.test(block.name ?? '')) return runTest(project, block);

  let daemon: Program | undefined;
  const isAlone = isDaemon(block) || beside.length > 0 || block.code.includes('.acquire(');
  const holder = isAlone ? undefined : daemonFor(block);
  if (holder !== undefined) {
    await paste(project, holder);
    daemon = project.run(holder.name as string);
    await daemon.stays();
  }

  // A command in the first line is how it is run.
  const [, command] = /^.*: node (.*)/.exec(block.code) ?? [];
  const program = project.run(...(command?.split(' ') ?? [block.name as string]));
  const isAsked = (isDaemon(block) && !signalsItself(block)) || command !== undefined;
  const agent = new Agent({ keepAlive: true });
  if (isAsked) {
    await program.stays();
    if (block.code.includes('8080')) await answers(await project.port, agent, program);
    for (const signal of signalsOf(block)) program.kill(signal);
  }
  const ending = await program.end();
  agent.destroy();

  checkPrinted(block, program.printed);
  checkEnding(block, program, ending);
  if (daemon !== undefined && holder !== undefined) {
    // Not twice: a second signal would end it while it exits.
    if (!/\b(?:send|terminate)\(/.test(block.code)) daemon.kill('SIGTERM');
    checkEnding(holder, daemon, await daemon.end());
  }
  // What it has started in the background ends as it should, too.
  for (const path of project.pidFiles()) {
    expect(await terminate(path)).toMatchObject({ outcome: 'exited' });
  }
  expect(project.pidFiles()).toEqual([]);
}

function checkEnding(block: CodeBlock, program: Program, ending: Ending): void {
  expect(program.unexpected(ending)).toMatch(outputOf(block));
  const endings: Pick<Ending, 'code' | 'signal'>[] = [{ code: 0, signal: null }];
  if (!isGraceful(block) || signalsItself(block)) endings.push(deathBy('SIGTERM'));
  if (!/\b(?:shutdown|sigint)\b/.test(block.code)) endings.push(deathBy('SIGINT'));
  expect(endings).toContainEqual({ code: ending.code, signal: ending.signal });
}

/** All signals that it has a handler for, the one that ends it last. */
function signalsOf({ code }: CodeBlock): NodeJS.Signals[] {
  const others = code.match(/\b(?:SIGHUP|SIGUSR[12]|SIGWINCH|sigabrt)\b(?=['"]?\s*[:,(])/g) ?? [];
  const last = code.includes('// SIGINT received') ? 'SIGINT' : 'SIGTERM';
  return [...others.map((name) => name.toUpperCase() as NodeJS.Signals), last];
}

/** Asks a server until it has answered, whatever that is (there is no database); keeps the connection. */
async function answers(port: number, agent: Agent, program: Program): Promise<void> {
  const ask = (): Promise<boolean> =>
    new Promise((resolve) => {
      get({ port, agent, timeout: 1000 }, (response) => {
        response.resume().on('end', () => resolve(true));
      })
        .on('timeout', () => resolve(true)) // a server that answers nobody
        .on('error', () => resolve(false));
    });
  while (!(await ask())) {
    const { exitCode, signalCode } = program.child;
    if (exitCode !== null || signalCode !== null) throw new Error(`it ended: ${program.stderr}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A test is run by Jest, with its own flag for ES modules: https://jestjs.io/docs/ecmascript-modules */
async function runTest(project: EmptyProject, { name = '' }: CodeBlock): Promise<void> {
  const jest = join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js');
  const command = [process.execPath, '--experimental-vm-modules', jest, name];
  const { code, stderr } = await new Fixture(command, { cwd: project.directory }).end();
  expect(stderr).toMatch(/^Tests: +\d+ passed, \d+ total$/m);
  expect(code).toBe(0);
}

/** What was printed is what the comments behind it say. */
function checkPrinted({ name, code }: CodeBlock, printed: readonly Printed[]): void {
  const lines = code.split('\n');
  for (const [index, line] of lines.entries()) {
    const [, method, comment] = /console\.(\w+)\(.*\);? \/\/ (.*)$/.exec(line) ?? [];
    if (comment === undefined) continue;
    const texts = printed
      .filter((one) => one.file === name && one.line === index + 1)
      .map(({ text }) => text);
    if (method !== 'error' && texts.length === 0) throw new Error(`it has not printed: ${comment}`);
    for (const text of texts) expect(text.replaceAll("'", '')).toMatch(statedBy(comment));
  }
}

/** Behind a semicolon is an explanation; several strings are those that are possible. */
function statedBy(comment: string): RegExp {
  const [stated = ''] = comment.split('; ');
  const possible = /^'[^']*'(?:(?:, | or |, or )'[^']*')+$/.test(stated)
    ? stated.split(/, or |, | or /)
    : [stated];
  return new RegExp(`^(?:${possible.map((one) => general(one.replaceAll("'", ''))).join('|')})$`);
}

/** The same output from other processes, at other times and places, by other users. */
function general(output: string): string {
  return output
    .replaceAll(/[\\^$*+?.()|[\]{}]/g, '\\$&')
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`)
    .replaceAll(/\/srv\//g, '.*/')
    .replaceAll(/\b(pid:?|process) \d+/g, String.raw`$1 \d+`)
    .replaceAll(/(\\d\+ \\\()[\w-]+(?=\\\))/g, '$1.+') // the command of a sender
    .replaceAll(/, by \w+,/g, ', by .+,')
    .replaceAll(/( \\\(exit code \d+\\\))/g, '(?:$1)?') // which not every system tells
    .replaceAll(/(node:[\w/]+):\d+:\d+/g, String.raw`$1:\d+:\d+`)
    .replaceAll(/\d[\d.\\]*(?= m?s\b)/g, String.raw`[\d.]+`)
    .replaceAll(/(?<![\d:-])\d{4,}(?![\d:-])/g, String.raw`\d+`);
}

/** What stands below a program under the same heading is what it writes to stderr. */
function outputOf(block: CodeBlock): RegExp {
  const next = blocks[blocks.indexOf(block) + 1];
  const isOutput =
    next !== undefined &&
    ['', 'text'].includes(next.language) &&
    next.file === block.file &&
    next.heading === block.heading;
  return new RegExp(isOutput ? `^${general(next.code)}\n$` : '^$');
}

/** Runs the commands, with the daemon that they are about; what is shown as their output is compared. */
async function runSession(block: CodeBlock): Promise<{ stdout: string }> {
  const project = emptyProject();
  for (const sibling of siblings(block)) {
    if (isNamed(sibling.name as string, block.code)) await paste(project, sibling);
  }
  const isShown = /^\$ /m.test(block.code);
  const steps = isShown
    ? block.code.split(/^\$ /m).slice(1)
    : block.code.split('\n').filter((line) => /\bdaemoniker /.test(line));
  const env = {
    ...process.env,
    PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
    npm_config_offline: 'true',
    npm_config_update_notifier: 'false',
  };
  // Not by `project.run()`: command lines are shown.
  const pidFile = join(project.directory, /[\w-]+\.pid\b/.exec(block.code)?.[0] ?? '');
  const daemons: Fixture[] = [];
  const startDaemon = async (name: string): Promise<void> => {
    const daemon = new Fixture(['node', fileToRun(name)], { cwd: project.directory, env });
    daemons.push(daemon);
    const early = daemon.ended.then(({ stderr }) => {
      throw new Error(`it does not stay alive: ${stderr}`);
    });
    await Promise.race([eventually('it is running', () => ping(pidFile)), early]);
  };
  if (!/^\$ node|daemoniker start/m.test(block.code)) {
    const holder = daemonFor(block);
    if (holder?.name === undefined) throw new Error('no program there holds the PID file');
    await paste(project, holder);
    await startDaemon(holder.name);
  }
  let stdout = '';
  for (const step of steps) {
    const [line = '', ...output] = step.trimEnd().split('\n');
    const [, background] = /^node (.*) &$/.exec(line) ?? [];
    if (background !== undefined) {
      await startDaemon(background);
      continue;
    }
    const shell = new Fixture(['sh', '-c', `{ ${line}\n} 2>&1`], { cwd: project.directory, env });
    const { code } = await shell.end();
    stdout = shell.stdout;
    const shown = settled(output.join('\n'));
    if (isShown) expect(settled(stdout)).toMatch(new RegExp(`^${general(shown)}$`));
    // That of `status` says what is shown.
    if (!line.includes(' status '))
      expect({ line, stdout, code }).toEqual({ line, stdout, code: 0 });
  }
  for (const daemon of daemons) {
    if (!/daemoniker (?:send|stop) /.test(block.code)) daemon.kill('SIGTERM');
    expect(await daemon.end()).toMatchObject({ code: 0, stderr: '' });
  }
  for (const path of project.pidFiles()) {
    expect(await terminate(path)).toMatchObject({ outcome: 'exited' });
  }
  return { stdout };
}

/** Without what depends on how long something took. */
function settled(output: string): string {
  return output.replaceAll(/^.*: waiting for .* left\)\n/gm, '').trimEnd();
}
