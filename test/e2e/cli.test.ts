import { cpSync, existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { directory, pidFile } from '../support/each_test';
import { Fixture, start, type Ending } from '../support/fixture';
import { contentHeldBy } from '../support/pid_file';
import { onNodeOnLinux, withCommand } from '../support/platform';
import { ROOT, RUNTIME } from '../support/runtime';
import { commandLine } from '../support/shell';

const COMMAND = [...RUNTIME, join(ROOT, 'dist', 'cli.js')];

function daemoniker(...args: string[]): Promise<Ending> {
  return new Fixture([...COMMAND, ...args]).end();
}

async function daemon(settings: object = {}, path = pidFile): Promise<Fixture> {
  const fixture = start('daemon', [path, JSON.stringify(settings)]);
  await fixture.hears('ready');
  return fixture;
}

async function deadDaemon(): Promise<number> {
  const fixture = await daemon();
  fixture.child.kill('SIGKILL');
  await fixture.end();
  writeFileSync(pidFile, `${fixture.pid}\n`);
  return fixture.pid;
}

/** A live process whose number stands in a file that is older than it. */
async function innocent(settings: object = {}): Promise<Fixture> {
  const fixture = await daemon(settings, join(directory, 'other.pid'));
  writeFileSync(pidFile, `${fixture.pid}\n`);
  const longAgo = new Date(Date.now() - 3_600_000);
  utimesSync(pidFile, longAgo, longAgo);
  return fixture;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('usage', () => {
  test.each([[['--help']], [['help']], [['help', 'stop']]])(
    '%p tells it on stdout',
    async (args) => {
      const { code, stdout, stderr } = await daemoniker(...args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^Usage: daemoniker send <pid-file> \[signal\]/);
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    },
  );

  test('--version tells the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      version: string;
    };
    const { code, stdout } = await daemoniker('--version');
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${version}\n` });
  });

  test.each([
    [[]],
    [['frobnicate', 'x.pid']],
    [['toString', 'x.pid']],
    [['send']],
    [['stop', '']],
    [['send', 'x.pid', 'SIGNONE']],
    [['send', 'x.pid', '999']],
    [['send', 'x.pid', 'SIGTERM', 'more']],
    [['stop', 'x.pid', 'SIGTERM']],
    [['status', 'x.pid', '--kill']],
    [['stop', 'x.pid', '--timeout', 'soon']],
    [['stop', 'x.pid', '--timeout', '-1']],
    [['stop', 'x.pid', '--timeout']],
    [['stop', 'x.pid', '--wrong']],
  ])('wrong: %p', async (args) => {
    const { code, stdout, stderr } = await daemoniker(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^daemoniker: .+\n\nUsage: /);
  });

  test('a negative timeout is told as such, not as an option of its own', async () => {
    const { stderr } = await daemoniker('stop', 'x.pid', '--timeout', '-1');
    expect(stderr).toContain('daemoniker: --timeout takes seconds');
  });
});

describe('status, with the exit codes of the Linux Standard Base', () => {
  test('1: the daemon has left an empty file, because it might not delete it', async () => {
    writeFileSync(pidFile, '');
    expect(await daemoniker('status', pidFile)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('not running (the file is empty)') as string,
    });
  });

  test('0: running', async () => {
    const { pid } = await daemon();
    const { code, stdout, stderr } = await daemoniker('status', pidFile);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: `${pidFile}: running (process ${pid})\n`,
      stderr: '',
    });
  });

  test('1: its process is gone', async () => {
    const pid = await deadDaemon();
    const { code, stdout } = await daemoniker('status', pidFile);
    expect(code).toBe(1);
    expect(stdout).toBe(`${pidFile}: not running (process ${pid} is gone)\n`);
  });

  test('1: its number seems to belong to another process', async () => {
    const { pid } = await innocent();
    const { code, stdout } = await daemoniker('status', pidFile);
    expect(code).toBe(1);
    expect(stdout).toContain(`process ${pid} started after the file was written`);
  });

  test('3: no file', async () => {
    const { code, stdout } = await daemoniker('status', pidFile);
    expect({ code, stdout }).toEqual({
      code: 3,
      stdout: `${pidFile}: not running (no such file)\n`,
    });
  });

  test('4: unknown', async () => {
    writeFileSync(pidFile, 'nonsense');
    const { code, stdout } = await daemoniker('status', pidFile);
    expect(code).toBe(4);
    expect(stdout).toContain('is not a PID file');
  });

  test('as JSON', async () => {
    const { pid } = await daemon();
    const running = await daemoniker('status', pidFile, '--json');
    expect(JSON.parse(running.stdout)).toEqual({
      command: 'status',
      pidFile,
      status: 'running',
      pid,
      code: null,
      message: null,
    });
    const stopped = await daemoniker('status', `${pidFile}.none`, '--json');
    expect(JSON.parse(stopped.stdout)).toMatchObject({ status: 'stopped', code: 'ENOENT' });
    expect(stopped.code).toBe(3);
    writeFileSync(pidFile, 'not a number');
    const unknown = await daemoniker('status', pidFile, '--json');
    expect(JSON.parse(unknown.stdout)).toMatchObject({
      status: 'unknown',
      code: 'ERR_PID_FILE_INVALID',
      message: expect.stringContaining(pidFile) as string,
    });
  });
});

describe('what nobody foresaw', () => {
  /** The package without its addon. */
  function withoutAddon(): string {
    const copy = join(directory, 'copy');
    cpSync(join(ROOT, 'dist'), join(copy, 'dist'), { recursive: true });
    cpSync(join(ROOT, 'package.json'), join(copy, 'package.json'));
    const loader = 'node_modules/node-gyp-build';
    cpSync(join(ROOT, loader), join(copy, loader), { recursive: true });
    return join(copy, 'dist', 'cli.js');
  }

  test.each([
    ['status', 4],
    ['stop', 1],
  ])(
    'an addon that does not load: %s says so in one line and exits with %i',
    async (name, code) => {
      // Where node-gyp-build is told to look elsewhere, as for the sanitizers.
      const env = { ...process.env, DAEMONIKER_PREBUILD: '' };
      const command = new Fixture([...RUNTIME, withoutAddon(), name, pidFile], { env });
      const { stdout, stderr, ...ending } = await command.end();
      expect(ending).toMatchObject({ code });
      expect(stdout).toBe('');
      expect(stderr).toMatch(/^daemoniker: daemoniker has no prebuilt binary that loads on .*\n$/);
    },
  );

  onNodeOnLinux.test('a status that cannot be written is unknown, not dead', async () => {
    await daemon();
    const full = ['sh', '-c', 'exec "$@" >/dev/full', 'sh'];
    const { code, stderr } = await new Fixture([...full, ...COMMAND, 'status', pidFile]).end();
    expect(code).toBe(4);
    expect(stderr).toMatch(/^daemoniker: .*ENOSPC.*\n$/);
  });
});

describe('send', () => {
  test.each([
    [[], 'SIGTERM'],
    [['SIGINT'], 'SIGINT'],
    [['int'], 'SIGINT'],
    [['15'], 'SIGTERM'],
  ])('%p', async (args, name) => {
    const fixture = await daemon();
    const { code, stdout, stderr } = await daemoniker('send', pidFile, ...args);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: `${pidFile}: ${name} sent\n`,
      stderr: '',
    });
    expect(await fixture.hears('handled')).toMatchObject({ name });
  });

  test('to nobody is an error of one line', async () => {
    const pid = await deadDaemon();
    const { code, stdout, stderr } = await daemoniker('send', pidFile);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^daemoniker: .*Process ${pid} .*no such process.*\n$`));
  });

  test('an error as JSON', async () => {
    const { code, stdout, stderr } = await daemoniker('send', '--json', pidFile);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ command: 'send', error: { code: 'ENOENT' } });
  });

  test('never to an innocent', async () => {
    const fixture = await innocent();
    const { code, stderr } = await daemoniker('send', pidFile, 'SIGKILL');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^daemoniker: .*Nothing was signalled.*\n$/);
    fixture.tell('eval 1');
    await fixture.hears('value');
  });
});

