// What the documents say about two of their programs, on every runtime. All of them are run, once, by
// test/docs/programs.test.ts.
import { mkdirSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { get } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as timePasses } from 'node:timers/promises';
import { SIGTERM, send } from '../../';
import { removeDirectory, temporaryDirectory } from '../support/directory';
import { deathBy } from '../support/endings';
import { Fixture, endAll } from '../support/fixture';
import { freePort } from '../support/free_port';
import { onNode } from '../support/platform';
import { codeBlocks } from '../support/markdown';
import { ROOT, RUNTIME } from '../support/runtime';

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

/** Writes the program in a document that says this, with changes, into the project; its path. */
function write(file: string, says: string, change: (code: string) => string): string {
  const block = codeBlocks(file).find(({ code }) => code.includes(says));
  if (block === undefined) throw new Error(`no code in ${file} says ${says}`);
  const path = join(project, 'program.mjs');
  writeFileSync(path, change(block.code));
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
  async function asked(
    answer: string,
    limit = '10_000',
  ): Promise<[Fixture, Promise<string>, number]> {
    const port = await freePort();
    const path = write('README.md', "from 'node:http'", (code) =>
      code
        .replace('8080', `${port}, () => console.log('listens')`)
        .replace("response.end('hello\\n')", `{ console.log('asked'); ${answer} }`)
        .replace('10_000', limit),
    );
    const server = new Fixture([...RUNTIME, path], { cwd: directory });
    await server.until('listens', () => server.stdout.includes('listens'));
    const text = textFrom(`http://localhost:${port}/`).catch(() => 'cut off');
    await Promise.race([text, server.until('asked', () => server.stdout.includes('asked'))]);
    return [server, text, port];
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

  test('ends, too, while a client is connected that has sent nothing', async () => {
    const [server, , port] = await asked('response.end()');
    const client = connect(port).on('error', () => undefined);
    await once(client, 'connect');
    // Accepted in this order.
    await textFrom(`http://localhost:${port}/`);
    server.kill('SIGTERM');
    expect(await server.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
    client.destroy();
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

onNode('the server for Kubernetes in docs/recipes.md', () => {
  test('still answers after SIGTERM, and that it is not ready, before it exits', async () => {
    const port = await freePort();
    const path = write('docs/recipes.md', '// pod.mjs', (code) =>
      code
        .replace('8080', `${port}, () => console.log('listens')`)
        .replace(
          'await sleep(5000)',
          "await new Promise((end) => process.stdin.once('data', end))",
        ),
    );
    const server = new Fixture([...RUNTIME, path], { cwd: directory });
    const status = (url: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        get({ port, path: url, agent: false }, (response) => {
          response.resume().on('end', () => resolve(response.statusCode));
        }).on('error', reject);
      });
    await server.until('listens', () => server.stdout.includes('listens'));
    expect(await status('/ready')).toBe(200);
    server.kill('SIGTERM');
    while ((await status('/ready')) !== 503) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(await status('/')).toBe(200);
    server.tell('');
    expect(await server.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
  });
});
