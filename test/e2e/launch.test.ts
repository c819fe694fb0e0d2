// Starting a daemon in the background, from a program and from a shell.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { launch, ping, terminate } from '../../';
import { alsoEnd, directory, pidFile } from '../support/each_test';
import { Fixture, start, type FixtureOptions, type Said } from '../support/fixture';
import { AS_NOBODY, FOR_NOBODY, NOBODY, asRoot } from '../support/nobody';
import {
  onLinux,
  onNodeOnLinux,
  onUnix,
  withCommand,
  withSymbolicLinks,
  withTools,
} from '../support/platform';
import { contentHeldBy } from '../support/pid_file';
import { eventually, isAlive } from '../support/processes';
import { ROOT, RUNTIME } from '../support/runtime';
import { commandLine } from '../support/shell';

const COMMAND = [...RUNTIME, join(ROOT, 'dist', 'cli.js')];
const RUNS = 'new SignalHandler1(pidFile, { shutdown: true }).start().ref();';
const STAYS = 'setInterval(() => undefined, 1000);';

/** Of python3: opens it, and becomes the command in its arguments. */
const OPENS_200 = 'import os, sys; os.dup2(0, 200); os.execvp(sys.argv[1], sys.argv[1:])';

/** Each program leaves its number here before it does anything else. */
const started = (): string => join(directory, 'started');

function pids(): number[] {
  if (!existsSync(started())) return [];
  return (readFileSync(started(), 'utf8').match(/\d+(?=\n)/g) ?? []).map(Number);
}

alsoEnd(pids);

/** A program that may become a daemon, as the words of a command. */
function program(code: string, name = 'daemon.cjs', root = ROOT): [string, ...string[]] {
  const file = join(directory, name);
  writeFileSync(
    file,
    `require('node:fs').appendFileSync(${JSON.stringify(started())}, process.pid + '\\n');
    const { SignalHandler1 } = require(${JSON.stringify(root)});
    const pidFile = ${JSON.stringify(pidFile)};
    const fs = require('node:fs');
    ${code}`,
  );
  const [command = '', ...words] = RUNTIME;
  return [command, ...words, file];
}

/** launch() as the runtime under test does it, in a process that ends then. */
async function launched(
  words: readonly string[],
  options: object = {},
  before = '',
  fixtureOptions: FixtureOptions = {},
): Promise<Said> {
  const code = `const [path, command, options, ...words] = args;
    ${before};
    return daemoniker.launch(path, command, words, JSON.parse(options));`;
  const script = start(
    'script',
    [code, pidFile, words[0] as string, JSON.stringify(options), ...words.slice(1)],
    fixtureOptions,
  );
  const said = await script.hearsAny('returned', 'threw');
  expect(await script.end()).toMatchObject({ code: 0, stderr: '' });
  return said;
}

const log = (): string => join(directory, 'test.log');

