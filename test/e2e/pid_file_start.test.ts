// What start() does with the PID file that it finds, or does not find.
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { send } from '../../';
import { directory, pidFile } from '../support/each_test';
import { Fixture, PATIENCE_MS } from '../support/fixture';
import { locksOf } from '../support/locks';
import { AS_NOBODY, NOBODY, asRoot } from '../support/nobody';
import { contentHeldBy } from '../support/pid_file';
import {
  onLinux,
  onNode,
  onUnix,
  testUnlessOn,
  withJunctions,
  withSymbolicLinks,
  withTools,
} from '../support/platform';
import { FIXTURES, RUNTIME } from '../support/runtime';
import { Session } from '../support/session';

const START = '(kept.handler = new SignalHandler1($0).start(), true)';
const STOP = 'kept.handler.stop()';
const LONG_AGO = new Date('2001-01-01');

/** Everything about a file that must stay as it is. */
function snapshot(path: string): unknown {
  const { ino, mode, uid, size, mtimeMs, ctimeMs } = lstatSync(path);
  const isReadable = lstatSync(path).isFile();
  return { ino, mode, uid, size, mtimeMs, ctimeMs, text: isReadable && readFileSync(path, 'utf8') };
}

/** A process that has nothing to do with the package. */
async function stranger(): Promise<Fixture> {
  return (await Session.start()).fixture;
}

test('a missing file is created with one line, the PID, and removed by stop()', async () => {
  const daemon = await Session.start();
  await daemon.value(START, pidFile);
  expect(readFileSync(pidFile, 'latin1')).toBe(contentHeldBy(daemon.pid));
  await daemon.value(STOP);
  expect(existsSync(pidFile)).toBe(false);
});

test('after stop() the same handler can start again, with a new file', async () => {
  const daemon = await Session.start();
  for (let round = 0; round < 3; round++) {
    await daemon.value(START, pidFile);
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(daemon.pid));
    await daemon.value(STOP);
    expect(existsSync(pidFile)).toBe(false);
  }
});

test.each([
  ['is empty', ''],
  ['has lost its content with the power', '\0\0\0\0\0\0\0'],
  ['names a process that is gone', 'gone'],
  ['was left without a newline', 'gone without newline'],
])('a file that %s is replaced, and removed by stop()', async (_, content) => {
  const gone = await stranger();
  gone.child.stdin?.end();
  await gone.end();
  const newline = content.endsWith('newline') ? '' : '\n';
  writeFileSync(pidFile, content.startsWith('gone') ? `${gone.pid}${newline}` : content);

  const daemon = await Session.start();
  await daemon.value(START, pidFile);
  expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(daemon.pid));
  await daemon.value(STOP);
  expect(existsSync(pidFile)).toBe(false);
});

test('a file whose PID was reused by a process younger than the file blocks no start', async () => {
  const other = await stranger();
  writeFileSync(pidFile, `${other.pid}\n`);
  utimesSync(pidFile, LONG_AGO, LONG_AGO);

  const daemon = await Session.start();
  await daemon.value(START, pidFile);
  expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(daemon.pid));
});

test('a file written long ago by a longer PID is replaced to the last byte', async () => {
  writeFileSync(pidFile, '2147483647   \n\n');
  const daemon = await Session.start();
  await daemon.value(START, pidFile);
  expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(daemon.pid));
});

describe('a file that names this process already', () => {
  test('is kept as it is, and left alone by stop()', async () => {
    const daemon = await Session.start();
    writeFileSync(pidFile, ` ${daemon.pid}\r\n`);
    const before = snapshot(pidFile);
    await daemon.value(START, pidFile);
    expect(snapshot(pidFile)).toEqual(before);
    await daemon.value(STOP);
    expect(snapshot(pidFile)).toEqual(before);
  });

  test('is rewritten when it is older than the process, which then means another one', async () => {
    const daemon = await Session.start();
    writeFileSync(pidFile, `${daemon.pid}\n`);
    utimesSync(pidFile, LONG_AGO, LONG_AGO);
    await daemon.value(START, pidFile);
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(daemon.pid));
    expect(statSync(pidFile).mtime.getFullYear()).toBeGreaterThan(2001);
    await daemon.value(STOP);
    expect(existsSync(pidFile)).toBe(false);
  });
});

