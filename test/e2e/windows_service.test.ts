// node.exe as a Windows service, and `daemoniker service`. On Windows this takes an administrator.
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { SIGTERM, send } from '../../';
import { alsoEnd, directory, pidFile } from '../support/each_test';
import { Fixture, start, type Ending, type Said } from '../support/fixture';
import { onUnix, onWindows, onWindowsItself } from '../support/platform';
import { eventually, isAlive } from '../support/processes';
import { FIXTURES, IS_WINDOWS, ROOT } from '../support/runtime';
import { serviceManager, type ServiceManager } from '../support/service_manager';
import { tool } from '../support/windows_tool';

const SERVICE = join(FIXTURES, 'service.cjs');

const PARAMCHANGE = 6;
const STOPPED = 1;
const STOP_PENDING = 3;

function daemoniker(...args: string[]): Promise<Ending> {
  return new Fixture([process.execPath, join(ROOT, 'dist', 'cli.js'), ...args]).end();
}

/** What `daemoniker service <action> <name> --json` prints. */
async function service(action: string, ...args: string[]): Promise<Record<string, unknown>> {
  const { stdout, stderr } = await daemoniker('service', action, name, '--json', ...args);
  expect(stderr).toBe('');
  return JSON.parse(stdout) as Record<string, unknown>;
}

let manager: ServiceManager;
let name: string;
let log: string;
let count = 0;

beforeAll(() => {
  if (IS_WINDOWS) manager = serviceManager();
});

beforeEach(() => {
  name = `daemoniker-test-${process.pid}-${++count}`;
  log = join(directory, 'log');
});

/** Of the service that the test has installed, if it is still there. */
function processes(): number[] {
  const { error, pid } = IS_WINDOWS ? manager.query(name) : { error: 0, pid: 0 };
  return error === 0 && pid !== 0 ? [pid] : [];
}

alsoEnd(processes);

afterEach(() => {
  if (IS_WINDOWS) manager.delete(name);
});

function said(): Said[] {
  if (!existsSync(log)) return [];
  const lines = readFileSync(log, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Said);
}

async function hears(event: string): Promise<Said> {
  const find = (): Said | undefined => said().find((one) => one.event === event);
  await eventually(`"${event}"`, () => find() !== undefined);
  return find() as Said;
}

/** One word, which is the whole command, in one line. */
const oneLine = (code: string): string => code.replaceAll(/\s*\n\s*/g, ' ').trim();

async function install(code: string, ...options: string[]): Promise<void> {
  const command = ['node', SERVICE, pidFile, log, oneLine(code)];
  // The account of its own may not read where the tests are.
  const account = ['--account', 'LocalSystem', '--insecure', '--start', 'demand'];
  const installed = await service('install', ...account, ...options, '--', ...command);
  expect(installed).toMatchObject({ command: 'service', service: name, account: 'LocalSystem' });
}

/** Installed, and running. */
async function run(code: string): Promise<number> {
  await install(code);
  const { pid } = await service('start');
  expect(await service('status')).toMatchObject({ status: 'running', pid });
  return pid as number;
}

/** Starts a handler, with these options. */
const handler = (options: string): string =>
  `const handler = new daemoniker.SignalHandler1(pidFile, ${options}).start();`;