describe('what it starts', () => {
  test('holds its PID file, and outlives who has started it; its output is kept', async () => {
    const words = program(`console.log('to stdout'); console.error('to stderr'); ${RUNS}`);
    const { event, value } = await launched(words);
    expect(event).toBe('returned');
    expect(value).toEqual({ pid: pids()[0] });
    expect(ping(pidFile)).toBe(true);
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(pids()[0] as number));
    expect(readFileSync(log(), 'utf8')).toBe('to stdout\nto stderr\n');
    expect(await terminate(pidFile)).toMatchObject({ outcome: 'exited' });
  });

  test('gets the directory, the environment, the arguments and the log files that it is given', async () => {
    const [command, ...words] = program(
      `console.log(process.cwd()); console.log(process.argv[2]); console.error(process.env.KEY); ${RUNS}`,
    );
    const [stdout, stderr, cwd] = ['out', 'err', 'cwd'].map((name) => join(directory, name));
    mkdirSync(cwd as string);
    writeFileSync(stdout as string, 'before\n');
    const env = { ...process.env, KEY: 'value' };
    const said = await launched([command, ...words, 'a \'b\' "c" $d'], {
      stdout,
      stderr,
      cwd,
      env,
    });
    expect(said).toMatchObject({ event: 'returned' });
    expect(readFileSync(stdout as string, 'utf8')).toBe(
      `before\n${realpathSync(cwd as string)}\na 'b' "c" $d\n`,
    );
    expect(readFileSync(stderr as string, 'utf8')).toBe('value\n');
    expect(existsSync(log())).toBe(false);
  });

  test('gets nothing of Object.prototype', async () => {
    const words = program(`console.log(process.env.LEAK, process.argv0); ${RUNS}`);
    const before = "Object.assign(Object.prototype, { LEAK: 'x', shell: 'nonesuch', argv0: 'x' })";
    expect(await launched(words, {}, before)).toMatchObject({ event: 'returned' });
    expect(readFileSync(log(), 'utf8')).toMatch(/^undefined (?!x\n)/);
  });

  onUnix.test('has nothing open that this process has, or was started with', async () => {
    const words = program(`console.log(fs.existsSync('/dev/fd/200')); ${RUNS}`);
    const wrapper = ['python3', '-c', OPENS_200];
    expect(await launched(words, {}, '', { wrapper })).toMatchObject({ event: 'returned' });
    expect(readFileSync(log(), 'utf8')).toBe('false\n');
  });

  test('may be a child of the command', async () => {
    program(RUNS, 'child.cjs');
    const words = program(
      `require('node:child_process').spawn(${JSON.stringify(RUNTIME[0])},
        ${JSON.stringify([...RUNTIME.slice(1), join(directory, 'child.cjs')])}, { stdio: 'ignore' });`,
    );
    const { value } = await launched(words);
    const [parent, child] = pids();
    expect(value).toEqual({ pid: child });
    expect(child).not.toBe(parent);
  });

  onUnix.test('may be left behind by a shell that ends well', async () => {
    const words = program(RUNS);
    const { value } = await launched(['sh', '-c', `${commandLine(words)} &`]);
    expect(value).toEqual({ pid: pids()[0] });
  });

  onLinux.test('is in a session of its own, without a terminal', async () => {
    await launched(program(RUNS));
    const [pid = 0] = pids();
    const [, , , session, terminal] = (
      readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1] as string
    ).split(' ');
    expect({ session, terminal }).toEqual({ session: String(pid), terminal: '0' });
  });

  asRoot('as root', () => {
    withTools('su').test('may be in the session of su(1)', async () => {
      chmodSync(directory, 0o777);
      const daemon = commandLine(program(RUNS, 'daemon.cjs', FOR_NOBODY.root));
      const words = ['su', '-s', '/bin/sh', 'nobody', '-c', `exec ${daemon}`];
      const { value } = await launched(words, { cwd: FOR_NOBODY.cwd, env: FOR_NOBODY.env });
      expect(value).toEqual({ pid: pids()[0] });
    });
  });

  test('may write its number without a lock, as other programs do', async () => {
    const { value } = await launched(
      program(`fs.writeFileSync(pidFile, process.pid + '\\n'); ${STAYS}`),
    );
    expect(value).toEqual({ pid: pids()[0] });
  });

  onUnix.test('writes to a FIFO that is read, and waits for its reader', async () => {
    const fifo = join(directory, 'fifo');
    spawnSync('mkfifo', [fifo]);
    const reader = new Fixture(['cat', fifo]);
    // More than a pipe holds.
    const code = `fs.writeSync(1, 'x'.repeat(2 ** 20)); ${RUNS}`;
    expect(await launched(program(code), { stdout: fifo })).toMatchObject({ event: 'returned' });
    await terminate(pidFile);
    const { stdout } = await reader.end();
    expect(stdout).toBe('x'.repeat(2 ** 20));
  });

  test('takes the place of one that was killed', async () => {
    writeFileSync(pidFile, contentHeldBy(process.pid));
    const { value } = await launched(program(RUNS));
    expect(value).toEqual({ pid: pids()[0] });
  });
});

