// Nothing but one clean decimal number in a PID file ever leads to a signal, and nothing makes
// send() wait.
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { PidFileError, ping, send } from '../../';
import { caught } from '../support/caught';
import { removeDirectory, temporaryDirectory } from '../support/directory';
import { Fixture, endAll } from '../support/fixture';
import { onLinux, onUnix, withTools } from '../support/platform';
import { IS_WINDOWS } from '../support/runtime';
import { Session } from '../support/session';

let directory: string;
let pidFile: string;
/** Named by the files of these tests. */
let victim: Session;

beforeAll(async () => {
  directory = temporaryDirectory();
  pidFile = join(directory, 'test.pid');
  victim = await Session.start();
});
afterAll(async () => {
  await endAll();
  removeDirectory(directory);
});

/**
 * Every way to ask, the least careful one included. Signal 0, which does no harm: should one of them
 * ever get through, it would be to a process of this machine, or to all of them.
 */
const ASKED: readonly ((path: string) => unknown)[] = [
  (path) => send(path, 0),
  (path) => send(path, 0, { verify: false, insecure: true }),
];

function expectInvalid(path: string, found?: string | RegExp): void {
  for (const ask of [...ASKED, ping]) {
    const error = caught(() => ask(path));
    expect(error).toBeInstanceOf(PidFileError);
    expect(error).toMatchObject({ name: 'PidFileError', code: 'ERR_PID_FILE_INVALID', path });
    expect(error.message).toContain(path);
    if (found !== undefined) expect(error.message).toMatch(found);
  }
}

/** `PID` stands for the number of a live process. */
test.each([
  ['a newline', '\n', /"\\n"/],
  ['white space', ' \t\r\n ', undefined],
  ['zero: kill(2) takes it for our own group', '0\n', undefined],
  ['a negative number: kill(2) takes it for a group', '-PID\n', undefined],
  ['minus one: kill(2) takes it for everybody', '-1\n', undefined],
  ['leading zeros: octal?', '0PID\n', undefined],
  ['007', '007\n', undefined],
  ['a plus sign', '+PID\n', undefined],
  ['two numbers', 'PID PID\n', undefined],
  ['two lines', 'PID\nPID\n', undefined],
  ['an exponent', '1e3\n', undefined],
  ['hexadecimal', '0x10\n', undefined],
  ['a fraction', 'PID.0\n', undefined],
  ['a separator', '1_000\n', undefined],
  ['a bigint', 'PIDn\n', undefined],
  ['text', 'NaN\n', /"NaN\\n"/],
  ['a trailing comment', 'PID # my daemon\n', undefined],
  ['Arabic digits', '١٢٣٤\n', undefined],
  ['fullwidth digits', '１２３４\n', undefined],
  ['a byte order mark', '\uFEFFPID\n', undefined],
  ['a no-break space', '\u00A0PID\n', undefined],
  ['a vertical tab, white space elsewhere', 'PID\v\n', undefined],
  ['null bytes after it, as a crash leaves them', 'PID\n\0\0\0\0', undefined],
  ['null bytes before it', '\0PID\n', undefined],
  ['a number beyond every PID', '2147483648\n', undefined],
  ['a number that is another one in 32 bits', `${2n ** 32n}PID\n`, undefined],
  ['a number beyond 64 bits', '99999999999999999999\n', undefined],
  ['a megabyte of digits', '1'.repeat(1 << 20), /1048576 bytes/],
  ['a PID and then a megabyte of white space', `PID${' '.repeat(1 << 20)}`, undefined],
  ['a PID and more behind what is read', `PID${' '.repeat(100)}1`, undefined],
] as const)('a file of %s is ERR_PID_FILE_INVALID', (_, content, found) => {
  writeFileSync(pidFile, content.replaceAll('PID', String(victim.pid)));
  expectInvalid(pidFile, found);
});

// A daemon that starts has not written it yet; one that ends may not be allowed to delete it.
test.each([
  ['an empty file', ''],
  ['a file whose content was lost with the power, and is null bytes now,', '\0\0\0\0\0\0\0'],
])('%s is ERR_PID_FILE_INVALID to send() and nobody to ping()', (_, content) => {
  writeFileSync(pidFile, content);
  for (const ask of ASKED) {
    const error = caught(() => ask(pidFile));
    expect(error).toMatchObject({ code: 'ERR_PID_FILE_INVALID', pid: null, path: pidFile });
    expect(error.message).toMatch(/empty/);
  }
  expect(ping(pidFile)).toBe(false);
});

test.each([
  ['as start() writes it', 'PID\n'],
  ['without a newline', 'PID'],
  ['with a carriage return', 'PID\r\n'],
  ['with white space around it', ' \t PID \n\n'],
])('a number %s is a PID', (_, content) => {
  writeFileSync(pidFile, content.replaceAll('PID', String(victim.pid)));
  send(pidFile, 0);
  send(pathToFileURL(pidFile), 0);
  expect(ping(pidFile)).toBe(true);
});