onWindows('a service', () => {
  test('that is asked to stop while its event loop is blocked saves its file and stops', async () => {
    const unblocked = join(directory, 'unblocked');
    const result = join(directory, 'result');
    const pid = await run(`
      ${handler('{ shutdown: 50000 }')}
      handler.onShutdown('save', (reason) => {
        require('node:fs').writeFileSync(${JSON.stringify(result)}, 'saved');
        say('asked', plain(reason));
      });
      setTimeout(() => {
        say('blocked');
        blockUntilThereIs(${JSON.stringify(unblocked)});
      }, 1);
    `);
    await hears('blocked');
    expect(readFileSync(pidFile, 'utf8')).toContain(String(pid));
    const stopping = service('stop');
    // Natively: no JavaScript runs.
    await eventually('two reports of progress', () => {
      const { state, checkpoint } = manager.query(name);
      return state === STOP_PENDING && checkpoint >= 2;
    });
    expect(existsSync(result)).toBe(false);
    writeFileSync(unblocked, '');
    expect(await stopping).toMatchObject({ outcome: 'stopped', exitCode: 0 });
    expect(readFileSync(result, 'utf8')).toBe('saved');
    expect(await hears('asked')).toMatchObject({
      ...{ name: 'SIGTERM', origin: 'service', sender: null, count: 1 },
    });
    expect(existsSync(pidFile)).toBe(false);
    expect(await service('status')).toMatchObject({ status: 'stopped', exitCode: 0, pid: null });
    await service('remove');
    expect(await service('status')).toMatchObject({ status: 'missing' });
  });

  test('that is ended by its deadline reports exit code 124, and leaves no PID file', async () => {
    await run(`
      ${handler('{ shutdown: 500 }')}
      setTimeout(() => { say('blocked'); stuckForEver(); }, 1);
    `);
    await hears('blocked');
    expect(await service('stop')).toMatchObject({ outcome: 'stopped', exitCode: 124 });
    expect(existsSync(pidFile)).toBe(false);
    expect((await daemoniker('service', 'status', name)).code).toBe(1);
  });

  test('in which nobody can allocate any more ends in time, though nobody can report it', async () => {
    const pid = await run(`
      ${handler('{ shutdown: 500 }')}
      setTimeout(() => { say('blocked'); stuckForEver(); }, 1);
    `);
    await hears('blocked');
    tool('hold-heap', pid);
    send(pidFile, SIGTERM);
    await eventually('its end', () => !isAlive(pid));
    expect(existsSync(pidFile)).toBe(false);
  });

  test('that exits with -1 reports it, as Windows has it', async () => {
    await run(`
      ${handler('{ shutdown: 50000 }')}
      handler.onShutdown('fails', () => process.exit(-1));
      liveOn();
    `);
    expect(await service('stop')).toMatchObject({ outcome: 'stopped', exitCode: 0xffff_ffff });
  });

  test('that the default handler ends has stopped cleanly, whoever has sent SIGTERM', async () => {
    await run(`${handler('{}')} liveOn();`);
    send(pidFile, SIGTERM);
    await eventually('its end', () => manager.query(name).state === STOPPED);
    expect(await service('status')).toMatchObject({ status: 'stopped', exitCode: 0 });
  });

  test('that waits for the PID file can be stopped', async () => {
    const holder = start('daemon', [pidFile]);
    await holder.hears('ready');
    await run(`
      const handler = new daemoniker.SignalHandler1(pidFile, { shutdown: 50000 });
      handler.start({ wait: Infinity }).catch(() => undefined);
      liveOn();
    `);
    expect(await service('stop')).toMatchObject({ outcome: 'stopped', exitCode: 0 });
    expect(holder.child.exitCode).toBe(null);
  });

  test('that goes on although start() has failed can be stopped', async () => {
    const holder = start('daemon', [pidFile]);
    await holder.hears('ready');
    await run(`
      try { ${handler('{}')} } catch ({ code }) { say('failed', { code }); }
      liveOn();
    `);
    expect(await hears('failed')).toMatchObject({ code: 'ERR_PID_FILE_LOCKED' });
    expect(await service('stop')).toMatchObject({ outcome: 'stopped', exitCode: 0 });
  });

  test('that does not exit in its limit reports what the signal makes of it', async () => {
    await run(`
      ${handler("{ sigterm: () => { handler.exitWithin(300); say('asked'); } }")}
      liveOn();
    `);
    expect(await service('stop')).toMatchObject({ outcome: 'stopped', exitCode: 143 });
    await hears('asked');
    expect(existsSync(pidFile)).toBe(false);
  });

  test('may take longer to stop than its manager waits without hearing of progress', async () => {
    await run(`
      ${handler('{ shutdown: 50000 }')}
      liveOn();
      handler.onShutdown('long', () => new Promise((resolve) => setTimeout(resolve, 7000)));
    `);
    // Less than that takes.
    expect(await service('stop', '--timeout', '5')).toMatchObject({ exitCode: 0 });
  });

  test('with the default handler ends at once: exit code 143, which is success here', async () => {
    await run(`${handler('{}')} liveOn();`);
    expect(await service('stop')).toMatchObject({ outcome: 'stopped', exitCode: 0 });
    expect(existsSync(pidFile)).toBe(false);
  });

  test('that has stopped its handler is terminated by the default action', async () => {
    await run(
      `
      daemoniker.PidFile.acquire(pidFile);
      const handler = new daemoniker.SignalHandler1(null).start();
      handler.stop();
      liveOn();
    `,
    );
    expect(await service('stop')).toMatchObject({ outcome: 'stopped', exitCode: 0 });
    expect(existsSync(pidFile)).toBe(false);
  });

  test('that ignores SIGTERM goes on, and stop says so', async () => {
    await run(`${handler('{ sigterm: daemoniker.IGNORE_SIGNAL }')} liveOn();`);
    const { error } = await service('stop');
    expect(error).toMatchObject({
      code: 'ERR_SERVICE_TIMEOUT',
      message: expect.stringContaining('ignores SIGTERM') as string,
    });
    expect(await service('status')).toMatchObject({ status: 'running' });
  });

  test('gets a change of its parameters as SIGHUP, which without a handler does nothing', async () => {
    await run(`
      ${handler("{ signals: { SIGHUP: () => { say('reloads', plain(handler.received)); } } }")}
      liveOn();
    `);
    expect(manager.control(name, PARAMCHANGE)).toBe(0);
    expect(await hears('reloads')).toMatchObject({ name: 'SIGHUP', origin: 'service' });
    await service('stop');
    await service('remove');
    await run(`${handler('{}')} liveOn();`);
    manager.control(name, PARAMCHANGE);
    expect(await service('status')).toMatchObject({ status: 'running' });
  });

  test('that exits on its own reports its exit code', async () => {
    const leave = join(directory, 'leave');
    await run(`
      ${handler('{}')}
      setInterval(() => {
        if (require('node:fs').existsSync(${JSON.stringify(leave)})) process.exit(7);
      }, 10);
    `);
    writeFileSync(leave, '');
    await eventually('its end', () => manager.query(name).pid === 0);
    expect(await service('status')).toMatchObject({ status: 'failed', exitCode: 7 });
  });

  test('whose start() fails has ended instead of running, and start says with which exit code', async () => {
    const holder = start('daemon', [pidFile]);
    await holder.hears('ready');
    await install(`
      try { ${handler('{}')} } catch (error) { say('failed', { code: error.code }); throw error; }
    `);
    const { error } = await service('start');
    expect(await hears('failed')).toMatchObject({ code: 'ERR_PID_FILE_LOCKED' });
    expect(error).toMatchObject({
      code: 'ERR_SERVICE_ENDED',
      exitCode: 1,
      message: expect.stringContaining('ended during its start (exit code 1)') as string,
    });
  });

  test('may start others, which are none', async () => {
    await run(`
      ${handler('{ shutdown: true }')}
      const child = require('node:child_process').fork(
        ${JSON.stringify(SERVICE)},
        ['-', ${JSON.stringify(join(directory, 'other'))},
        'new daemoniker.SignalHandler1(null).start(); process.send("runs"); liveOn();']);
      child.once('message', (text) => say(text));
      handler.onShutdown('child', () => { say(child.exitCode === null ? 'lives' : 'died'); child.kill(); });
    `);
    await hears('runs');
    expect(await service('stop')).toMatchObject({ exitCode: 0 });
    await hears('lives');
  });

  test('that sc and net have installed and started is one as well', async () => {
    const code = `${handler('{ shutdown: true }')} liveOn();`;
    const words = [process.execPath, SERVICE, pidFile, log, code];
    const commandLine = words.map((word) => `"${word.replaceAll('"', '\\"')}"`).join(' ');
    execFileSync('sc', ['create', name, 'binPath=', commandLine, 'start=', 'demand']);
    execFileSync('net', ['start', name]);
    expect(await service('status')).toMatchObject({ status: 'running', commandLine });
    execFileSync('net', ['stop', name]);
    expect(await service('status')).toMatchObject({ status: 'stopped', exitCode: 0 });
  });
});