test('nothing but a signal that is spelt right, and a clean PID file, leads to a signal', async () => {
  const victim = await daemon();
  const { pid } = victim;
  const noise = fc.constantFrom(
    ...[
      '-15',
      '+15',
      '015x',
      '15.0',
      '1e1',
      '0x0f',
      '-1',
      '99',
      'SIG',
      'SIGSIG',
      'SIGTERM ',
      '１５',
    ],
    ...['SIGTERM,SIGINT', 'TERM\n', '*', '--', '--signal=9', '-9', '-s', '-KILL', '--kill'],
  );
  const wrongContent = fc.constantFrom(
    `-${pid}`,
    `0${pid}`,
    `${pid} ${pid}`,
    `${pid}.0`,
    '0',
    '-1',
  );
  const wrongSignal = fc
    .tuple(fc.constantFrom('send', 'send', 'stop'), noise)
    .map(([command, word]) => ({ args: [command, pidFile, word], content: `${pid}` }));
  const wrongFile = fc
    .tuple(fc.constantFrom('send', 'stop'), wrongContent, fc.constantFrom([], ['--insecure']))
    .map(([command, content, flags]) => ({ args: [command, pidFile, ...flags], content }));
  const fixed = readFileSync(pidFile, 'utf8');
  await fc.assert(
    fc.asyncProperty(fc.oneof(wrongSignal, wrongFile), async ({ args, content }) => {
      // '--' and '--kill' alone are right where they stand.
      fc.pre(!['--'].includes(args[2] ?? '') && !(args[0] === 'stop' && args[2] === '--kill'));
      writeFileSync(pidFile, content);
      const { code } = await daemoniker(...args);
      expect({ args, code }).toEqual({ args, code: content === String(pid) ? 2 : 1 });
      expect(isAlive(pid)).toBe(true);
      expect(victim.stdout).not.toContain('handled');
    }),
    { numRuns: 40 },
  );
  writeFileSync(pidFile, fixed);
});