describe('a file that names another live daemon', () => {
  test('which holds it: ERR_PID_FILE_LOCKED with its pid, and nothing is changed', async () => {
    const holder = await Session.start();
    await holder.value(START, pidFile);
    const before = snapshot(pidFile);

    const second = await Session.start();
    expect(await second.error(START, pidFile)).toMatchObject({
      name: 'PidFileError',
      code: 'ERR_PID_FILE_LOCKED',
      isPidFileError: true,
      path: pidFile,
      pid: holder.pid,
      message: expect.stringContaining(String(holder.pid)) as unknown,
    });
    expect(snapshot(pidFile)).toEqual(before);
    await second.error(START, pidFile); // a handler that failed can try again
    await holder.value(STOP);
    await second.value(START, pidFile);
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(second.pid));
  });

  test('which takes no locks: the same', async () => {
    const holder = await stranger();
    writeFileSync(pidFile, `${holder.pid}\n`);
    const before = snapshot(pidFile);
    const second = await Session.start();
    expect(await second.error(START, pidFile)).toMatchObject({
      code: 'ERR_PID_FILE_LOCKED',
      pid: holder.pid,
    });
    expect(snapshot(pidFile)).toEqual(before);
  });
});

onNode.test(
  'a refused start takes no longer where each process that has the file open seems to hold it',
  async () => {
    const holder = await Session.start();
    await holder.value(START, pidFile);
    const second = await Session.start();
    // As on macOS.
    await second.value(`(() => {
    const key = Object.getOwnPropertySymbols(process)
      .find(({ description }) => description.startsWith('daemoniker.registry.'));
    const { native } = process[key];
    const { lockClaim } = native;
    kept.attempts = 0;
    native.holdsLock = () => 1;
    native.lockClaim = (claim) => (kept.attempts++, lockClaim(claim));
  })()`);
    expect(await second.error(START, pidFile)).toMatchObject({
      code: 'ERR_PID_FILE_LOCKED',
      pid: holder.pid,
    });
    expect(await second.value('kept.attempts')).toBe(10);
  },
);

describe.each([
  ['text', 'not a pid\n'],
  ['two numbers', '12 13\n'],
  ['a negative number', '-1\n'],
  ['zero', '0\n'],
  ['binary', '\0\0\0\u0001'],
  ['a long text', `${'x'.repeat(100_000)}\n`],
])('a file that holds %s', (_, content) => {
  test('is no PID file: ERR_PID_FILE_INVALID, and it is untouched', async () => {
    writeFileSync(pidFile, content);
    const before = snapshot(pidFile);
    const daemon = await Session.start();
    const error = await daemon.error(START, pidFile);
    expect(error).toMatchObject({ code: 'ERR_PID_FILE_INVALID', path: pidFile });
    expect(snapshot(pidFile)).toEqual(before);
  });
});

test('a directory is no PID file', async () => {
  mkdirSync(pidFile);
  const daemon = await Session.start();
  expect(await daemon.error(START, pidFile)).toMatchObject({
    code: 'ERR_PID_FILE_INVALID',
    message: expect.stringContaining('directory') as unknown,
  });
  expect(statSync(pidFile).isDirectory()).toBe(true);
});

test('a missing directory is ENOENT, as of open(2), is named, and is not created', async () => {
  const missing = join(directory, 'missing', 'test.pid');
  const daemon = await Session.start();
  expect(await daemon.error(START, missing)).toMatchObject({
    isPidFileError: true,
    code: 'ENOENT',
    syscall: 'open',
    path: missing,
    errno: expect.any(Number) as unknown,
    message: `Cannot write PID file '${missing}': ENOENT: its directory '${dirname(missing)}' does not exist`,
  });
  expect(existsSync(dirname(missing))).toBe(false);
});