describe('nothing is started', () => {
  test('when the daemon is already running: as which process', async () => {
    const words = program(RUNS);
    const { value } = await launched(words);
    const { pid } = value as { pid: number };
    await expect(launch(pidFile, words[0], words.slice(1))).rejects.toMatchObject({
      name: 'PidFileError',
      code: 'ERR_PID_FILE_LOCKED',
      pid,
    });
    expect(pids()).toEqual([pid]);
  });

  test('when the PID file is something else', async () => {
    writeFileSync(pidFile, 'precious');
    expect(await launched(program(RUNS))).toMatchObject({ code: 'ERR_PID_FILE_INVALID' });
    expect(readFileSync(pidFile, 'utf8')).toBe('precious');
    expect(pids()).toEqual([]);
    expect(existsSync(log())).toBe(false);
  });

  test('when there is no such command', async () => {
    expect(await launched(['nonesuch'])).toMatchObject({
      name: 'LaunchError',
      code: 'ENOENT',
      message: "Cannot start 'nonesuch': ENOENT: no such command",
    });
    expect(existsSync(log())).toBe(false);
  });

  onUnix.test('when it may not be executed', async () => {
    const file = join(directory, 'data');
    writeFileSync(file, 'data');
    expect(await launched([file])).toMatchObject({ name: 'LaunchError', code: 'EACCES' });
  });

  test('when its directory does not exist', async () => {
    const cwd = join(directory, 'none');
    const { code, message } = await launched(program(RUNS), { cwd });
    expect(code).toBe('ENOENT');
    expect(message).toContain(`Cannot use working directory '${cwd}'`);
    const file = await launched(program(RUNS), { cwd: join(directory, 'daemon.cjs') });
    expect(file['code']).toBe('ENOTDIR');
    expect(pids()).toEqual([]);
  });

  test('when a log file cannot be written', async () => {
    const stderr = join(directory, 'none', 'log');
    const { name, code, message } = await launched(program(RUNS), { stderr });
    expect({ name, code }).toEqual({ name: 'LaunchError', code: 'ENOENT' });
    expect(message).toContain(`Cannot use log file '${stderr}'`);
    const other = await launched(program(RUNS), { stdout: directory });
    expect(other).toMatchObject({ name: 'LaunchError', code: 'EISDIR' });
    expect(pids()).toEqual([]);
  });

  withSymbolicLinks('with symbolic links', () => {
    onUnix.test('when somebody has led the log that nobody has asked for elsewhere', async () => {
      const precious = join(directory, 'precious');
      writeFileSync(precious, 'precious');
      symlinkSync(precious, log());
      expect(await launched(program(`console.log('more'); ${RUNS}`))).toMatchObject({
        code: 'ELOOP',
      });
      expect(readFileSync(precious, 'utf8')).toBe('precious');
      // One that was asked for may be a link.
      expect(await launched(program(RUNS), { stdout: log() })).toMatchObject({ event: 'returned' });
    });
  });

  onUnix.test.each(['that nobody has named', 'that was asked for'])(
    'when the log %s is a FIFO that nobody reads',
    async (which) => {
      spawnSync('mkfifo', [log()]);
      const options = which === 'that was asked for' ? { stdout: log() } : {};
      const { code, message } = await launched(program(RUNS), options);
      expect(code).toBe('ENXIO');
      expect(message).toContain(
        `Cannot use log file '${log()}': ENXIO: it is a FIFO, and no process reads from it`,
      );
      expect(pids()).toEqual([]);
    },
  );

  asRoot.test('when the log that nobody has named is of another user', async () => {
    writeFileSync(log(), '');
    chownSync(log(), NOBODY.uid, NOBODY.gid);
    const { code, message } = await launched(program(RUNS));
    expect(code).toBe('EEXIST');
    expect(message).toContain('not a regular file of this user');
  });

  test.each([
    [[1, 'x'], 'ERR_INVALID_ARG_TYPE', 'pidFile'],
    [['x.pid', 1], 'ERR_INVALID_ARG_TYPE', 'command'],
    [['x.pid', ''], 'ERR_INVALID_ARG_VALUE', 'command'],
    [['x.pid', 'x', 'y'], 'ERR_INVALID_ARG_TYPE', 'args'],
    [['x.pid', 'x', [1]], 'ERR_INVALID_ARG_TYPE', 'args[0]'],
    [['x.pid', 'x', ['\0']], 'ERR_INVALID_ARG_VALUE', 'args[0]'],
    [['x.pid', 'x', [], { timeuot: 1 }], 'ERR_INVALID_ARG_VALUE', 'did you mean timeout?'],
    [['x.pid', 'x', [], { timeout: -1 }], 'ERR_OUT_OF_RANGE', 'options.timeout'],
    [['x.pid', 'x', [], { stdout: 1 }], 'ERR_INVALID_ARG_TYPE', 'options.stdout'],
    [['x.pid', 'x', [], { stderr: '' }], 'ERR_INVALID_ARG_VALUE', 'options.stderr'],
    [['x.pid', 'x', [], { env: 'x' }], 'ERR_INVALID_ARG_TYPE', 'options.env'],
    [['x.pid', 'x', [], { env: { A: 1 } }], 'ERR_INVALID_ARG_TYPE', 'options.env.A'],
    [['x.pid', 'x', [], { env: { A: '\0' } }], 'ERR_INVALID_ARG_VALUE', 'options.env.A'],
    [['x.pid', 'x', [], { stdout: 'x.pid' }], 'ERR_INVALID_ARG_VALUE', 'options.stdout'],
    [['x.pid', 'x', [], { stderr: './x.pid' }], 'ERR_INVALID_ARG_VALUE', 'options.stderr'],
    [['x.pid', 'x', [], { cwd: 1 }], 'ERR_INVALID_ARG_TYPE', 'options.cwd'],
    [['x.pid', 'x', [], { abortSignal: 1 }], 'ERR_INVALID_ARG_TYPE', 'options.abortSignal'],
  ] as const)('for wrong arguments: %j is %s', async (args, code, named) => {
    const [path, ...others] = args as unknown as Parameters<typeof launch>;
    const error = await launch(path, ...others).catch((error: unknown) => error as Error);
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toContain(named);
  });
});

