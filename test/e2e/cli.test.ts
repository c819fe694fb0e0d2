import {
  chmodSync,
  cpSync,
  existsSync,
  readFileSync,
  renameSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { basename, isAbsolute, join, relative } from 'node:path';
import fc from 'fast-check';
import { directory, pidFile } from '../support/each_test';
import { Fixture, start, type Ending } from '../support/fixture';
import { contentHeldBy } from '../support/pid_file';
import { asRoot } from '../support/nobody';
import {
  onLinux,
  onNode,
  onNodeOnLinux,
  onUnix,
  withCommand,
  withExitStatus,
} from '../support/platform';
import { eventually, isAlive } from '../support/processes';
import { run } from '../support/program';
import { IS_WINDOWS, ROOT, RUNTIME } from '../support/runtime';
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

/** What is said after a second of waiting, as on a busy machine, left out. */
function withoutWaiting(stderr: string): string {
  return stderr.replaceAll(/^.*: waiting for .*\n/gm, '');
}

/** A live process whose number stands in a file that is older than it. */
async function unrelated(settings: object = {}): Promise<Fixture> {
  const fixture = await daemon(settings, join(directory, 'other.pid'));
  writeFileSync(pidFile, `${fixture.pid}\n`);
  const longAgo = new Date(Date.now() - 3_600_000);
  utimesSync(pidFile, longAgo, longAgo);
  return fixture;
}

describe('usage', () => {
  test.each([
    ...[[['--help']], [['help']], [['-h']]],
    ...[[['help', 'help']], [['help', '--help']], [['--help', 'help']], [['help', '-h', 'help']]],
  ])('%p tells it on stdout', async (args) => {
    const { code, stdout, stderr } = await daemoniker(...args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^Usage: daemoniker <command> /);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  test('`help` of each command that it names tells the options of that command', async () => {
    const all = await daemoniker('help');
    const names = [...all.stdout.matchAll(/^ {2}(\w+) <pid-file>/gm)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThanOrEqual(4);
    for (const name of names) {
      const { code, stdout, stderr } = await daemoniker('help', name);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toContain(`Usage: daemoniker ${name} <pid-file>`);
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
      expect((await daemoniker(name, '--help')).stdout).toBe(stdout);
    }
    expect((await daemoniker('help', 'stop')).stdout).toContain('--kill');
    expect((await daemoniker('help', 'send')).stdout).not.toContain('--kill');
  });

  test('--version tells the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      version: string;
    };
    const { code, stdout } = await daemoniker('--version');
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${version}\n` });
  });

  test.each([
    [[], 'No command given.'],
    [['frobnicate', 'x.pid'], "Unknown command 'frobnicate'."],
    [['x.pid', 'stop'], 'Put the command first: daemoniker stop x.pid.'],
    [['statsu', 'stop'], "Unknown command 'statsu'; did you mean status?"],
    [['send', 'HUP', 'x.pid'], 'Put the PID file first: daemoniker send x.pid HUP.'],
    [['stpo', 'x.pid'], "Unknown command 'stpo'; did you mean stop?"],
    [['help', 'sotp'], "Unknown command 'sotp'; did you mean stop?"],
    [['help', '--json'], "'help' has no option --json."],
    [['-q', 'help', 'stop'], "'help' has no option -q."],
    [['help', 'stop', 'help'], "Unexpected argument 'help'."],
    [['toString', 'x.pid'], "Unknown command 'toString'."],
    [['send'], "'send' needs a PID file."],
    [['stop', ''], "'stop' needs a PID file."],
    [['stop', 'x.pid', ''], "'stop' needs a PID file."],
    [['send', 'x.pid', 'SIGNAL'], "Unknown signal 'SIGNAL'"],
    [['send', 'x.pid', 'SIGTRM'], "Unknown signal 'SIGTRM'; did you mean SIGTERM?"],
    [['send', 'x.pid', '-HPU'], "Unknown signal 'HPU'; did you mean SIGHUP?"],
    [['send', 'x.pid', '999'], "Unknown signal '999'."],
    [['send', 'x.pid', 'SIGTERM', 'more'], "Unexpected argument 'more'."],
    [['send', '-HUP', 'x.pid', '-9'], "Unexpected argument '-9'."],
    [['send', '-KILL', 'x.pid', '--signal', 'HUP'], "Unexpected argument '--signal'."],
    [['send', '-s', 'KILL', 'x.pid', '-HUP'], "Unexpected argument '-HUP'."],
    [['send', '-s', 'HUP', 'x.pid', 'KILL'], "Unexpected argument 'KILL'."],
    [['send', 'x.pid', '-s'], '-s needs <signal>.'],
    [['send', '-HUP', 'x.pid', '9'], "Unexpected argument '9'."],
    [['stop', 'x.pid', '-HUP'], "'stop' has no option -HUP; did you mean --signal HUP?"],
    [['stop', 'x.pid', '--signal', 'HPU'], "Unknown signal 'HPU'; did you mean SIGHUP?"],
    [['stop', 'x.pid', '--signal'], '--signal needs <signal>.'],
    [['stop', 'x.pid', '--quite'], 'Unknown option --quite; did you mean --quiet?'],
    [['status', 'x.pid', '--kill'], "'status' has no option --kill."],
    [['stop', 'x.pid', '--kill=yes'], '--kill takes no value.'],
    [['stop', 'x.pid', '--timeout', 'soon'], "such as 10 or 0.5, not 'soon'."],
    [['stop', 'x.pid', '--timeout', '-1'], "such as 10 or 0.5, not '-1'."],
    [
      ['stop', 'x.pid', '--timeout', '3000000'],
      "from 0 to 2000000, such as 10 or 0.5, not '3000000'.",
    ],
    [['stop', 'x.pid', '--timeout'], '--timeout needs <seconds>.'],
    [['stop', 'x.pid', '--timeout', '--kill'], '--timeout needs <seconds>.'],
    [['stop', 'x.pid', '--json', '--quiet'], '--json and --quiet cannot be used together.'],
    [['stop', 'x.pid', '--wrong\n'], 'Unknown option --wrong\\n.'],
  ])('a slip gets one line, with a hint: %p', async (args, problem) => {
    const { code, stdout, stderr } = await daemoniker(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^daemoniker: .+[.?] See: daemoniker help( \w+)?\n$/);
    expect(stderr).toContain(problem);
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
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^.*: running \(process \d+, .*; it holds the file\)\n$/);
    expect(stdout.startsWith(`${pidFile}: running (process ${pid}, `)).toBe(true);
  });

  test('tells which program, whose, since when, and how that is known', async () => {
    const begun = Date.now();
    const fixture = await daemon();
    const { stdout } = await daemoniker('status', pidFile, '--json');
    const said = JSON.parse(stdout) as Record<string, string>;
    expect(said).toMatchObject({
      suspended: false,
      knownBy: 'lock',
      refusal: null,
      program: expect.stringContaining(basename(RUNTIME.find(isAbsolute) as string)) as string,
    });
    expect(said['user']).toMatch(userInfo().username);
    // A clock of hundredths, and one of milliseconds.
    expect(Date.parse(said['startedAt'] ?? '')).toBeGreaterThan(begun - 100);
    expect(Date.parse(said['startedAt'] ?? '')).toBeLessThanOrEqual(Date.now());
    expect((await daemoniker('status', pidFile)).stdout).toContain(userInfo().username);

    const other = join(directory, 'other.pid');
    writeFileSync(other, `${fixture.pid}\n`);
    expect(await daemoniker('status', other)).toMatchObject({
      stdout: expect.stringContaining('it started before the file was written') as string,
    });
  });

  onUnix.test('tells that it is suspended', async () => {
    const fixture = await daemon();
    fixture.kill('SIGSTOP');
    const { code, stdout } = await daemoniker('status', pidFile);
    expect(code).toBe(0);
    expect(stdout).toContain(`${pidFile}: running, but suspended (process ${fixture.pid}`);
    fixture.kill('SIGCONT');
  });

  onUnix.test('stop says that the process is suspended, if that is why it still runs', async () => {
    const fixture = await daemon();
    fixture.kill('SIGSTOP');
    expect(await daemoniker('stop', '--timeout', '0.1', pidFile)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining(
        `process ${fixture.pid} is still running after 0.1 s; it is suspended: send SIGCONT to continue it`,
      ) as string,
    });
  });

  onUnix.test('the arguments of the daemon reach no terminal raw, and are cut off', async () => {
    const fixture = start('daemon', [pidFile, '{}', '\u001B[31m\n', 'x'.repeat(500)], {
      wrapper: ['sh', '-c', 'exec "$@"', 'sh'],
    });
    await fixture.hears('ready');
    const { stdout } = await daemoniker('status', pidFile);
    expect(stdout).not.toContain('\u001B');
    expect(stdout.match(/\n/g)).toHaveLength(1);
    expect(stdout.length).toBeLessThan(pidFile.length + 250);
  });

  onLinux.test.each(['', 'x'])('they are cut off between two characters: %s😀', async (before) => {
    const words = ['sh', '-c', 'read line', `${before}${'😀'.repeat(50)}`];
    writeFileSync(pidFile, `${new Fixture(words).pid}\n`);
    const { stdout } = await daemoniker('status', pidFile);
    expect(stdout).toMatch(new RegExp(`, sh -c read line ${before}(😀)+…, `));
  });

  const programOf = async (...more: string[]): Promise<string> => {
    const fixture = start('daemon', [pidFile, '{}', ...more]);
    await fixture.hears('ready');
    const { stdout } = await daemoniker('status', pidFile, '--json');
    return (JSON.parse(stdout) as { program: string }).program;
  };

  onLinux.test('as JSON, the arguments of the daemon are complete', async () => {
    const long = 'ä'.repeat(5000);
    expect(await programOf(long, 'the last', '')).toMatch(new RegExp(` ${long} the last$`));
  });

  // One of them is cut inside of a character, were that not seen.
  onLinux.test.each(['', 'x', 'xx', 'xxx'])(
    'those of more than 64 KB are cut between two characters: %s😀',
    async (before) => {
      const program = await programOf(`${before}${'😀'.repeat(17_000)}`);
      expect(program).toMatch(new RegExp(` ${before}(😀)+…$`));
      expect(Buffer.byteLength(program)).toBeGreaterThan(65_500);
      expect(Buffer.byteLength(program)).toBeLessThanOrEqual(65_539);
    },
  );

  onNode.test('tells nothing of a process that has its number now', async () => {
    const { pid } = await daemon();
    // Between the look at the daemon and the one at its program.
    const reuse = join(directory, 'reuse.cjs');
    writeFileSync(
      reuse,
      `const native = require('node-gyp-build')(${JSON.stringify(ROOT)});
      native.processDetails = (pid, handle) => {
        process.kill(pid, 'SIGKILL');
        for (;;) {
          const { error, zombie } = native.describeProcess(pid, handle);
          if (error !== undefined || zombie) break;
        }
        return { command: 'an unrelated process', user: 'somebody', suspended: false };
      };`,
    );
    const preloaded = [...RUNTIME, '--require', reuse, join(ROOT, 'dist', 'cli.js')];
    const env = { ...process.env, NODE_PATH: join(ROOT, 'node_modules') };
    const status = new Fixture([...preloaded, 'status', pidFile, '--json'], { env });
    const { stdout, stderr } = await status.end();
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject({ pid, program: null, user: null });
  });

  asRoot.test('tells whose it is, however long that entry of the user database is', async () => {
    await daemon();
    const users = join(directory, 'passwd');
    writeFileSync(users, `root:x:0:0:${'x'.repeat(20_000)}:/root:/bin/sh\n`);
    const mounting = `mount --bind ${commandLine([users])} /etc/passwd && exec "$@"`;
    const wrapper = ['unshare', '--mount', 'sh', '-c', mounting, 'sh'];
    const status = new Fixture([...wrapper, ...COMMAND, 'status', pidFile, '--json']);
    expect(JSON.parse((await status.end()).stdout)).toMatchObject({ user: 'root' });
  });

  test('of several: a line each, and the highest exit status', async () => {
    const { pid } = await daemon();
    const { code, stdout } = await daemoniker('status', pidFile, `${pidFile}.none`);
    expect(code).toBe(3);
    expect(stdout.split('\n')).toEqual([
      expect.stringContaining(`process ${pid}`),
      `${pidFile}.none: not running (no such file)`,
      '',
    ]);
  });

  test('--quiet: the exit status alone', async () => {
    await daemon();
    const running = await daemoniker('status', pidFile, '--quiet');
    expect(running).toMatchObject({ code: 0, stdout: '', stderr: '' });
    const missing = await daemoniker('status', '-q', `${pidFile}.none`);
    expect(missing).toMatchObject({ code: 3, stdout: '', stderr: '' });
  });

  asRoot.test('warns when `stop` would refuse, and `stop` does', async () => {
    await daemon({ sigterm: 'exit' });
    chmodSync(pidFile, 0o666);
    const { code, stderr } = await daemoniker('status', pidFile);
    expect(code).toBe(0);
    expect(stderr).toMatch(/: stop would refuse: root does not trust .* use --insecure\n$/);
    const json = await daemoniker('status', pidFile, '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({ refusal: { code: 'ERR_PID_FILE_INSECURE' } });
    expect(await daemoniker('stop', pidFile)).toMatchObject({ code: 1 });
    expect(await daemoniker('stop', pidFile, '--insecure')).toMatchObject({ code: 0 });
  });

  test('1: its process is gone', async () => {
    const pid = await deadDaemon();
    const { code, stdout } = await daemoniker('status', pidFile);
    expect(code).toBe(1);
    expect(stdout).toBe(`${pidFile}: not running (process ${pid} is gone)\n`);
  });

  test('1: its number seems to belong to another process', async () => {
    const { pid } = await unrelated();
    const { code, stdout } = await daemoniker('status', pidFile);
    expect(code).toBe(1);
    expect(stdout).toContain(`process ${pid} started after the file was written`);
  });

  test('1: why is not guessed from the name of the file', async () => {
    const misleading = join(directory, 'no process holds.pid');
    const { pid } = await unrelated();
    renameSync(pidFile, misleading);
    expect(await daemoniker('status', misleading)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining(
        `process ${pid} started after the file was written`,
      ) as string,
    });
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
    writeFileSync(pidFile, String(process.pid));
    const ancestor = await daemoniker('status', pidFile);
    expect(ancestor.code).toBe(4);
    expect(ancestor.stdout).toMatch(
      /^.*: unknown: .*an ancestor of this process.* use --no-verify\n$/,
    );
  });

  test('as JSON', async () => {
    const { pid } = await daemon();
    const running = await daemoniker('status', pidFile, '--json');
    expect(JSON.parse(running.stdout)).toMatchObject({
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
      expect(stderr).toMatch(/^daemoniker: The addon of daemoniker does not load on .*\n$/);
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
    [['-INT'], 'SIGINT'],
    [['-15'], 'SIGTERM'],
    [['-s', 'INT'], 'SIGINT'],
    [['--signal', 'SIGINT'], 'SIGINT'],
    [['--signal=2'], 'SIGINT'],
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

  test('takes the signal before the file, as kill(1) does', async () => {
    const fixture = await daemon();
    expect(await daemoniker('send', '-INT', '--', pidFile)).toMatchObject({ code: 0 });
    expect(await fixture.hears('handled')).toMatchObject({ name: 'SIGINT' });
    expect(await daemoniker('send', '-s', 'TERM', pidFile)).toMatchObject({ code: 0 });
    expect(await fixture.hears('handled')).toMatchObject({ name: 'SIGTERM' });
  });

  test('to nobody is an error of one line', async () => {
    const pid = await deadDaemon();
    const { code, stdout, stderr } = await daemoniker('send', pidFile);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^daemoniker: .*Process ${pid} .*no such process.*\n$`));
  });

  test('a file that is not there: a relative path was looked up in this directory', async () => {
    const { code, stderr } = await daemoniker('send', 'no-such-file.pid');
    expect(code).toBe(1);
    expect(stderr).toBe(
      "daemoniker: Cannot read PID file 'no-such-file.pid': ENOENT: there is no such file in " +
        `'${process.cwd()}'\n`,
    );
  });

  test.each(['send', 'stop', 'reload'])(
    '%s of a process ID says that it takes a file',
    async (command) => {
      const { code, stderr } = await daemoniker(command, '999999999');
      expect(code).toBe(1);
      expect(stderr).toBe(
        "daemoniker: There is no PID file '999999999'. Name a PID file here, not a process ID; " +
          'a file of that name is ./999999999\n',
      );
    },
  );

  test('an error as JSON', async () => {
    const { code, stdout, stderr } = await daemoniker('send', '--json', pidFile);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ command: 'send', error: { code: 'ENOENT' } });
  });

  test('no control character reaches a terminal in JSON either', async () => {
    const odd = join(directory, 'odd\u009B31m\u2028\u007F.pid');
    const { stdout } = await daemoniker('send', '--json', odd);
    expect(stdout).toMatch(/^[\x20-\x7E]+\n$/);
    expect(JSON.parse(stdout)).toMatchObject({ pidFile: odd, error: { code: 'ENOENT' } });
  });

  test('never to an unrelated process', async () => {
    const fixture = await unrelated();
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
    ...['+15', '015x', '15.0', '1e1', '0x0f', '99', '-99', 'SIG', 'SIGSIG', 'SIGTERM ', '１５'],
    ...['SIGTERM,SIGINT', 'TERM\n', '*', '--', '--signal=9x', '-s', '-KILLS', '--kill'],
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
    // More words are more files.
    .filter(([command, word]) => command === 'send' || word.startsWith('-'))
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
      stdout: expect.stringMatching(
        new RegExp(`: process ${fixture.pid} has ended( \\(exit code 0\\))?\\n$`),
      ) as string,
    });
    expect(existsSync(pidFile)).toBe(false);
  });

  withExitStatus('how it ended', () => {
    test('is told: the exit code', async () => {
      const fixture = await daemon({ shutdown: { within: 200, signals: ['SIGHUP'] } });
      fixture.tell("eval handler.onShutdown('hangs', () => new Promise(() => undefined))");
      await fixture.hears('value');
      const { code, stdout } = await daemoniker('stop', pidFile, '--signal', 'SIGHUP');
      expect({ code, stdout }).toEqual({
        code: 0,
        stdout: `${pidFile}: process ${fixture.pid} has ended (exit code 124)\n`,
      });
    });

    test('is told: the signal; as JSON too', async () => {
      await daemon({ sigterm: 'raise' });
      const { stdout } = await daemoniker('stop', pidFile, '--json');
      expect(JSON.parse(stdout)).toMatchObject(
        IS_WINDOWS ? { exitCode: 143, signal: null } : { exitCode: null, signal: 'SIGTERM' },
      );
    });
  });

  test('--signal', async () => {
    const fixture = await daemon({ sigterm: 'ignore', sigint: 'exit' });
    const { code } = await daemoniker('stop', pidFile, '--signal', 'INT');
    expect(code).toBe(0);
    expect(await fixture.end()).toMatchObject({ code: 0 });
  });

  test('several are stopped at once, and each is told', async () => {
    // Each ends only when the other one has been asked.
    const paths = ['a.pid', 'b.pid'].map((name) => join(directory, name));
    const [first, second] = await Promise.all(paths.map((path) => daemon({}, path)));
    const stop = daemoniker('stop', ...paths, `${pidFile}.none`);
    await Promise.all([first?.hears('handled'), second?.hears('handled')]);
    first?.tell('exit 0');
    second?.tell('exit 0');
    const { code, stdout } = await stop;
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n').sort();
    expect(lines).toHaveLength(3);
    expect(lines[0]).toContain(`${paths[0]}: process ${first?.pid} has ended`);
    expect(lines[1]).toContain(`${paths[1]}: process ${second?.pid} has ended`);
    expect(lines[2]).toBe(`${pidFile}.none: not running (no such file)`);
  });

  test('of several one fails: so does the command, and the others are stopped', async () => {
    const fixture = await daemon({ sigterm: 'exit' });
    writeFileSync(`${pidFile}.bad`, 'nonsense');
    const { code, stderr } = await daemoniker('stop', `${pidFile}.bad`, pidFile);
    expect(code).toBe(1);
    expect(withoutWaiting(stderr)).toMatch(/^daemoniker: .*is not a PID file.*\n$/);
    expect(await fixture.end()).toMatchObject({ code: 0 });
  });

  test('--quiet tells nothing but errors', async () => {
    await daemon({ sigterm: 'exit' });
    const done = await daemoniker('stop', pidFile, '--quiet');
    expect(done).toMatchObject({ code: 0, stdout: '', stderr: '' });
    writeFileSync(pidFile, 'nonsense');
    const failed = await daemoniker('stop', pidFile, '--quiet');
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(failed.stderr).toContain('is not a PID file');
  });

  test.each([
    ['stop', []],
    ['restart', ['--', process.execPath]],
  ])('%s --quiet: that it was in vain is told on stderr', async (command, rest) => {
    const { pid } = await daemon({ sigterm: 'ignore' });
    const words = [command, pidFile, '--quiet', '--timeout', '0.3', ...rest];
    expect(await daemoniker(...words)).toMatchObject({
      ...{ code: 1, stdout: '' },
      stderr: `${pidFile}: process ${pid} is still running after 0.3 s\n`,
    });
  });

  test('that it was in vain, as JSON', async () => {
    const { pid } = await daemon({ sigterm: 'ignore' });
    const words = ['stop', pidFile, '--json', '--timeout', '0.3'];
    const { code, stdout, stderr } = await daemoniker(...words);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ command: 'stop', pidFile, pid, outcome: 'timeout' });
  });

  test('one that is given twice is stopped once', async () => {
    const { pid } = await daemon({ sigterm: 'exit' });
    const again = relative(process.cwd(), pidFile);
    const { code, stdout } = await daemoniker('stop', pidFile, again, `${pidFile}.none`, pidFile);
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n').sort();
    expect(lines).toHaveLength(2);
    expect(lines[0]).toBe(`${pidFile}.none: not running (no such file)`);
    expect(lines[1]).toContain(`${pidFile}: process ${pid} has ended`);
  });

  test('says so when another process runs by then, as a supervisor starts it', async () => {
    const fixture = await daemon();
    const stop = daemoniker('stop', pidFile);
    await fixture.hears('handled');
    fixture.tell('stop');
    await fixture.hears('done');
    const next = await daemon();
    fixture.tell('exit 0');
    const { code, stdout, stderr } = await stop;
    expect(code).toBe(0);
    expect(stdout).toContain(`process ${fixture.pid} has ended`);
    expect(stderr).toContain(
      `${pidFile}: running again as process ${next.pid} (restarted by its supervisor?)\n`,
    );
  });

  onUnix.test('says so when the supervisor needs a moment for it', async () => {
    const fixture = join(ROOT, 'test', 'fixtures', 'daemon.cjs');
    const words = [...RUNTIME, fixture, pidFile, JSON.stringify({ sigterm: 'exit' })];
    const supervisor = new Fixture(['sh', '-c', `while :; do ${commandLine(words)}; done`]);
    await supervisor.hears('ready');
    let told = '';
    // On a busy machine the next one may take longer than is waited for it.
    for (let attempt = 1; attempt <= 10 && told === ''; attempt++) {
      told = withoutWaiting((await daemoniker('stop', pidFile)).stderr);
      const { pid } = await supervisor.hears('ready');
      if (told !== '')
        expect(told).toContain(`${pidFile}: running again as process ${pid as number} `);
    }
    expect(told).not.toBe('');
  });

  test('says that it is waiting, and that it was in vain', async () => {
    const { pid } = await daemon({ sigterm: 'ignore' });
    const { code, stdout, stderr } = await daemoniker('stop', pidFile, '--timeout', '1');
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: `${pidFile}: process ${pid} is still running after 1 s\n`,
      stderr: `${pidFile}: waiting for its process to exit (1 s left)\n`,
    });
  });

  test('--kill', async () => {
    const fixture = await daemon({ sigterm: 'ignore' });
    const { code, stdout } = await daemoniker('stop', pidFile, '--timeout=0.1', '--kill');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `${pidFile}: process ${fixture.pid} did not exit within 0.1 s and was killed\n`,
    });
    await fixture.end();
  });

  test('--signal KILL: it was not asked before', async () => {
    const fixture = await daemon();
    const { code, stdout } = await daemoniker('stop', pidFile, '--signal', 'KILL');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `${pidFile}: process ${fixture.pid} was killed\n`,
    });
    await fixture.end();
  });

  test('what is not running is stopped', async () => {
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
    const fixture = await unrelated({ sigterm: 'exit' });
    const { code, stdout } = await daemoniker('stop', pidFile);
    expect(code).toBe(0);
    expect(stdout).toContain(`process ${fixture.pid} started after the file was written`);
    expect(isAlive(fixture.pid)).toBe(true);
    const json = await daemoniker('stop', pidFile, '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({ pid: null, code: 'ERR_PID_FILE_STALE' });
    const unverified = await daemoniker('stop', pidFile, '--no-verify');
    expect(unverified.stdout).toContain(`${pidFile}: process ${fixture.pid} has ended`);
    await fixture.end();
  });

  test('what a killed daemon has left is not running, whoever has its number; status says why', async () => {
    const fixture = await daemon({}, join(directory, 'other.pid'));
    writeFileSync(pidFile, contentHeldBy(fixture.pid));
    const why = `${pidFile}: not running (no process holds the file any more; process ${fixture.pid} is unrelated)\n`;
    expect(await daemoniker('status', pidFile)).toMatchObject({ code: 1, stdout: why });
    expect(await daemoniker('stop', pidFile)).toMatchObject({ code: 0, stdout: why });
    expect(isAlive(fixture.pid)).toBe(true);
  });
});