describe('stop', () => {
  test('waits until the daemon is gone', async () => {
    const fixture = await daemon({ sigterm: 'exit' });
    const { code, stdout } = await daemoniker('stop', pidFile);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `${pidFile}: process ${fixture.pid} has ended\n`,
    });
    expect(existsSync(pidFile)).toBe(false);
  });

  test('says that it is waiting, and that it was in vain', async () => {
    const { pid } = await daemon({ sigterm: 'ignore' });
    const { code, stdout, stderr } = await daemoniker('stop', pidFile, '--timeout', '1');
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: `${pidFile}: process ${pid} still runs after 1 s\n`,
      stderr: `${pidFile}: waiting for its process to end (1 s left)\n`,
    });
  });

  test('--kill', async () => {
    const fixture = await daemon({ sigterm: 'ignore' });
    const { code, stdout } = await daemoniker('stop', pidFile, '--timeout=0.1', '--kill');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `${pidFile}: process ${fixture.pid} did not end within 0.1 s and was killed\n`,
    });
    await fixture.end();
  });

  test('what does not run is stopped', async () => {
    const { code, stdout, stderr } = await daemoniker('stop', pidFile);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: `${pidFile}: not running (no such file)\n`,
      stderr: '',
    });
    const json = await daemoniker('stop', pidFile, '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({
      pid: null,
      outcome: 'not-running',
      code: 'ENOENT',
    });
  });

  test('a process that may be another one is left alone, and stop says why; --no-verify does not', async () => {
    const fixture = await innocent({ sigterm: 'exit' });
    const { code, stdout } = await daemoniker('stop', pidFile);
    expect(code).toBe(0);
    expect(stdout).toContain(`process ${fixture.pid} started after the file was written`);
    expect(isAlive(fixture.pid)).toBe(true);
    const json = await daemoniker('stop', pidFile, '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({ pid: null, code: 'ERR_PID_FILE_STALE' });
    const unverified = await daemoniker('stop', pidFile, '--no-verify');
    expect(unverified.stdout).toBe(`${pidFile}: process ${fixture.pid} has ended\n`);
    await fixture.end();
  });

  test('what a killed daemon has left is not running, whoever has its number; status says why', async () => {
    const fixture = await daemon({}, join(directory, 'other.pid'));
    writeFileSync(pidFile, contentHeldBy(fixture.pid));
    const why = `${pidFile}: not running (nobody holds the file any more; process ${fixture.pid} is another one)\n`;
    expect(await daemoniker('status', pidFile)).toMatchObject({ code: 1, stdout: why });
    expect(await daemoniker('stop', pidFile)).toMatchObject({ code: 0, stdout: why });
    expect(isAlive(fixture.pid)).toBe(true);
  });
});

test('a process that hardly is a daemon is not signalled, and the message says how it can be', async () => {
  writeFileSync(pidFile, `${process.pid}\n`); // an ancestor of the command
  const refused = await daemoniker('send', pidFile, '0');
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/an ancestor of this process.*give --no-verify/);
  expect((await daemoniker('status', pidFile)).code).toBe(4);
  expect((await daemoniker('send', pidFile, '0', '--no-verify')).code).toBe(0);
});

// util-linux's script(1) runs a command on a terminal of its own.
withCommand(
  'script',
  '-qec',
  'true',
  '/dev/null',
)('on a terminal', () => {
  function onTerminal(env: NodeJS.ProcessEnv, ...args: string[]): Promise<Ending> {
    return new Fixture(['script', '-qec', commandLine([...COMMAND, ...args]), '/dev/null'], {
      env: {
        ...process.env,
        TERM: 'xterm-256color',
        NO_COLOR: undefined,
        FORCE_COLOR: undefined,
        CI: undefined, // no colours there, says Node
        ...env,
      },
    }).end();
  }

  test('it is colourful, unless NO_COLOR says not to', async () => {
    await daemon();
    const colourful = await onTerminal({}, 'status', pidFile);
    expect(colourful.stdout).toContain('\u001B[32mrunning');
    const plain = await onTerminal({ NO_COLOR: '1' }, 'status', pidFile);
    expect(plain.stdout).toContain('running');
    expect(plain.stdout).not.toContain('\u001B[');
  });

  test('stop shows how long it still waits, and wipes that away', async () => {
    await daemon({ sigterm: 'ignore' });
    const { code, stdout } = await onTerminal({}, 'stop', pidFile, '--timeout', '1');
    expect(code).toBe(1);
    const [shown, wiped] = stdout.split('(1 s left)');
    expect(shown).toContain('waiting for its process to end');
    expect(wiped).toMatch(/^\r.*still runs/);
  });
});