describe('the path', () => {
  test('may be relative, and is made absolute by start(): a later chdir changes nothing', async () => {
    const daemon = await Session.start();
    await daemon.value('process.chdir($0)', directory);
    await daemon.value('(kept.handler = new SignalHandler1("relative.pid"), true)');
    mkdirSync(join(directory, 'elsewhere'));
    await daemon.value('(kept.handler.start(), process.chdir("elsewhere"))');
    expect(readFileSync(join(directory, 'relative.pid'), 'utf8')).toBe(contentHeldBy(daemon.pid));
    expect(await daemon.value('kept.handler.pidFile')).toBe('relative.pid');
    await daemon.value(STOP);
    expect(existsSync(join(directory, 'relative.pid'))).toBe(false);
  });

  test('may be a file: URL', async () => {
    const daemon = await Session.start();
    const spaced = join(directory, 'a b#c%.pid');
    await daemon.value('(kept.handler = new SignalHandler1(new URL($0)).start(), true)', [
      pathToFileURL(spaced).href,
    ]);
    expect(readFileSync(spaced, 'utf8')).toBe(contentHeldBy(daemon.pid));
  });

  test('may be of any alphabet', async () => {
    const daemon = await Session.start();
    const path = join(directory, 'dæmøn-守护-👻.pid');
    await daemon.value(START, path);
    expect(readFileSync(path, 'utf8')).toBe(contentHeldBy(daemon.pid));
    await daemon.value(STOP);
    expect(existsSync(path)).toBe(false);
  });

  test('may be as long as the system allows, and is an error when it is longer', async () => {
    const daemon = await Session.start();
    const longest = join(directory, `${'n'.repeat(251)}.pid`);
    await daemon.value(START, longest);
    expect(readFileSync(longest, 'utf8')).toBe(contentHeldBy(daemon.pid));
    await daemon.value(STOP);
    expect(await daemon.error(START, join(directory, 'n'.repeat(256)))).toMatchObject({
      isPidFileError: true,
    });
  });

  test('may be of more than 260 characters, which is much for Windows', async () => {
    const deep = join(directory, ...Array.from({ length: 8 }, () => 'x'.repeat(50)));
    mkdirSync(deep, { recursive: true });
    const path = join(deep, 'test.pid');
    const daemon = await Session.start();
    await daemon.value(START, path);
    expect(readFileSync(path, 'utf8')).toBe(contentHeldBy(daemon.pid));
    send(path, 0);
    await daemon.value(STOP);
    expect(existsSync(path)).toBe(false);
  });

  test.each([
    ['a number', '42', 'ERR_INVALID_ARG_TYPE'],
    ['undefined', 'undefined', 'ERR_INVALID_ARG_TYPE'],
    ['an object', '{}', 'ERR_INVALID_ARG_TYPE'],
    ['empty', '""', 'ERR_INVALID_ARG_VALUE'],
    ['cut by a null byte', '"a\\0b"', 'ERR_INVALID_ARG_VALUE'],
  ])('that is %s is a TypeError at once', async (_, value, code) => {
    const daemon = await Session.start();
    for (const call of [`new SignalHandler1(${value})`, `PidFile.acquire(${value})`]) {
      const error = await daemon.error(call);
      expect(error).toMatchObject({ name: 'TypeError', code });
      expect(error['message']).toMatch(/"(pidFile|path)"/);
    }
  });

  test('null means no PID file', async () => {
    const daemon = await Session.start();
    await daemon.value('process.chdir($0)', directory);
    await daemon.value('(kept.handler = new SignalHandler1(null).start(), true)');
    expect(await daemon.value('require("fs").readdirSync(".")')).toEqual([]);
    expect(await daemon.value('kept.handler.pidFile')).toBe(null);
    await daemon.value(STOP);
  });
});