onUnix('start, interrupted', () => {
  const started = (): string => join(directory, 'started');
  const asked = (): string => join(directory, 'asked');
  const pid = (): number => Number(readFileSync(started(), 'utf8'));

  /** To start what never holds the PID file, and does not end by SIGTERM. */
  function words(...options: string[]): string[] {
    const script =
      "trap 'echo > asked' TERM; echo $$ > new; mv new started; while :; do sleep 0.01; done";
    const daemon = ['sh', '-c', script];
    return [...COMMAND, 'start', pidFile, '--cwd', directory, ...options, '--', ...daemon];
  }

  async function starting(...options: string[]): Promise<Fixture> {
    const command = new Fixture(words(...options));
    await eventually('it is started', () => existsSync(started()));
    return command;
  }

  // Nothing else knows of it.
  afterEach(() => {
    if (existsSync(started()) && isAlive(pid())) process.kill(pid(), 'SIGKILL');
  });

  test.each([
    ['SIGHUP', 129],
    ['SIGINT', 130],
    ['SIGQUIT', 131],
    ['SIGTERM', 143],
  ] as const)('%s ends what was started', async (signal, code) => {
    const command = await starting();
    command.kill(signal);
    expect(await command.end()).toEqual({
      ...{ code, signal: null, stdout: '' },
      stderr: expect.stringContaining(
        `'${pidFile}' was interrupted by ${signal}; what was started has been terminated\n`,
      ) as string,
    });
    expect(isAlive(pid())).toBe(false);
  });

  test('again and again: what was started is ended all the same', async () => {
    const command = await starting();
    command.kill('SIGINT');
    await eventually('it is being ended', () => existsSync(asked()));
    for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) command.kill(signal);
    expect(await command.end()).toMatchObject({ code: 130, signal: null });
    expect(isAlive(pid())).toBe(false);
  });

  test('as JSON', async () => {
    const command = await starting('--json');
    command.kill('SIGTERM');
    const { code, stdout, stderr } = await command.end();
    expect({ code, stderr }).toEqual({ code: 143, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      ...{ command: 'start', pidFile },
      error: { code: 'ABORT_ERR', message: expect.stringContaining('SIGTERM') as string },
    });
  });

  withCommand('script', '-qec', 'true', '/dev/null').test(
    'by the end of its terminal, on which nothing can be said any more',
    async () => {
      const command = `exec ${commandLine(words())}`;
      const terminal = new Fixture(['script', '-qec', command, '/dev/null']);
      await terminal.until('it waits', () => terminal.stdout.includes('waiting for it to start'));
      terminal.kill('SIGKILL');
      await terminal.end();
      await eventually('it is ended', () => !isAlive(pid()));
    },
  );
});