test('nothing but one decimal number between white space ever leads to a signal', () => {
  const pid = String(victim.pid);
  const noise = fc.constantFrom(
    ...['', ' ', '\n', '\r\n', '\t', '0', '-', '+', '.', ',', 'e3', '0x', 'n', '\0', '\v', '\f'],
    ...['\u00A0', '\u2028', '\uFEFF', '٣', '１', '#', '_', '"', "'", '\u00FF', '\u{1F47B}'],
  );
  const nearlyPid = fc
    .tuple(fc.array(noise, { maxLength: 3 }), fc.array(noise, { maxLength: 3 }))
    .map(([before, after]) => Buffer.from(`${before.join('')}${pid}${after.join('')}`));
  const split = fc
    .tuple(fc.integer({ min: 1, max: pid.length - 1 }), noise)
    .map(([at, inside]) => Buffer.from(pid.slice(0, at) + inside + pid.slice(at)));
  const anything = fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes));

  fc.assert(
    fc.property(fc.oneof(nearlyPid, split, anything), (content) => {
      writeFileSync(pidFile, content);
      const text = content.toString('latin1');
      const isClean = text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '') === pid;
      if (isClean) {
        send(pidFile, 0, { verify: false, insecure: true });
      } else if (!isOtherPid(text)) {
        const error = caught(() => send(pidFile, 0, { verify: false, insecure: true }));
        expect(error).toMatchObject({ code: 'ERR_PID_FILE_INVALID' });
      }
    }),
    { numRuns: 1500 },
  );
});

/** By chance it may be the number of another process of this machine. */
function isOtherPid(text: string): boolean {
  return /^[0-9]+$/.test(text.trim());
}

test('a directory is no PID file', () => {
  mkdirSync(join(directory, 'directory'));
  expectInvalid(join(directory, 'directory'), /directory/);
});

test.each([
  ['a missing file', 'missing', 'ENOENT'],
  ['a missing directory', 'missing/test.pid', 'ENOENT'],
])('%s is ENOENT, with what a system error has', (_, name, code) => {
  const path = join(directory, name);
  const error = caught(() => send(path, 'SIGTERM'));
  expect(error).toBeInstanceOf(PidFileError);
  expect(error).toMatchObject({ code, path, syscall: 'open' });
  expect(error['errno']).toBe(process.platform === 'win32' ? -4058 : -2);
  expect(error.message).toContain(path);
});

onUnix('on Unix', () => {
  test('a file below a file is ENOTDIR, a name too long ENAMETOOLONG', () => {
    writeFileSync(pidFile, '');
    expect(caught(() => send(join(pidFile, 'below'), 0))).toMatchObject({ code: 'ENOTDIR' });
    expect(caught(() => send(join(directory, 'n'.repeat(256)), 0))).toMatchObject({
      code: 'ENAMETOOLONG',
    });
  });

  test('a symbolic link is followed; in a circle it is ELOOP', () => {
    writeFileSync(pidFile, `${victim.pid}\n`);
    symlinkSync(pidFile, join(directory, 'link'));
    send(join(directory, 'link'), 0);
    symlinkSync(join(directory, 'circle'), join(directory, 'circle'));
    expect(caught(() => send(join(directory, 'circle'), 0))).toMatchObject({ code: 'ELOOP' });
  });

  withTools('mkfifo')('FIFOs', () => {
    test('a FIFO without a writer is refused at once, and is not waited for', async () => {
      const fifo = join(directory, 'fifo');
      await new Fixture(['mkfifo', fifo]).end();
      expectInvalid(fifo, /FIFO/);
    });

    test('a FIFO with a PID in it is refused, and the PID stays in it', async () => {
      const fifo = join(directory, 'full');
      await new Fixture(['mkfifo', fifo]).end();
      const writer = new Fixture(['sh', '-c', 'echo "$0" > "$1"', String(victim.pid), fifo]);
      expectInvalid(fifo, /FIFO/);
      expect(readFileSync(fifo, 'utf8')).toBe(`${victim.pid}\n`);
      await writer.end();
    });
  });

  test('a socket is refused', async () => {
    // By its name alone: a whole path may be too long for a socket.
    await victim.value('process.chdir($0)', directory);
    await victim.value(
      'new Promise((done) => require("net").createServer().listen("socket", () => done(true)))',
    );
    expectInvalid(join(directory, 'socket'), /not a regular file/);
  });
});

test.each(
  IS_WINDOWS
    ? ['\\\\.\\pipe\\nobody', 'NUL', 'C:\\']
    : ['/dev/null', '/dev/zero', '/dev/urandom', '/dev/tty'],
)('%s is refused', (device) => {
  expectInvalid(device, IS_WINDOWS ? undefined : /not a regular file/);
});

onLinux('on Linux', () => {
  test('files of /proc, whose size is 0 whatever they hold, are no PID files', () => {
    expectInvalid('/proc/self/status');
    expectInvalid('/proc/uptime');
  });

  test('the number of a thread is no process', async () => {
    const threads = (await victim.value(
      'require("fs").readdirSync("/proc/self/task")',
    )) as string[];
    const thread = threads.find((id) => Number(id) !== victim.pid);
    writeFileSync(pidFile, `${String(thread)}\n`);
    for (const verify of [true, false]) {
      expect(caught(() => send(pidFile, 0, { verify }))).toMatchObject({ code: 'ESRCH' });
    }
    expect(ping(pidFile)).toBe(false);
  });
});