withSymbolicLinks('symbolic links', () => {
  test.each(['a stale PID file', 'nothing', 'text'])(
    'a symbolic link to %s is not followed: ELOOP, or no PID file',
    async (target) => {
      const elsewhere = join(directory, 'elsewhere');
      if (target !== 'nothing') writeFileSync(elsewhere, target === 'text' ? 'text' : '2147483647');
      symlinkSync(elsewhere, pidFile);
      const daemon = await Session.start();
      expect(await daemon.error(START, pidFile)).toMatchObject({ code: 'ELOOP', path: pidFile });
      expect(readlinkSync(pidFile)).toBe(elsewhere);
      expect(existsSync(elsewhere)).toBe(target !== 'nothing');
      if (target !== 'nothing') expect(readFileSync(elsewhere, 'utf8')).not.toMatch(/^\d{1,7}\n/);
    },
  );

  test('a symbolic link to a file that names this process is not followed either', async () => {
    const daemon = await Session.start();
    const elsewhere = join(directory, 'elsewhere');
    writeFileSync(elsewhere, `${daemon.pid}\n`);
    symlinkSync(elsewhere, pidFile);
    expect(await daemon.error(START, pidFile)).toMatchObject({ code: 'ELOOP' });
  });

  test('nor is one to a file that this process holds', async () => {
    const daemon = await Session.start();
    const elsewhere = join(directory, 'elsewhere');
    await daemon.value('(kept.claim = PidFile.acquire($0), true)', elsewhere);
    symlinkSync(elsewhere, pidFile);
    expect(await daemon.error(START, pidFile)).toMatchObject({ code: 'ELOOP' });
    expect(await daemon.error('PidFile.acquire($0)', pidFile)).toMatchObject({ code: 'ELOOP' });
    expect(readFileSync(elsewhere, 'utf8')).toBe(contentHeldBy(daemon.pid));
  });
});

withJunctions('junctions', () => {
  test.each(['a directory', 'nothing'])('one to %s is ELOOP, and no PID file', async (target) => {
    const elsewhere = join(directory, 'elsewhere');
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, pidFile, 'junction');
    if (target === 'nothing') rmdirSync(elsewhere);
    const daemon = await Session.start();
    expect(await daemon.error(START, pidFile)).toMatchObject({ code: 'ELOOP', path: pidFile });
  });
});

onUnix('on Unix', () => {
  test.each([
    ['022', '644'],
    ['077', '600'],
    ['000', '644'],
  ])('with umask %s the file has mode %s', async (umask, mode) => {
    const daemon = await Session.start();
    await daemon.value('process.umask($0)', parseInt(umask, 8));
    await daemon.value(START, pidFile);
    expect((statSync(pidFile).mode & 0o7777).toString(8)).toBe(mode);
  });

  withTools('mkfifo')('FIFO', () => {
    test('a FIFO is no PID file, and nobody waits for its other end', async () => {
      await new Fixture(['mkfifo', pidFile]).end();
      const before = snapshot(pidFile);
      const daemon = await Session.start();
      expect(await daemon.error(START, pidFile)).toMatchObject({ code: 'ERR_PID_FILE_INVALID' });
      expect(snapshot(pidFile)).toEqual(before);
    });
  });

  test('neither is a socket, nor a device', async () => {
    const daemon = await Session.start();
    // By its name alone: a whole path may be too long for a socket.
    await daemon.value('process.chdir($0)', directory);
    await daemon.value(
      'new Promise((done) => (kept.server = require("net").createServer()).listen($0, () => done(true)))',
      basename(pidFile),
    );
    for (const path of [pidFile, '/dev/null', '/dev/zero']) {
      expect(await daemon.error(START, path)).toMatchObject({
        code: 'ERR_PID_FILE_INVALID',
        path,
        message: expect.stringContaining('not a regular file') as unknown,
      });
    }
  });
});

