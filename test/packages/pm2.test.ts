// What pm2 sees of a program that it stops or reloads, in its own words.
import { readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { ping } from '../../';
import { directory, pidFile } from '../support/each_test';
import { removeDirectory, temporaryDirectory } from '../support/directory';
import { Fixture, type Said } from '../support/fixture';
import { freePort } from '../support/free_port';
import { codeBlocks } from '../support/markdown';
import { eventually, isAlive } from '../support/processes';
import { command, write } from './project';

/** What `pm2 jlist` says about a program. */
interface App {
  readonly pid: number;
  readonly pm2_env: {
    readonly status: string;
    readonly exit_code?: number;
    readonly restart_time: number;
    readonly exec_mode: string;
  };
}

// One daemon of pm2 for all tests, and none that belongs to the machine.
let home: string;
beforeAll(() => {
  home = temporaryDirectory();
});
afterEach(async () => {
  await pm2('delete', 'all').catch(() => undefined); // there may be none
});
afterAll(async () => {
  const daemon = Number(readFileSync(join(home, 'pm2.pid'), 'utf8'));
  await pm2('kill');
  await eventually("the end of pm2's daemon", () => !isAlive(daemon));
  removeDirectory(home);
});

async function pm2(...args: readonly string[]): Promise<string> {
  const program = new Fixture([...command('pm2'), ...args], {
    env: {
      ...process.env,
      PM2_HOME: home,
      PM2_DISCRETE_MODE: 'true', // no advertisement
      PM2_DISABLE_VERSION_CHECK: 'true', // it would ask a server
    },
  });
  const { code, stdout, stderr } = await program.end();
  if (code !== 0) throw new Error(`pm2 ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

async function app(): Promise<App> {
  const list = /^\[.*\]$/m.exec(await pm2('jlist'))?.[0] ?? '[]';
  const [only] = JSON.parse(list) as App[];
  if (only === undefined) throw new Error('pm2 knows no program');
  return only;
}

/** What the programs of a test have written, all into one file. */
function said(): Said[] {
  return readFileSync(join(directory, 'said'), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Said);
}

const events = (): string[] => said().map(({ event }) => event);

/** A program that says when it exits, and what it has to say, into that file: pm2 has its output. */
function writeProgram(name: string, code: string): string {
  writeFileSync(join(directory, 'said'), '');
  return write(
    name,
    `import { appendFileSync } from 'node:fs';
    const say = (event, details) => appendFileSync(
      ${JSON.stringify(join(directory, 'said'))},
      JSON.stringify({ event, pid: process.pid, ...details }) + '\\n');
    process.on('exit', (code) => say('exits', { code }));
    ${code}`,
  );
}

const daemon = (options: string): string =>
  writeProgram(
    'daemon.mjs',
    `import { SignalHandler1 } from 'daemoniker';
    const handler = new SignalHandler1(${JSON.stringify(pidFile)}, ${options}).start();
    handler.onShutdown('slow', async (reason) => {
      say('begins', { signal: reason.name });
      await new Promise((resolve) => setTimeout(resolve, 300));
      say('done');
    });
    setTimeout(() => process.exit(9), 120_000);
    say('ready');`,
  );

const start = (program: string, ...flags: readonly string[]): Promise<string> =>
  // Its own default for a stop is 1.6 s, which a busy machine may need for other things.
  pm2('start', program, '--name', 'app', '--cwd', directory, '--kill-timeout', '30000', ...flags);

const MODES = [
  ['fork_mode', []],
  ['cluster_mode', ['-i', '1']],
] as const;

/** Starts a daemon and has pm2 stop it; what pm2 then says of it, and its file of errors. */
async function startAndStop(mode: string, flags: readonly string[], options: string) {
  const errors = join(directory, 'errors');
  await start(daemon(options), '--error', errors, '--merge-logs', ...flags);
  await eventually('it is ready', () => events().includes('ready'));
  await pm2('stop', 'app');
  const { pm2_env } = await app();
  expect(pm2_env.exec_mode).toBe(mode);
  const { status, exit_code, restart_time } = pm2_env;
  return { status, exit_code, restart_time, errors: readFileSync(errors, 'utf8') };
}

describe.each(MODES)('pm2 stop, %s', (mode, flags) => {
  test('with `shutdown` is one shutdown, to its end, and exit code 0', async () => {
    const stopped = await startAndStop(mode, flags, '{ shutdown: true }');
    expect(stopped).toEqual({ status: 'stopped', exit_code: 0, restart_time: 0, errors: '' });
    expect(said().slice(1)).toMatchObject([
      { event: 'begins', signal: 'SIGINT' },
      { event: 'done' },
      { event: 'exits', code: 0 },
    ]);
  });

  test('with a shutdown that is late is exit code 124', async () => {
    const { status, exit_code } = await startAndStop(mode, flags, '{ shutdown: 100 }');
    expect({ status, exit_code }).toEqual({ status: 'stopped', exit_code: 124 });
  });

  test('with the default handler is a crash report in the file of errors', async () => {
    const { errors, exit_code, status } = await startAndStop(mode, flags, '{}');
    expect(errors).toMatch(/SIGINT: SIGINT received from pid \d+ \(PM2 /);
    // In cluster mode pm2's own listener of uncaught exceptions hides the failure from pm2.
    expect({ exit_code, status }).toEqual({
      exit_code: mode === 'fork_mode' ? 1 : 0,
      status: 'stopped',
    });
    expect(events()).toEqual(['ready', 'exits']);
  });
});

describe('pm2 reload, cluster mode', () => {
  const ROUNDS = 5;
  const block = codeBlocks('docs/operating.md').find(({ code }) => code.includes('// server.mjs'));

  test('of the server in docs/operating.md loses no request, and one daemon has the PID file', async () => {
    const port = await freePort();
    const code = (block?.code ?? '').replace('8080', String(port));
    await start(writeProgram('server.mjs', `${code}\nsay('holds');`), '-i', '1');
    await eventually('it holds the PID file', () => events().includes('holds'));

    const clients = new Clients(port);
    for (let round = 1; round <= ROUNDS; round++) {
      await clients.answered(100);
      await pm2('reload', 'app');
      await eventually(
        'the next one holds the PID file',
        () => events().filter((event) => event === 'holds').length > round,
      );
    }
    await clients.answered(100);
    expect(await clients.end()).toEqual([]);

    const { pid, pm2_env } = await app();
    expect(pm2_env.status).toBe('online');
    const file = join(directory, 'server-0.pid');
    expect(ping(file)).toBe(true);
    expect(Number(readFileSync(file, 'utf8'))).toBe(pid);
    // Each one begins to hold it when the one before has exited.
    const holders = said().filter(({ event }) => event === 'holds');
    expect(holders[ROUNDS]).toMatchObject({ pid });
    expect(said()).toEqual([
      ...holders
        .slice(0, ROUNDS)
        .flatMap((holds) => [holds, { event: 'exits', pid: holds['pid'], code: 0 }]),
      holders[ROUNDS],
    ]);
  });

  test('without `wait` ends with a server that has no PID file', async () => {
    const port = await freePort();
    const code = (block?.code ?? '')
      .replace('8080', String(port))
      .replace('await handler.start({ wait: 10_000 })', 'handler.start()');
    const errors = join(directory, 'errors');
    const program = writeProgram('server.mjs', `${code}\nsay('holds');`);
    await start(program, '-i', '1', '--error', errors, '--merge-logs');
    await eventually('it holds the PID file', () => events().includes('holds'));
    await pm2('reload', 'app');
    await eventually('the old one has exited', () => events().includes('exits'));
    expect(readFileSync(errors, 'utf8')).toContain('the daemon is already running');
    expect((await app()).pm2_env.status).toBe('online');
    expect(ping(join(directory, 'server-0.pid'))).toBe(false);
  });
});

/** Some clients, each with one request after the other, on a connection of its own. */
class Clients {
  readonly #failures: string[] = [];
  readonly #running: Promise<void>[];
  #answers = 0;
  #over = false;

  constructor(port: number) {
    this.#running = Array.from({ length: 4 }, async () => {
      while (!this.#over) await this.#ask(port);
    });
  }

  async answered(more: number): Promise<void> {
    const enough = this.#answers + more;
    await eventually(`${more} answers`, () => this.#answers >= enough);
  }

  /** Why requests have failed. */
  async end(): Promise<string[]> {
    this.#over = true;
    await Promise.all(this.#running);
    return this.#failures;
  }

  #ask(port: number): Promise<void> {
    return new Promise((resolve) => {
      const fail = (error: Error): void => {
        this.#failures.push(error.message);
        resolve();
      };
      const request = get({ port, agent: false, timeout: 20_000 }, (response) => {
        if (response.statusCode === 200) this.#answers += 1;
        else this.#failures.push(`status ${response.statusCode}`);
        response.resume().on('end', resolve).on('error', fail);
      });
      request.on('timeout', () => request.destroy(new Error('no answer'))).on('error', fail);
    });
  }
}
