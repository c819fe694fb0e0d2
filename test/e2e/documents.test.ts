// Programs from the documents, as a new user would copy them.
import { mkdirSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as timePasses } from 'node:timers/promises';
import { SIGTERM, ping, send, terminate } from '../..';
import { removeDirectory, temporaryDirectory } from '../support/directory';
import { deathBy } from '../support/endings';
import { Fixture, endAll } from '../support/fixture';
import { freePort } from '../support/free_port';
import { onNode, onNodeOnUnix } from '../support/platform';
import { codeBlocks, type CodeBlock } from '../support/markdown';
import { eventually } from '../support/processes';
import { ROOT, RUNTIME, VERSION } from '../support/runtime';

// Below the root, so that `daemoniker` is this package, as it is in a project that installed it.
const project = join(ROOT, 'build', 'test', `documents-${process.pid}`);
let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
  mkdirSync(project, { recursive: true });
});
afterEach(async () => {
  await endAll();
  removeDirectory(directory);
  removeDirectory(project);
});

function block(file: string, says: string): CodeBlock {
  const found = codeBlocks(file).find(({ code }) => code.includes(says));
  if (found === undefined) throw new Error(`no code in ${file} says ${says}`);
  return found;
}

/** Writes a program of a document into a project that can load the package; its path. */
function write(name: string, { code }: Pick<CodeBlock, 'code'>): string {
  const path = join(project, name);
  writeFileSync(path, code);
  return path;
}

/** Not by fetch(), which cannot connect under Wine. */
function textFrom(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, (response) => void text(response).then(resolve, reject)).on('error', reject);
  });
}

