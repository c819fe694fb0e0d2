// The examples do what examples/README.md says.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import autocannon from 'autocannon';
import { SIGTERM, send, terminate } from '../../';
import { removeDirectory, temporaryDirectory } from '../support/directory';
import { Fixture, endAll } from '../support/fixture';
import { onNode, onNodeOnUnix, withCommand, withTools } from '../support/platform';
import { eventually, startProgram } from '../support/processes';
import { ROOT, RUNTIME } from '../support/runtime';

const EXAMPLES = join(ROOT, 'examples');
const runs = (script: string, ...args: string[]): string[] => [
  ...RUNTIME,
  join(EXAMPLES, script),
  ...args,
];

let directory: string;
let pidFile: string;
beforeEach(() => {
  directory = temporaryDirectory();
  pidFile = join(directory, 'my.pid');
});
afterEach(async () => {
  await endAll();
  removeDirectory(directory);
});

onNodeOnUnix('http-server', () => {
  const port = (server: Fixture): number => Number(/port (\d+)/.exec(server.stdout)?.[1]);
  const listening = (server: Fixture): number => server.stdout.match(/listens/g)?.length ?? 0;

  test('loses no request under load while both of its processes are restarted by SIGTERM', async () => {
    const server = new Fixture(runs('http-server/cluster.mjs', directory, '0'));
    await server.until('both listen', () => listening(server) === 2);
    let load!: autocannon.Instance;
    const report = new Promise<autocannon.Result>((resolve, reject) => {
      load = autocannon(
        {
          url: `http://localhost:${port(server)}`,
          connections: 20,
          duration: 600, // until it is stopped
        },
        (error: Error | null, result) => (error === null ? resolve(result) : reject(error)),
      );
    });
    let answers = 0;
    load.on('response', () => answers++);
    const isLoaded = async (): Promise<void> => {
      const enough = answers + 200;
      await eventually('answers', () => answers >= enough);
    };

    try {
      for (const [index, name] of ['server-1.pid', 'server-2.pid'].entries()) {
        await isLoaded();
        const ended = await terminate(join(directory, name), { timeout: 20_000 });
        expect(ended).toMatchObject({ outcome: 'exited' });
        await server.until('its successor listens', () => listening(server) === 3 + index);
      }
      await isLoaded();
    } finally {
      load.stop();
    }
    const { errors, timeouts, non2xx, mismatches, ...rest } = await report;
    expect({ errors, timeouts, non2xx, mismatches }).toEqual({
      errors: 0,
      timeouts: 0,
      non2xx: 0,
      mismatches: 0,
    });
    expect(rest['2xx']).toBeGreaterThanOrEqual(600);

    send(join(directory, 'cluster.pid'), SIGTERM);
    expect(await server.end()).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(directory)).toEqual([]);
  });

  test('ends, too, when it is stopped while one of its processes is being restarted', async () => {
    // So that the successor of the first one has no handler yet when the cluster is stopped.
    const slowStart = join(directory, 'slow-start.cjs');
    writeFileSync(
      slowStart,
      `console.log('begins'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);`,
    );
    const server = new Fixture(runs('http-server/cluster.mjs', directory, '0'), {
      env: { ...process.env, NODE_OPTIONS: `--require ${JSON.stringify(slowStart)}` },
    });
    await server.until('both listen', () => listening(server) === 2);
    await terminate(join(directory, 'server-1.pid'), { timeout: 20_000 });
    await server.until('its successor begins', () => server.stdout.match(/begins/g)?.length === 4);
    send(join(directory, 'cluster.pid'), SIGTERM);
    expect(await server.end()).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(directory)).toEqual(['slow-start.cjs']);
  });

  test.each(['server.mjs', 'cluster.mjs'])(
    '%s exits with 1 when the port is in use',
    async (name) => {
      const other = new Fixture(runs('http-server/server.mjs', join(directory, 'other.pid'), '0'));
      await other.until('it listens', () => listening(other) === 1);
      const first = name === 'server.mjs' ? pidFile : directory;
      const server = new Fixture(runs(`http-server/${name}`, first, String(port(other))));
      const { code, stderr } = await server.end();
      expect(stderr).toContain('EADDRINUSE');
      expect(code).toBe(1);
      expect(readdirSync(directory)).toEqual(['other.pid']);
    },
  );
});