onLinux('on Linux', () => {
  /** What stands in the process's own table of dispositions. */
  const DISPOSITIONS =
    'require("fs").readFileSync("/proc/self/status", "utf8").match(/Sig(Blk|Ign|Cgt):.*/g).join()';

  test('the file is locked by this process until stop()', async () => {
    const daemon = await Session.start();
    await daemon.value(START, pidFile);
    expect(locksOf(daemon.pid, pidFile)).toEqual([
      expect.stringMatching(/OFDLCK +ADVISORY +WRITE/) as unknown,
    ]);
    writeFileSync(join(directory, 'kept'), '');
    await daemon.value('require("fs").linkSync($0, $1)', pidFile, join(directory, 'link'));
    await daemon.value(STOP);
    expect(locksOf(daemon.pid, join(directory, 'link'))).toEqual([]);
  });

  test('the lock outlives the process reading its own PID file', async () => {
    const daemon = await Session.start();
    await daemon.value(START, pidFile);
    await daemon.value('require("fs").readFileSync($0, "utf8")', pidFile);
    expect(locksOf(daemon.pid, pidFile)).toHaveLength(1);
  });

  test('a file that names this process already is locked too', async () => {
    const daemon = await Session.start();
    writeFileSync(pidFile, `${daemon.pid}\n`);
    await daemon.value(START, pidFile);
    expect(locksOf(daemon.pid, pidFile)).toHaveLength(1);
  });

  test('children inherit neither the descriptor nor the lock', async () => {
    const daemon = await Session.start();
    await daemon.value(START, pidFile);
    const child = (await daemon.value(
      '(kept.child = require("child_process").spawn("sleep", ["60"], { stdio: "ignore" })).pid',
    )) as number;
    // Bun goes on before the child has become another program.
    const deadline = Date.now() + PATIENCE_MS;
    while (readFileSync(`/proc/${child}/comm`, 'utf8') !== 'sleep\n' && Date.now() < deadline);
    expect(locksOf(child, pidFile)).toEqual([]);
    expect(locksOf(daemon.pid, pidFile)).toHaveLength(1);
    await daemon.value('kept.child.kill()');
  });

  test('a start that fails leaves the dispositions and the descriptors as they were', async () => {
    const holder = await Session.start();
    await holder.value(START, pidFile);
    const second = await Session.start();
    const descriptors = 'require("fs").readdirSync("/proc/self/fd").length';
    await second.error(START, pidFile);
    const before = [await second.value(DISPOSITIONS), await second.value(descriptors)];
    await second.error(START, pidFile);
    expect([await second.value(DISPOSITIONS), await second.value(descriptors)]).toEqual(before);

    const fresh = await Session.start();
    const untouched = await fresh.value(DISPOSITIONS);
    await fresh.error(START, pidFile);
    expect(await fresh.value(DISPOSITIONS)).toBe(untouched);
  });

  withTools('python3')('with other programs at the file', () => {
    /** Takes a lock on the file in its first argument, says so, and runs what is in its second. */
    const LOCK = [
      'import fcntl, os, struct, sys',
      'file = open(sys.argv[1], "r+")',
      'def lock(kind):',
      '    fcntl.fcntl(file, 37, struct.pack("hhqqi4x", kind, 0, 0, 0, 0))',
      'exec(sys.argv[2])',
    ].join('\n');

    test('an instant shared lock, as of pkill -L, does not fail a start', async () => {
      writeFileSync(pidFile, '');
      const daemon = await Session.start();
      // Takes and drops it all the time, a third of the time held, on whatever file is there.
      const prober = new Fixture([
        'python3',
        '-c',
        LOCK,
        pidFile,
        'import time\n' +
          'while True:\n' +
          '  try:\n' +
          '    file = open(sys.argv[1], "r+")\n' +
          '    lock(fcntl.F_RDLCK); print("held", flush=True); time.sleep(0.001); file.close()\n' +
          '  except (FileNotFoundError, BlockingIOError): pass\n' +
          '  time.sleep(0.002)',
      ]);
      const held = (): number => prober.stdout.split('held').length;
      for (let round = 0; round < 30; round++) {
        const before = held();
        await prober.until('a lock on this file', () => held() >= before + 2);
        await daemon.value('PidFile.acquire($0).release()', pidFile);
        writeFileSync(pidFile, '');
      }
    });

    test('a lock held by a process that the file does not name: pid is null', async () => {
      const other = await stranger();
      writeFileSync(pidFile, `${other.pid}\n`);
      const locker = new Fixture([
        'python3',
        '-c',
        LOCK,
        pidFile,
        'lock(fcntl.F_WRLCK)\nprint("locked", flush=True)\nsys.stdin.read()',
      ]);
      await locker.until('its lock', () => locker.stdout.includes('locked'));
      const daemon = await Session.start();
      expect(await daemon.error(START, pidFile)).toMatchObject({
        code: 'ERR_PID_FILE_LOCKED',
        pid: null,
      });
    });

    test('a lock of a daemon that has not written its PID yet: pid is null', async () => {
      writeFileSync(pidFile, '');
      const locker = new Fixture([
        'python3',
        '-c',
        LOCK,
        pidFile,
        'lock(fcntl.F_WRLCK)\nprint("locked", flush=True)\nsys.stdin.read()',
      ]);
      await locker.until('its lock', () => locker.stdout.includes('locked'));
      const daemon = await Session.start();
      expect(await daemon.error(START, pidFile)).toMatchObject({
        code: 'ERR_PID_FILE_LOCKED',
        pid: null,
      });
      expect(readFileSync(pidFile, 'utf8')).toBe('');
    });
  });
});