onWindows('examples/windows-service', () => {
  test('runs as a service, and saves its state when that is stopped', async () => {
    const daemon = join(ROOT, 'examples', 'windows-service', 'daemon.mjs');
    const options = ['--account', 'LocalSystem', '--insecure'];
    await service('install', ...options, '--', 'node', daemon, directory);
    await service('start');
    expect(await service('stop')).toMatchObject({ outcome: 'stopped', exitCode: 0 });
    const text = readFileSync(join(directory, 'log.txt'), 'utf8');
    expect(text).toMatch(/SIGTERM by service: saved \d+\n$/);
    expect(readFileSync(join(directory, 'counter.txt'), 'utf8')).toMatch(/^\d+$/);
  });
});

onWindows('a process that is no service', () => {
  test('asks the service manager for nothing', async () => {
    const fixture = start('daemon', [pidFile]);
    await fixture.hears('ready');
    fixture.tell(
      'eval process[Object.getOwnPropertySymbols(process).find((key) => ' +
        "key.description.startsWith('daemoniker.registry.'))].native.answerServiceManager()",
    );
    expect(await fixture.hears('value')).toMatchObject({ value: false });
  });
});

onWindows('daemoniker service', () => {
  test('quotes every word of the command: spaces, quotation marks and backslashes arrive', async () => {
    const folder = join(directory, 'a folder with spaces');
    mkdirSync(folder);
    const script = join(folder, 'my script.cjs');
    copyFileSync(SERVICE, script);
    writeFileSync(
      script,
      readFileSync(SERVICE, 'utf8')
        .replace("'../../'", JSON.stringify(ROOT))
        .replace("'./say.cjs'", JSON.stringify(join(FIXTURES, 'say.cjs'))),
    );
    const words = ['a b', '"', 'c:\\d e\\', '\\\\"', ''];
    const code = oneLine(
      `say('words', { words: process.argv.slice(5) }); ${handler('{}')} liveOn();`,
    );
    const options = ['--account', 'LocalSystem', '--insecure', '--start', 'demand'];
    await service('install', ...options, '--', 'node', script, pidFile, log, code, ...words);
    await service('start');
    expect(await hears('words')).toMatchObject({ words });
    const { commandLine } = await service('status');
    expect(commandLine).toContain(
      `"${realpathSync.native(process.execPath)}" "${realpathSync.native(script)}" "`,
    );
  });

  test('refuses what others than administrators may change, and says who and what', async () => {
    const { error } = await service('install', '--', 'node', SERVICE);
    expect(error).toMatchObject({ code: 'ERR_SERVICE_INSECURE' });
    const { message } = error as { message: string };
    expect(message).toMatch(/ may change ".+"\. Put it where only administrators may write/);
    expect(await service('status')).toMatchObject({ status: 'missing' });
  });

  // Wine's files, those of the system too, belong to its one user, who is no administrator.
  onWindowsItself("Windows' own directories", () => {
    test('are safe', () => {
      const system = join(process.env['SystemRoot'] ?? 'C:\\Windows', 'System32');
      const found = [
        manager.whoMayChange(join(system, 'kernel32.dll'), 0),
        manager.whoMayChange(system, 1),
        manager.whoMayChange(join(system, '..'), 2),
        manager.whoMayChange(join(system, '..', '..'), 2),
      ];
      expect(found).toEqual(found.map(() => ({ error: 0, account: '' })));
    });
  });

  test.each([
    ['no script', ['node'], 'needs a script'],
    ['a script that is not there', ['node', 'missing.js'], 'There is no file'],
    ['a script of a shell', [join(ROOT, 'package.json')], 'cannot be a service'],
    ['a value that would be taken for the script', ['node', '-r', SERVICE, SERVICE], 'as one word'],
    ['a variable', ['node', SERVICE, '%PATH%'], 'Windows would expand %…% as a variable'],
  ])('refuses a command with %s', async (_, command, problem) => {
    const { error } = await service('install', '--insecure', '--', ...command);
    expect(error).toMatchObject({
      code: 'ERR_SERVICE_COMMAND',
      message: expect.stringContaining(problem) as string,
    });
    expect(await service('status')).toMatchObject({ status: 'missing' });
  });

  test('says what is wrong with a name, a state or an account', async () => {
    const refusal = (windowsError: number): object => ({
      error: { code: 'ERR_SERVICE_REFUSED', windowsError },
    });
    expect(await service('start')).toMatchObject(refusal(1060));
    expect(await service('stop')).toMatchObject(refusal(1060));
    expect(await service('remove')).toMatchObject(refusal(1060));
    await run(`${handler('{ shutdown: true }')} liveOn();`);
    expect(await service('start')).toMatchObject(refusal(1056));
    expect(await service('remove')).toMatchObject({
      error: { message: expect.stringContaining('Stop it first') as string },
    });
    const again = ['install', '--insecure', '--', 'node', SERVICE] as const;
    expect(await service(...again)).toMatchObject(refusal(1073));
    await service('stop');
    expect(await service('stop')).toMatchObject({ outcome: 'gone' });
  });
});