describe('nothing is left running', () => {
  const isOver = (): void => expect(pids().filter(isAlive)).toEqual([]);

  test('when it ends at once: with what, and what it has said', async () => {
    writeFileSync(log(), 'of an earlier one\n');
    const said = await launched(program("console.error('no\\nsuch database'); process.exit(3);"));
    expect(said).toMatchObject({
      name: 'LaunchError',
      code: 'ERR_LAUNCH_ENDED',
      exitCode: 3,
      stderr: 'no\nsuch database',
    });
    expect(said['message']).toContain(`exited with code 3 before it held '${pidFile}'`);
    expect(said['message']).toMatch(/The last lines of its output:\nno\nsuch database$/);
    isOver();
  });

  test('when it has emptied its log: what it has said since', async () => {
    writeFileSync(log(), 'x'.repeat(5000));
    const code = `fs.truncateSync(${JSON.stringify(log())}); fs.writeSync(2, 'since then'); process.exit(3);`;
    expect(await launched(program(code))).toMatchObject({ stderr: 'since then' });
  });

  onUnix.test('when a signal ends it', async () => {
    const said = await launched(program("process.kill(process.pid, 'SIGKILL');"), { stdout: null });
    expect(said).toMatchObject({ code: 'ERR_LAUNCH_ENDED', signal: 'SIGKILL' });
    expect(said['message']).toContain('was terminated by SIGKILL');
    expect(said['message']).toContain('Its output was not kept');
    expect(existsSync(log())).toBe(false);
  });

  test('when it ends well, without ever having been a daemon', async () => {
    const said = await launched(program(''));
    expect(said).toMatchObject({ code: 'ERR_LAUNCH_ENDED', exitCode: 0 });
    expect(said['message']).toContain('Its output is empty');
  });

  test('when it takes too long: all of its session is ended, what ignores SIGTERM too', async () => {
    program(`process.on('SIGTERM', () => undefined); ${STAYS}`, 'child.cjs');
    const words = program(
      `require('node:child_process').spawn(${JSON.stringify(RUNTIME[0])},
        ${JSON.stringify([...RUNTIME.slice(1), join(directory, 'child.cjs')])}, { stdio: 'ignore' });
      console.error('waits for the database'); ${STAYS}`,
    );
    const launching = launch(pidFile, words[0], words.slice(1), { timeout: 8000 });
    const said = launching.catch((error: unknown) => error);
    await eventually('both run', () => pids().length === 2);
    expect(await said).toMatchObject({
      name: 'LaunchError',
      code: 'ERR_LAUNCH_TIMEOUT',
      stderr: 'waits for the database',
      message: expect.stringContaining(
        `did not hold '${pidFile}' within 8 s and was terminated`,
      ) as string,
    });
    isOver();
  });

  test('when it is given up: also what has begun a session of its own, and outlives its parent', async () => {
    const ready = join(directory, 'ready');
    const child = program(
      `process.on('SIGTERM', () => undefined);
      fs.writeFileSync(${JSON.stringify(ready)}, ''); ${STAYS}`,
      'child.cjs',
    );
    const [command, ...words] = program(
      `const [command, ...words] = ${JSON.stringify(child)};
      require('node:child_process').spawn(command, words, { detached: true, stdio: 'ignore' }); ${STAYS}`,
    );
    const giveUp = new AbortController();
    const launching = launch(pidFile, command, words, { abortSignal: giveUp.signal });
    const said = launching.catch((error: unknown) => error);
    await eventually('the child runs', () => existsSync(ready));
    giveUp.abort();
    expect(await said).toBe(giveUp.signal.reason);
    expect(pids().filter(isAlive)).toEqual([]);
  });

  test('when it claims another file; it is ended as any daemon is', async () => {
    const other = join(directory, 'other.pid');
    const words = program(RUNS.replace('pidFile', JSON.stringify(other)));
    const launching = launch(pidFile, words[0], words.slice(1), { timeout: 8000 });
    const said = launching.catch((error: unknown) => error);
    await eventually('it runs', () => ping(other));
    expect(await said).toMatchObject({
      code: 'ERR_LAUNCH_TIMEOUT',
      message: expect.stringContaining('Does it use this PID file?') as string,
    });
    expect(existsSync(other)).toBe(false);
    isOver();
  });

  test('when its PID file is none: why', async () => {
    const words = program(`fs.writeFileSync(pidFile, 'pid=123\\n'); ${STAYS}`);
    expect(await launched(words, { timeout: 4000 })).toMatchObject({
      code: 'ERR_LAUNCH_TIMEOUT',
      cause: 'ERR_PID_FILE_INVALID',
      message: expect.stringContaining('"pid=123\\n"') as string,
    });
    isOver();
  });

  test('what its message has of stderr is harmless to a terminal, and whole lines', async () => {
    const code =
      "process.stderr.write('x'.repeat(5000) + '\\n\\u001B]0;evil\\u0007\\n'); process.exit(3);";
    const { message, stderr } = await launched(program(code));
    expect(stderr).toMatch(/^…x+\n/);
    expect(stderr).toContain('\n\u001B]0;evil\u0007');
    expect(message).toMatch(/\\u001b]0;evil\\u0007$/);
  });

  onNodeOnLinux.test('when no descriptors are left to look with', async () => {
    const fill = `const { existsSync, openSync } = require('node:fs');
      const timer = setInterval(() => {
        if (!existsSync(${JSON.stringify(started())})) return;
        clearInterval(timer);
        try { for (;;) openSync('/dev/null'); } catch {}
      }, 10)`;
    const wrapper = ['sh', '-c', 'ulimit -n 256; exec "$@"', 'sh'];
    const said = await launched(program(STAYS), { timeout: 4000 }, fill, { wrapper });
    expect(said).toMatchObject({ code: 'ERR_LAUNCH_TIMEOUT' });
    isOver();
  });

  asRoot('as root', () => {
    withTools('setpriv').test('but for what may not be ended: which', async () => {
      const setpriv = join(directory, 'setpriv');
      const { stdout } = spawnSync('sh', ['-c', 'command -v setpriv'], { encoding: 'utf8' });
      copyFileSync(stdout.trim(), setpriv);
      chmodSync(setpriv, 0o4755);
      chmodSync(directory, 0o777);
      const words = [setpriv, '--reuid=0', 'sleep', '1000'];
      const said = await launched(words, { timeout: 500 }, '', AS_NOBODY);
      const [pid = 0] = said['pids'] as number[];
      expect(readFileSync(`/proc/${pid}/comm`, 'utf8')).toBe('sleep\n');
      process.kill(pid, 'SIGKILL');
      expect(said).toMatchObject({ code: 'ERR_LAUNCH_NOT_ENDED', cause: 'ERR_LAUNCH_TIMEOUT' });
    });
  });

  test('when another daemon is faster: which', async () => {
    const words = program(STAYS);
    const launching = launch(pidFile, words[0], words.slice(1)).catch((error: unknown) => error);
    await eventually('it runs', () => pids().length === 1);
    const other = start('daemon', [pidFile]);
    await other.hears('ready');
    expect(await launching).toMatchObject({ code: 'ERR_PID_FILE_LOCKED', pid: other.pid });
    isOver();
  });

  test('when it is given up', async () => {
    const words = program(STAYS);
    const controller = new AbortController();
    const { signal: abortSignal } = controller;
    const launching = launch(pidFile, words[0], words.slice(1), { abortSignal });
    const said = launching.catch((error: unknown) => error);
    await eventually('it runs', () => pids().length === 1);
    const reason = new Error('changed my mind');
    controller.abort(reason);
    expect(await said).toBe(reason);
    isOver();
  });
});