asRoot('with other users', () => {
  test('a file that this process may not write, but that names it, is used unlocked', async () => {
    const daemon = await Session.start(AS_NOBODY);
    chmodSync(directory, 0o755);
    writeFileSync(pidFile, `${daemon.pid}\n`);
    const before = snapshot(pidFile);
    await daemon.value(START, pidFile);
    expect(locksOf(daemon.pid, pidFile)).toEqual([]);
    await daemon.value(STOP);
    expect(snapshot(pidFile)).toEqual(before);
  });

  test('one that it may not write and that is stale is EACCES', async () => {
    chmodSync(directory, 0o755);
    writeFileSync(pidFile, '2147483647\n');
    const daemon = await Session.start(AS_NOBODY);
    expect(await daemon.error(START, pidFile)).toMatchObject({ code: 'EACCES', syscall: 'open' });
  });

  test.each([
    ['which holds it', true],
    ['which takes no locks', false],
  ])('one that it may not write and that names a live daemon %s', async (_, locks) => {
    chmodSync(directory, 0o755);
    const holder = await Session.start();
    if (locks) await holder.value(START, pidFile);
    else writeFileSync(pidFile, `${holder.pid}\n`);
    const daemon = await Session.start(AS_NOBODY);
    expect(await daemon.error(START, pidFile)).toMatchObject({
      code: 'ERR_PID_FILE_LOCKED',
      pid: holder.pid,
    });
  });

  test('a directory that it may not write is EACCES, and so is one that it may not enter', async () => {
    const daemon = await Session.start(AS_NOBODY);
    for (const mode of [0o755, 0o700]) {
      chmodSync(directory, mode);
      expect(await daemon.error(START, pidFile)).toMatchObject({
        isPidFileError: true,
        code: 'EACCES',
        syscall: 'open',
        path: pidFile,
      });
    }
    expect(existsSync(pidFile)).toBe(false);
  });

  test('a file of its own in a directory that it may not write is emptied by stop()', async () => {
    chmodSync(directory, 0o755);
    writeFileSync(pidFile, '');
    chownSync(pidFile, NOBODY.uid, NOBODY.gid);
    const daemon = await Session.start(AS_NOBODY);
    await daemon.value(START, pidFile);
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(daemon.pid));
    await daemon.value(STOP);
    expect(readFileSync(pidFile, 'utf8')).toBe('');
    await daemon.value(START, pidFile);
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(daemon.pid));
  });

  withTools('prlimit')('when the system has no more threads', () => {
    testUnlessOn('bun', 'sometimes it panics itself when it is refused a thread')(
      'a start fails after the claim, and leaves the file as it was: missing or stale',
      async () => {
        chmodSync(directory, 0o777);
        const daemon = await Session.start(AS_NOBODY);
        await new Fixture(['prlimit', `--pid=${daemon.pid}`, '--nproc=1:1'], NOBODY).end();
        expect(await daemon.error(START, pidFile)).toMatchObject({
          name: 'SignalError',
          code: 'EAGAIN',
        });
        expect(existsSync(pidFile)).toBe(false);

        writeFileSync(pidFile, '2147483647\n');
        chmodSync(pidFile, 0o666);
        const before = snapshot(pidFile);
        expect(await daemon.error(START, pidFile)).toMatchObject({ code: 'EAGAIN' });
        expect(snapshot(pidFile)).toEqual(before);
      },
    );
  });

  withTools('unshare', 'mount')('on file systems of their own', () => {
    /** A process whose mount namespace has a tmpfs of these options at the directory. */
    async function within(options: string): Promise<Session> {
      return Session.start({
        wrapper: [
          'unshare',
          '--mount',
          'sh',
          '-c',
          'mount -t tmpfs -o "$0" tmpfs "$1" && shift && exec "$@"',
          options,
          directory,
        ],
      });
    }

    test('a read-only one is EROFS', async () => {
      const daemon = await within('ro');
      expect(await daemon.error(START, pidFile)).toMatchObject({
        isPidFileError: true,
        code: 'EROFS',
        path: pidFile,
      });
    });

    test('a full one is ENOSPC: no file is left, no handler installed', async () => {
      const daemon = await within('size=4k');
      await daemon.value('require("fs").writeFileSync($0, "x".repeat(4096))', `${directory}/full`);
      expect(await daemon.error(START, pidFile)).toMatchObject({
        isPidFileError: true,
        code: 'ENOSPC',
        syscall: 'write',
        path: pidFile,
      });
      expect(await daemon.value('require("fs").readdirSync($0)', directory)).toEqual(['full']);
      daemon.fixture.kill('SIGTERM');
      expect(await daemon.fixture.end()).toMatchObject({ signal: 'SIGTERM' });
    });

    test('one with no inode left is ENOSPC too', async () => {
      const daemon = await within('nr_inodes=1');
      expect(await daemon.error(START, pidFile)).toMatchObject({ code: 'ENOSPC', syscall: 'open' });
    });
  });
});