describe('the command line of `daemoniker service`', () => {
  test.each([
    [['service'], 'one of install, remove, start, stop, status'],
    [['service', 'begin', 'x'], "not 'begin'"],
    [['service', 'start'], 'needs the name of a service'],
    [['service', 'start', 'x', 'y'], "Unexpected argument 'y'"],
    [['service', 'start', 'x', '--', 'node'], 'takes no command'],
    [['service', 'stop', 'x', '--account', 'y'], 'no option --account'],
    [['service', 'install', 'x'], 'needs a command'],
    [['service', 'install', 'x', 'node', 'y.js'], 'Put -- before the command'],
    [['service', 'install', 'x', '--start', 'soon', '--', 'node', 'y.js'], 'auto, delayed'],
    [['service', 'install', 'x', '--restart', 'no', '--', 'node', 'y.js'], 'on-failure, never'],
  ])('%p is wrong usage', async (words, problem) => {
    const { code, stdout, stderr } = await daemoniker(...words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(problem);
    expect(stderr).toContain('See: daemoniker help service');
  });
});

onUnix('services where there are none', () => {
  test.each([['status'], ['start'], ['stop'], ['remove']])('%s says that', async (action) => {
    const { error } = await service(action);
    expect(error).toMatchObject({ code: 'ERR_SERVICE_UNSUPPORTED' });
  });
});