describe('from a shell', () => {
  const daemoniker = (...args: string[]): Fixture => new Fixture([...COMMAND, ...args]);

  test('start, status, restart, stop', async () => {
    const words = program(RUNS);
    const begun = await daemoniker('start', pidFile, '--', ...words).end();
    expect(begun).toMatchObject({ code: 0 });
    expect(begun.stdout).toBe(`${pidFile}: started as process ${pids()[0]} (log: ${log()})\n`);
    expect(await daemoniker('status', pidFile).end()).toMatchObject({ code: 0 });

    const second = await daemoniker('start', pidFile, '--', ...words).end();
    expect(second).toMatchObject({ code: 1, stdout: '' });
    expect(second.stderr).toContain(
      `is held by process ${pids()[0]}: the daemon is already running`,
    );

    const again = await daemoniker('restart', pidFile, '--', ...words).end();
    expect(again).toMatchObject({ code: 0 });
    const [stopped, restarted] = again.stdout.split('\n');
    expect(stopped).toContain(`process ${pids()[0]} has ended`);
    expect(restarted).toContain(`started as process ${pids()[1]}`);
    expect(await daemoniker('stop', pidFile).end()).toMatchObject({ code: 0 });
    expect(pids().filter(isAlive)).toEqual([]);
  });

  test('restart of what is not running starts it; as JSON', async () => {
    const words = program(RUNS);
    const other = join(directory, 'other.log');
    const args = ['restart', pidFile, '--json', '--log', other, '--', ...words];
    const { code, stdout } = await daemoniker(...args).end();
    expect(code).toBe(0);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toMatchObject([
      { command: 'restart', pidFile, outcome: 'not-running' },
      { command: 'restart', pidFile, pid: pids()[0], log: other },
    ]);
  });

  test('restart does not start what cannot be stopped', async () => {
    const deaf = start('daemon', [pidFile, '{"sigterm":"ignore"}']);
    await deaf.hears('ready');
    const args = ['restart', pidFile, '--timeout', '0.1', '--', ...program(RUNS)];
    const { code, stdout } = await daemoniker(...args).end();
    expect(code).toBe(1);
    expect(stdout).toContain(`process ${deaf.pid} is still running after 0.1 s`);
    expect(pids()).toEqual([]);
  });

  test.each([
    ['no such directory', ['--cwd', 'nowhere'], program, 'Cannot use working directory'],
    ['no such log', ['--log', join('nowhere', 'log')], program, 'Cannot use log file'],
    ['no such command', [], () => ['daemoniker-has-no-such-command'], 'no such command'],
    ['no such file', [], () => [join('.', 'nowhere')], 'no such command'],
  ] as const)(
    'restart stops nothing if it cannot start: %s',
    async (_, options, command, problem) => {
      const daemon = start('daemon', [pidFile]);
      await daemon.hears('ready');
      const args = ['restart', pidFile, ...options, '--', ...command(RUNS)];
      const { code, stdout, stderr } = await daemoniker(...args).end();
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toContain(problem);
      expect(ping(pidFile)).toBe(true);
      daemon.kill('SIGKILL');
    },
  );

  test('a start that fails tells the last lines of stderr, each as one', async () => {
    const words = program("console.error('\\u001B[31mno\\nsuch database'); process.exit(3);");
    const { code, stdout, stderr } = await daemoniker('start', pidFile, '--', ...words).end();
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^(.*: waiting for it .*\n)?daemoniker: .* exited with code 3 before it held .*\n {2}\\u001b\[31mno\n {2}such database\n$/,
    );
    const json = await daemoniker('start', pidFile, '--json', '--', ...words).end();
    expect(JSON.parse(json.stdout)).toMatchObject({
      command: 'start',
      error: {
        code: 'ERR_LAUNCH_ENDED',
        exitCode: 3,
        signal: null,
        message: expect.stringMatching(/The last lines of its output:$/) as string,
      },
    });
  });

  test.each([
    [['start', 'x.pid'], "'start' needs a command: daemoniker start x.pid -- node daemon.js."],
    [
      ['start', 'x.pid', 'node', 'daemon.js'],
      'Put -- before the command: daemoniker start x.pid -- node daemon.js.',
    ],
    [['start', 'x.pid', '--'], "'start' needs a command after --."],
    [['restart', 'x.pid', 'y', '--', 'node'], "Unexpected argument 'y'."],
    [['start', '--', 'node'], "'start' needs a PID file."],
    [['start', 'x.pid', '--log', '--', 'node'], '--log needs <file>.'],
    [['start', 'x.pid', '--log=', '--', 'node'], '--log must not be empty.'],
    [['restart', 'x.pid', '--log=./x.pid', '--', 'node'], '--log must not be the PID file.'],
  ])('a slip gets one line: %p', async (args, problem) => {
    const { code, stdout, stderr } = await daemoniker(...args).end();
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe(`daemoniker: ${problem} See: daemoniker help ${args[0]}\n`);
  });

  onUnix.test('Ctrl-C ends what has not started yet', async () => {
    const command = daemoniker('start', pidFile, '--', ...program(STAYS));
    await eventually('it runs', () => pids().length === 1);
    command.interrupt();
    expect(await command.end()).toMatchObject({ code: 130, stdout: '' });
    expect(pids().filter(isAlive)).toEqual([]);
  });

  withCommand('script', '-qec', 'true', '/dev/null').test(
    'it goes on when the terminal is closed',
    async () => {
      const words = commandLine([...COMMAND, 'start', pidFile, '--', ...program(RUNS)]);
      const terminal = new Fixture(['script', '-qec', words, '/dev/null']);
      expect(await terminal.end()).toMatchObject({ code: 0 });
      expect(ping(pidFile)).toBe(true);
      expect(await daemoniker('stop', pidFile).end()).toMatchObject({ code: 0 });
    },
  );
});