describe('reload', () => {
  test('sends SIGHUP, on Windows too', async () => {
    const fixture = run(
      ({ daemoniker, say, args: [path = ''] }) => {
        const reload = (): void => say('reloads');
        new daemoniker.SignalHandler1(path, { signals: { SIGHUP: reload } }).start().ref();
        say('ready');
      },
      [pidFile],
    );
    await fixture.hears('ready');
    const { code, stdout } = await daemoniker('reload', pidFile);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${pidFile}: SIGHUP sent\n` });
    await fixture.hears('reloads');
  });

  test('of what is not running is an error', async () => {
    const { code, stderr } = await daemoniker('reload', pidFile);
    expect(code).toBe(1);
    expect(stderr).toContain('ENOENT');
  });
});

test('a process that hardly is a daemon is not signalled, and the message says how it can be', async () => {
  writeFileSync(pidFile, `${process.pid}\n`); // an ancestor of the command
  const refused = await daemoniker('send', pidFile, '0');
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/an ancestor of this process.*use --no-verify/);
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

  withExitStatus.test('a daemon that has crashed while it stopped is no success', async () => {
    await daemon({ sigterm: 'raise' });
    expect((await onTerminal({}, 'stop', pidFile)).stdout).toContain('\u001B[32mprocess');
    const fixture = await daemon();
    const stop = onTerminal({}, 'stop', pidFile);
    await fixture.hears('handled');
    fixture.child.kill('SIGKILL');
    const { stdout } = await stop;
    expect(stdout).toContain(`\u001B[33mprocess ${fixture.pid} has ended (SIGKILL)`);
  });

  test('no colour crosses the end of a line, whatever a path or a file holds', async () => {
    const odd = join(directory, 'odd\nname.pid');
    writeFileSync(odd, 'line\n\u001B[1mline');
    for (const command of ['status', 'stop', 'send']) {
      const { stdout } = await onTerminal({}, command, odd);
      expect(stdout).toContain('is not a PID file');
      expect(stdout).toContain('odd\\nname.pid');
      for (const line of stdout.split('\n')) {
        expect(line.split('\u001B[')).toHaveLength(line.trim() === '' ? 1 : 3);
      }
    }
  });

  test('stop shows how long it still waits, and wipes that away', async () => {
    await daemon({ sigterm: 'ignore' });
    const { code, stdout } = await onTerminal({}, 'stop', pidFile, '--timeout', '1');
    expect(code).toBe(1);
    const [shown, wiped] = stdout.split('(1 s left)');
    expect(shown).toContain('waiting for its process to exit');
    expect(wiped).toMatch(/^\r.*is still running/);
  });
});