onLinux('where the file system has no locks', () => {
  // Each system and file system has its own error for that; macOS has ENOTSUP, NFS may have EIO.
  describe.each(['EINVAL', 'EIO'])('(%s)', (error) => {
    withTools('python3')('(refused by a seccomp filter)', () => {
      const wrapper = [
        'python3',
        join(FIXTURES, 'refuse.py'),
        `fcntl:36=${error}`,
        `fcntl:37=${error}`,
        '--',
      ];

      test('the file is used without, and a second daemon is refused by the file alone', async () => {
        const first = await Session.start({ wrapper });
        await first.value(START, pidFile);
        expect(locksOf(first.pid, pidFile)).toEqual([]);
        expect(readFileSync(pidFile, 'utf8')).toBe(`${first.pid}\n`);
        const second = await Session.start({ wrapper });
        expect(await second.error(START, pidFile)).toMatchObject({
          code: 'ERR_PID_FILE_LOCKED',
          pid: first.pid,
        });
        await second.value('send($0, 0)', pidFile);
        await first.value(STOP);
        expect(existsSync(pidFile)).toBe(false);
        await second.value(START, pidFile);
      });

      test('nor does a daemon lose it to a child of its own', async () => {
        const daemon = await Session.start({ wrapper });
        await daemon.value(START, pidFile);
        const child = 'daemoniker.PidFile.acquire(args[0])';
        const command = [...RUNTIME, join(FIXTURES, 'script.cjs'), child, pidFile];
        const said = (await daemon.value(
          'String(require("node:child_process").execFileSync($0[0], $0.slice(1)))',
          command,
        )) as string;
        expect(JSON.parse(said)).toMatchObject({ event: 'threw', code: 'ERR_PID_FILE_LOCKED' });
        expect(readFileSync(pidFile, 'utf8')).toBe(`${daemon.pid}\n`);
      });

      test('and a stale file is replaced', async () => {
        const other = await stranger();
        writeFileSync(pidFile, `${other.pid}\n`);
        utimesSync(pidFile, LONG_AGO, LONG_AGO);
        const daemon = await Session.start({ wrapper });
        expect(await daemon.error('send($0, 0)', pidFile)).toMatchObject({
          code: 'ERR_PID_FILE_STALE',
        });
        await daemon.value(START, pidFile);
        expect(readFileSync(pidFile, 'utf8')).toBe(`${daemon.pid}\n`);
      });
    });
  });
});