onNode('demo', () => {
  const demo = (folder: string): Fixture => new Fixture([...RUNTIME, join(folder, 'demo.mjs')]);

  test('shows what it says, and exits with 0', async () => {
    const { code, stdout, stderr } = await demo(join(EXAMPLES, 'demo')).end();
    expect({ stdout, stderr, code }).toMatchObject({ stderr: '', code: 0 });
    expect(stdout).not.toContain('\x1b');
    expect(stdout.match(/✓/g)).toHaveLength(6);
    expect(stdout).toContain(`still running: http (`);
    expect(stdout).toContain('it has not begun, because the event loop is blocked');
    expect(stdout).toMatch(/Everything was as it should be\.\n$/);
  });

  test('exits with 1 when one thing is not as it should be', async () => {
    // Below the root, so that `daemoniker` is this package.
    const copy = join(ROOT, 'build', 'test', `demo-${process.pid}`);
    cpSync(join(EXAMPLES, 'demo'), copy, { recursive: true });
    const blocked = join(copy, 'blocked.mjs');
    writeFileSync(blocked, readFileSync(blocked, 'utf8').replace('while (true);', ''));
    const { code, stdout } = await demo(copy).end();
    removeDirectory(copy);
    expect({ stdout, code }).toMatchObject({ code: 1 });
    expect(stdout.match(/✓/g)).toHaveLength(5);
    expect(stdout).toMatch(/✗ .*\n\nNot everything was as it should be/);
  });
});

test('worker-queue finishes the job it is at and leaves the rest for its next start', async () => {
  const [queue, done] = [join(directory, 'queue'), join(directory, 'done')];
  for (const path of [queue, done]) mkdirSync(path);
  // More than it can do before the signal has reached it.
  const jobs = Array.from({ length: 99 }, (_, index) => String(index + 100));
  for (const job of jobs) writeFileSync(join(queue, job), '');
  const worker = runs('worker-queue/worker.mjs', pidFile, queue, done);

  const first = await startProgram(worker, `begins ${jobs[0]}`);
  send(pidFile, SIGTERM);
  expect(await first.end()).toMatchObject({ code: 0, stderr: '' });
  const finished = first.stdout.match(/(?<=begins )\d+/g) ?? [];
  expect(first.stdout).toMatch(new RegExp(`has done ${finished.at(-1)}\\s+ended`));
  expect(readdirSync(done)).toEqual(finished);
  expect(readdirSync(queue)).toEqual(jobs.slice(finished.length));

  const second = await startProgram(worker, `has done ${jobs[finished.length]}`);
  send(pidFile, SIGTERM);
  expect(await second.end()).toMatchObject({ code: 0, stderr: '' });
});

describe('systemd', () => {
  withTools('systemd-analyze')('the unit', () => {
    test('is one that systemd accepts', () => {
      const unit = readFileSync(join(EXAMPLES, 'systemd', 'my-daemon.service'), 'utf8')
        // It checks that the program exists; node may be anywhere.
        .replace('/usr/bin/node', '/bin/sh');
      const file = join(directory, 'my-daemon.service');
      writeFileSync(file, unit);
      const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], {
        encoding: 'utf8',
      });
      expect(stderr.split('\n').filter((line) => line.includes('my-daemon'))).toEqual([]);
      expect(status).toBe(0);
    });
  });

  withTools('python3')('the daemon', () => {
    test('says when it is ready and when it ends', async () => {
      // Not a file: where the temporary directory is far down, its path would be too long for a socket.
      const socket = `@daemoniker-test-${process.pid}`;
      const systemd = await startProgram(
        [
          'python3',
          '-uc',
          `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1].replace("@", "\\0")); print("bound")
while True: print(s.recv(4096).decode())`,
          socket,
        ],
        'bound',
      );
      const daemon = new Fixture(runs('systemd/daemon.mjs', pidFile), {
        env: { ...process.env, NOTIFY_SOCKET: socket, PORT: '0' },
      });
      await systemd.until('ready', () => systemd.stdout.includes('READY=1'));
      daemon.kill('SIGTERM');
      await systemd.until('stopping', () => systemd.stdout.includes('STOPPING=1'));
      expect(await daemon.end()).toMatchObject({ code: 0, stderr: '' });
      expect(existsSync(pidFile)).toBe(false);
    });
  });
});