describe('the HTTP server in the README', () => {
  /** Starts it, and asks it something that it answers with this code. */
  async function asked(answer: string, limit = '10_000'): Promise<[Fixture, Promise<string>]> {
    const port = await freePort();
    const code = block('README.md', "from 'node:http'")
      .code.replace('8080', `${port}, () => console.log('listens')`)
      .replace("response.end('hello\\n')", `{ console.log('asked'); ${answer} }`)
      .replace('10_000', limit);
    const server = new Fixture([...RUNTIME, write('server.mjs', { code })], { cwd: directory });
    await server.until('listens', () => server.stdout.includes('listens'));
    const text = textFrom(`http://localhost:${port}/`).catch(() => 'cut off');
    await Promise.race([text, server.until('asked', () => server.stdout.includes('asked'))]);
    return [server, text];
  }
  const WHEN_TOLD = "process.stdin.once('data', () => response.end('hello\\n'));";
  const received = (server: Fixture): Promise<void> =>
    server.until('the shutdown', () => server.stdout.includes('received'));

  test('answers what it was asked, then ends, when send() asks it to', async () => {
    const [server, answer] = await asked(WHEN_TOLD);
    send(join(directory, 'server.pid'), SIGTERM);
    await received(server);
    server.tell('');
    expect(await answer).toBe('hello\n');
    expect(await server.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(server.stdout).toContain(`SIGTERM received from pid ${process.pid}`);
  });

  test('does so, too, when it is asked twice', async () => {
    const [server, answer] = await asked(WHEN_TOLD);
    for (const name of ['SIGTERM', 'SIGINT'] as const) {
      server.kill(name);
      await received(server);
    }
    server.tell('');
    expect(await answer).toBe('hello\n');
    expect(await server.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(server.stdout.match(/received/g)).toHaveLength(1);
  });

  test('ends with 124 and says why when a request hangs', async () => {
    const [server, answer] = await asked('', '1000');
    server.kill('SIGTERM');
    expect(await server.end()).toMatchObject({ code: 124, signal: null });
    expect(server.stderr).toMatch(
      /^daemoniker: shutdown took longer than 1 s; still running: http \(/,
    );
    expect(await answer).toBe('cut off');
  });

  test('ends at a second Ctrl-C when a request hangs', async () => {
    const [server] = await asked('');
    server.interrupt();
    await received(server);
    await timePasses(600); // what the test is about: an impatient user
    server.interrupt();
    expect(await server.end()).toMatchObject(deathBy('SIGINT'));
    expect(server.stderr).toContain('SIGINT came again during the shutdown; still running: http');
  });
});

test('watch.js in docs/operating.md tells what happens in daemon.js', async () => {
  const daemonFile = write('daemon.cjs', block('docs/operating.md', '// daemon.js'));
  const watchFile = write('watch.cjs', block('docs/operating.md', '// watch.js'));
  const both = write('both.cjs', {
    code: `require(${JSON.stringify(watchFile)}); require(${JSON.stringify(daemonFile)});`,
  });
  const daemon = new Fixture([...RUNTIME, both], { cwd: directory });
  const pidFile = join(directory, 'my.pid');
  await eventually('it runs', () => ping(pidFile));
  expect(await terminate(pidFile)).toMatchObject({ outcome: 'exited' });
  const { code, stderr } = await daemon.end();
  expect(code).toBe(0);
  expect(stderr).toMatch(/^SIGTERM received from pid \d+ .*\nhandled in [\d.]+ ms/);
});

onNode('docs/recipes.md', () => {
  // Fastify needs Node.js 20.
  const isOld = Number(VERSION.split('.')[0]) < 20;
  const recipes = codeBlocks('docs/recipes.md').filter(
    ({ language, code }) => language === 'js' && !(isOld && code.includes('fastify')),
  );
  const names = recipes.map(({ code }) => /^\/\/ (\w+\.mjs)$/m.exec(code)?.[1] ?? 'unnamed');

  test.each(names)(
    '%s stays alive, and ends at SIGTERM with a connection kept alive',
    async (name) => {
      const port = await freePort();
      const { code } = recipes[names.indexOf(name)] as CodeBlock;
      const path = write(name, { code: code.replaceAll('8080', String(port)) });
      const program = new Fixture([...RUNTIME, path], { cwd: directory });
      const agent = new Agent({ keepAlive: true });
      const ask = (): Promise<number | undefined> =>
        new Promise((resolve, reject) => {
          get({ port, path: '/', agent, timeout: 1000 }, (response) => {
            response.resume().on('end', () => resolve(response.statusCode));
          })
            .on('timeout', () => resolve(undefined)) // nobody answers plain HTTP there
            .on('error', reject);
        });
      // Whatever it answers: there is no database.
      const early = program.ended.then(({ stderr }) => Promise.reject(new Error(stderr)));
      early.catch(() => undefined);
      for (let answered = false; !answered;) {
        const answer = ask().then(
          () => true,
          () => false,
        );
        answered = await Promise.race([answer, early]);
      }
      program.kill('SIGTERM');
      expect(await program.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
      agent.destroy();
    },
  );
});

// On Windows the others know Ctrl-C only, and send() just ends them.
onNodeOnUnix('docs/other-packages.md', () => {
  const programs = codeBlocks('docs/other-packages.md');
  const endsBySignal = ['with_terminus.mjs', 'with_signal_exit.mjs'];
  const names = programs.map(({ code }) => /^\/\/ (\w+\.mjs)$/m.exec(code)?.[1] ?? 'unnamed');

  test.each(names)('%s does at SIGTERM what is said about it', async (name) => {
    const port = await freePort();
    const code = (programs[names.indexOf(name)] as CodeBlock).code
      .replace('8080', `${port}, () => console.log('listens')`)
      .replace("response.end('hello\\n')", "{ console.log('asked'); setTimeout(() => $&, 300); }");
    const program = new Fixture([...RUNTIME, write(name, { code })], { cwd: directory });
    await program.until('listens', () => program.stdout.includes('listens'));
    const answer = textFrom(`http://localhost:${port}/`).catch(() => 'cut off');
    await program.until('asked', () => program.stdout.includes('asked'));
    program.kill('SIGTERM');
    const cutsOff = name === 'with_signal_exit.mjs';
    expect(await answer).toBe(cutsOff ? 'cut off' : 'hello\n');
    expect(await program.end()).toMatchObject(
      endsBySignal.includes(name) ? deathBy('SIGTERM') : { code: 0, signal: null, stderr: '' },
    );
  });
});