withCommand(
  'unshare',
  '--pid',
  '--fork',
  '--mount-proc',
  'true',
)('container', () => {
  test('what the Dockerfile starts is process 1 and is stopped by `docker stop`, at once', async () => {
    const dockerfile = readFileSync(join(EXAMPLES, 'container', 'Dockerfile'), 'utf8');
    const [command, ...args] = JSON.parse(/^CMD (.*)$/m.exec(dockerfile)?.[1] ?? '') as string[];
    expect(command).toBe('node');
    const container = await startProgram(
      ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child', ...RUNTIME, ...args],
      'running as process 1',
      { cwd: join(EXAMPLES, 'container') },
    );
    const [main] = readFileSync(
      `/proc/${container.pid}/task/${container.pid}/children`,
      'latin1',
    ).split(' ');
    process.kill(Number(main), 'SIGTERM');
    expect(await container.end()).toMatchObject({ code: 0, stderr: '' });
    expect(container.stdout).toContain('SIGTERM: closing');
  });
});

test('background: it outlives what started it and is stopped by `daemoniker stop`', async () => {
  const log = join(directory, 'my.log');
  const starter = new Fixture(runs('background/start.mjs', pidFile, log));
  expect(await starter.end()).toMatchObject({ code: 0, stderr: '' });
  expect(starter.stdout).toContain(`started process ${readFileSync(pidFile, 'utf8').trim()}`);

  const cli = join(ROOT, 'dist', 'cli.js');
  const daemoniker = (...args: string[]): Fixture => new Fixture([process.execPath, cli, ...args]);
  expect(await daemoniker('status', pidFile).end()).toMatchObject({ code: 0 });
  expect(await daemoniker('stop', pidFile).end()).toMatchObject({ code: 0 });
  expect(await daemoniker('status', pidFile).end()).toMatchObject({ code: 3 });
  expect(readFileSync(log, 'utf8')).toMatch(/^started\s+SIGTERM from .+: tidying up\s+$/);
});

describe('reload', () => {
  test('SIGHUP reads the configuration again, and a bad one is not taken', async () => {
    const config = join(directory, 'config.json');
    writeFileSync(config, '{"level":1}');
    const daemon = await startProgram(runs('reload/daemon.mjs', pidFile, config), 'running');
    for (const [text, said] of [
      ['{"level":2}', 'configuration: {"level":2}'],
      ['{', 'the old configuration stays'],
    ] as const) {
      writeFileSync(config, text);
      send(pidFile, 'SIGHUP');
      await daemon.until(said, () => daemon.stdout.includes(said));
    }
    send(pidFile, SIGTERM);
    expect(await daemon.end()).toMatchObject({ code: 0, stderr: '' });
  });
});

test('windows-service: as an ordinary program it saves its state, and goes on from there', async () => {
  const saved = join(directory, 'counter.txt');
  const written = (text: string) => (): boolean =>
    existsSync(join(directory, 'log.txt')) &&
    readFileSync(join(directory, 'log.txt'), 'utf8').includes(text);
  for (const from of ['from 0', 'from 41']) {
    const daemon = new Fixture(runs('windows-service/daemon.mjs', directory));
    await eventually(from, written(from));
    send(join(directory, 'my-daemon.pid'), SIGTERM);
    expect(await daemon.end()).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(saved, 'utf8')).toMatch(/^\d+$/);
    writeFileSync(saved, '41');
  }
});

test('one-of-two: of two daemons one runs, and the other says who does', async () => {
  const first = await startProgram(runs('one-of-two/daemon.mjs', pidFile), 'runs');
  const second = new Fixture(runs('one-of-two/daemon.mjs', pidFile));
  expect(await second.end()).toMatchObject({ code: 1, stderr: '' });
  expect(second.stdout).toBe(`process ${first.pid} is already running\n`);
  send(pidFile, SIGTERM);
  expect(await first.end()).toMatchObject({ code: 0, stderr: '' });
});
