// A PID file never points at a stranger: what a daemon that was killed leaves behind means nobody.
import {
  chownSync,
  existsSync,
  readFileSync,
  readdirSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PidFile, PidFileError, ping, send, terminate } from '../../';
import { caught } from '../support/caught';
import { directory, pidFile } from '../support/each_test';
import { FUSE, besides, withFuse } from '../support/fuse';
import { NOBODY, asRoot } from '../support/nobody';
import { contentHeldBy } from '../support/pid_file';
import { only, onLinux, withTools } from '../support/platform';
import { eventually, startProgram, stateOf } from '../support/processes';
import { FIXTURES, IS_WINDOWS, NAME, VERSION } from '../support/runtime';
import { Session } from '../support/session';

const START = '(kept.handler = new SignalHandler1($0).start(), true)';
const STOP = 'kept.handler.stop()';
const LONG_AGO = new Date('2001-01-01');

describe('a file that was written under a lock and is not locked any more', () => {
  test('means nobody, however well the times fit: ERR_PID_FILE_STALE', async () => {
    const stranger = await Session.start();
    writeFileSync(pidFile, contentHeldBy(stranger.pid));
    const error = caught(() => send(pidFile, 'SIGTERM'));
    expect(error).toBeInstanceOf(PidFileError);
    expect(error).toMatchObject({
      code: 'ERR_PID_FILE_STALE',
      path: pidFile,
      pid: stranger.pid,
      message: expect.stringContaining('no process holds') as unknown,
    });
    expect(ping(pidFile)).toBe(false);
    expect(await terminate(pidFile)).toEqual({ pid: null, outcome: 'not-running' });
    expect(await stranger.value('"alive"')).toBe('alive');
  });

  test('blocks no start', async () => {
    const stranger = await Session.start();
    writeFileSync(pidFile, contentHeldBy(stranger.pid));
    const daemon = await Session.start();
    await daemon.value(START, pidFile);
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(daemon.pid));
    expect(ping(pidFile)).toBe(true);
    await daemon.value(STOP);
    expect(existsSync(pidFile)).toBe(false);
  });

  test('{ verify: false } signals the process that has the number all the same', async () => {
    const stranger = await Session.start();
    writeFileSync(pidFile, contentHeldBy(stranger.pid));
    send(pidFile, 0, { verify: false });
  });

  test('is ours to remove if it names this process, as after a restart of a container', async () => {
    const daemon = await Session.start();
    writeFileSync(pidFile, contentHeldBy(daemon.pid));
    await daemon.value(START, pidFile);
    expect(ping(pidFile)).toBe(true);
    await daemon.value(STOP);
    expect(existsSync(pidFile)).toBe(false);
  });

  test.each([
    ['one line', '\n'],
    ['an empty second line', '\n\n'],
    ['three empty lines', '\n\n\n\n'],
    ['no end of the line', ''],
  ])('is not to be confused with one of another program: %s', async (_, end) => {
    const holder = await Session.start();
    writeFileSync(pidFile, `${holder.pid}${end}`);
    send(pidFile, 0);
    expect(ping(pidFile)).toBe(true);
    expect(caught(() => PidFile.acquire(pidFile))).toMatchObject({
      code: 'ERR_PID_FILE_LOCKED',
      pid: holder.pid,
    });
  });
});

const [major = 0, minor = 0] = VERSION.split('.').map(Number);
const hasExecve = major > 23 || (major === 23 && minor >= 11) || (major === 22 && minor >= 15);
const canReplaceItself = NAME === 'node' && hasExecve && !IS_WINDOWS;
only('a Node.js with process.execve()', canReplaceItself)('process.execve()', () => {
  test('frees the file, and the next program of that process removes it at its end', async () => {
    const daemon = await Session.start();
    await daemon.value(START, pidFile);
    daemon.fixture.tell(
      JSON.stringify(['process.execve(process.execPath, process.argv, process.env)']),
    );
    await daemon.fixture.hears('ready');
    await daemon.value(START, pidFile);
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(daemon.pid));
    await daemon.value(STOP);
    expect(existsSync(pidFile)).toBe(false);
  });
});

onLinux('on Linux', () => {
  withTools('python3')('where nobody can tell a lock', () => {
    test('the mark counts for nothing: the times decide', async () => {
      const daemon = await Session.start();
      writeFileSync(pidFile, contentHeldBy(daemon.pid));
      const refuse = ['fcntl:36=EINVAL', 'fcntl:37=EINVAL'];
      const wrapper = ['python3', join(FIXTURES, 'refuse.py'), ...refuse, '--'];
      const asker = await Session.start({ wrapper });
      expect(await asker.value('ping($0)', pidFile)).toBe(true);
      expect(await asker.error('PidFile.acquire($0)', pidFile)).toMatchObject({
        code: 'ERR_PID_FILE_LOCKED',
        pid: daemon.pid,
      });
      utimesSync(pidFile, LONG_AGO, LONG_AGO);
      expect(await asker.error('send($0, 0)', pidFile)).toMatchObject({
        code: 'ERR_PID_FILE_STALE',
      });
    });
  });

  withFuse('where only the server of the file system knows the locks', () => {
    let daemon: Session;
    let asker: Session;
    beforeEach(async () => {
      daemon = await Session.start({ wrapper: [...FUSE, directory] });
      asker = await Session.start({ wrapper: besides(daemon.pid) });
      await daemon.value(START, pidFile);
    });

    test('a daemon that has its file open is not taken for a stranger', async () => {
      expect(await asker.value('ping($0)', pidFile)).toBe(true);
      await asker.value('send($0, 0)', pidFile);
      expect(await asker.error('PidFile.acquire($0)', pidFile)).toMatchObject({
        code: 'ERR_PID_FILE_LOCKED',
        pid: daemon.pid,
      });
      await daemon.value(STOP);
      expect(await asker.value('ping($0)', pidFile)).toBe(false);
      await asker.value(START, pidFile);
    });

    test('one that started later than its file was written is unknown: EACCES', async () => {
      await asker.value('require("fs").utimesSync($0, 1e9, 1e9)', pidFile);
      for (const ask of ['send($0, 0)', 'ping($0)']) {
        expect(await asker.error(ask, pidFile)).toMatchObject({
          code: 'EACCES',
          isPidFileError: true,
          pid: daemon.pid,
          message: expect.stringMatching(/^Cannot tell whether .*on FUSE/) as unknown,
        });
      }
    });

    test('who finds its own number in a file that another holds is not told that it holds it', async () => {
      await asker.value('require("fs").writeFileSync($0, `${process.pid}\\n`)', pidFile);
      expect(await asker.error('PidFile.acquire($0)', pidFile)).toMatchObject({
        code: 'ERR_PID_FILE_LOCKED',
        message: expect.stringContaining('is held by another process') as unknown,
      });
    });

    test('a process that does not have the file open is a stranger', async () => {
      await asker.value('require("fs").writeFileSync($0, `${process.ppid}\\n`)', pidFile);
      expect(await asker.error('send($0, 0)', pidFile)).toMatchObject({
        code: 'ERR_PID_FILE_FOREIGN',
      });
      expect(await asker.value('ping($0)', pidFile)).toBe(false);
    });
  });

  withTools('python3')('a holder whose main thread has ended', () => {
    test('still holds its file, whatever its time, as long as another thread runs', async () => {
      // pthread_exit(3) would end Python; the system call ends the one thread (x86-64, arm64).
      const holder = await startProgram(
        [
          'python3',
          '-c',
          'import ctypes, fcntl, os, platform, struct, sys, threading\n' +
            'file = open(sys.argv[1], "w")\n' +
            'fcntl.fcntl(file, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))\n' +
            'print(os.getpid(), file=file, flush=True)\n' +
            'threading.Thread(target=sys.stdin.read).start()\n' +
            'print("runs", flush=True)\n' +
            'ctypes.CDLL(None).syscall(60 if platform.machine() == "x86_64" else 93, 0)',
          pidFile,
        ],
        'runs',
      );
      await eventually('its main thread has ended', () => stateOf(holder.pid) === 'Z');
      utimesSync(pidFile, LONG_AGO, LONG_AGO);
      expect(ping(pidFile)).toBe(true);
      send(pidFile, 0);
      expect(caught(() => PidFile.acquire(pidFile))).toMatchObject({
        code: 'ERR_PID_FILE_LOCKED',
        pid: holder.pid,
      });
    });
  });
});

describe('an unlocked file of another program', () => {
  test('that names an ancestor of the sender is not trusted', async () => {
    const child = await Session.start(); // of this process
    writeFileSync(pidFile, `${process.pid}\n`);
    // Should it be trusted, nothing happens to the one that runs the tests.
    for (const ask of ['send($0, "SIGWINCH")', 'send($0, 0)']) {
      expect(await child.error(ask, pidFile)).toMatchObject({
        code: 'ERR_PID_FILE_UNVERIFIED',
        isPidFileError: true,
        path: pidFile,
        pid: process.pid,
        message: expect.stringMatching(/an ancestor of this process.*verify: false/) as unknown,
      });
    }
    expect(await child.error('terminate($0, { signal: 0 })', pidFile)).toMatchObject({
      code: 'ERR_PID_FILE_UNVERIFIED',
    });
    expect(await child.value('ping($0)', pidFile)).toBe(false);
    await child.value('send($0, 0, { verify: false })', pidFile);
    // To somebody who is not its child it is a process like any other.
    expect(ping(pidFile)).toBe(true);
    await child.value(START, pidFile);
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(child.pid));
  });

  test('that names an ancestor which holds it is trusted', async () => {
    const claim = PidFile.acquire(pidFile);
    const child = await Session.start();
    await child.value('send($0, 0)', pidFile);
    expect(await child.value('ping($0)', pidFile)).toBe(true);
    claim.release();
  });

  // There they have PIDs, which they do not in a container.
  const kernelThread = kernelThreadId();
  only('needs kernel threads', kernelThread !== null)('that names a kernel thread', () => {
    test('is not trusted', () => {
      writeFileSync(pidFile, `${kernelThread}\n`);
      expect(caught(() => send(pidFile, 0, { insecure: true }))).toMatchObject({
        code: 'ERR_PID_FILE_UNVERIFIED',
        pid: kernelThread,
      });
      expect(ping(pidFile)).toBe(false);
      const claim = PidFile.acquire(pidFile);
      expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(process.pid));
      claim.release();
    });
  });
});

function kernelThreadId(): number | null {
  if (process.platform !== 'linux') return null;
  const threads = readdirSync('/proc').filter((name) => {
    try {
      return (
        /^\d+$/.test(name) && readFileSync(`/proc/${name}/stat`, 'utf8').includes('(kthreadd)')
      );
    } catch {
      return false; // gone meanwhile
    }
  });
  return threads[0] === undefined ? null : Number(threads[0]);
}

asRoot('in containers', () => {
  withTools('unshare')('that share a directory', () => {
    /** All that is in the root directory, in another root directory. */
    const ROOT_OF_ITS_OWN = `
      mkdir "$0" && mount -t tmpfs tmpfs "$0" || exit
      for name in $(ls /); do
        if [ -L "/$name" ]; then cp -a "/$name" "$0"
        elif [ -d "/$name" ]; then mkdir "$0/$name" && mount --rbind "/$name" "$0/$name"
        fi
      done
      chroot "$0" "$@"; exit`;
    const NAMESPACE = ['unshare', '--pid', '--mount-proc', '--fork', '--kill-child'];
    /** PID 1 is a shell there, so that the session is an ordinary process. */
    const HOST = [...NAMESPACE, 'sh', '-c', '"$@"; exit', 'sh'];
    /** The process gets this number in a PID namespace of its own. */
    const asNumber = (pid: number): string[] => [
      ...NAMESPACE,
      'sh',
      '-c',
      `echo ${pid - 1} > /proc/sys/kernel/ns_last_pid; "$@"; exit`,
      'sh',
    ];

    /** Leaves the file of a daemon that was killed in a container, where it had this number. */
    async function leaveFile(pid: number): Promise<void> {
      const wrapper = pid === 1 ? NAMESPACE : asNumber(pid);
      const daemon = await Session.start({ wrapper });
      expect(await daemon.value('process.pid')).toBe(pid);
      await daemon.value(START, pidFile);
      // Process 1 cannot kill itself: unshare takes it with it. Another one would have time to see the
      // end of its input first, and to end well.
      if (pid === 1) daemon.fixture.kill('SIGKILL');
      else daemon.fixture.tell(JSON.stringify(["process.kill(process.pid, 'SIGKILL')"]));
      await daemon.fixture.end();
      expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(pid));
      await eventually(
        'the lock is gone',
        () => caught(() => send(pidFile, 0)).code !== 'ERR_PID_FILE_FOREIGN',
      );
    }

    test.each([
      ['a small number', 'require("child_process").spawn("sleep", ["600"])'],
      ['1', '{ pid: 1 }'],
    ])('a killed daemon that had %s there leads to nobody here', async (_, unrelated) => {
      const host = await Session.start({ wrapper: HOST });
      const pid = (await host.value(`(kept.unrelated = ${unrelated}).pid`)) as number;
      await leaveFile(pid);
      expect(await host.error('send($0, SIGTERM)', pidFile)).toMatchObject({
        code: 'ERR_PID_FILE_STALE',
        pid,
      });
      expect(await host.value('ping($0)', pidFile)).toBe(false);
      expect(await host.value('terminate($0)', pidFile)).toEqual({
        pid: null,
        outcome: 'not-running',
      });
      expect(
        await host.value('(process.kill(kept.unrelated.pid, 0), kept.unrelated.exitCode ?? null)'),
      ).toBe(null);
      await host.value(START, pidFile);
      expect(await host.value('ping($0)', pidFile)).toBe(true);
      await host.value(STOP);
      expect(existsSync(pidFile)).toBe(false);
    });

    test('PID 1 is trusted from inside its own container, if it has the owner of the file', async () => {
      const inside = await Session.start({ wrapper: HOST });
      writeFileSync(pidFile, '1\n');
      await inside.value('send($0, 0)', pidFile);
      expect(await inside.value('ping($0)', pidFile)).toBe(true);
      chownSync(pidFile, NOBODY.uid, NOBODY.gid);
      expect(await inside.error('send($0, 0, { insecure: true })', pidFile)).toMatchObject({
        code: 'ERR_PID_FILE_UNVERIFIED',
        pid: 1,
        message: expect.stringContaining('the init process') as unknown,
      });
      expect(await inside.value('ping($0)', pidFile)).toBe(false);
      await inside.value('send($0, 0, { insecure: true, verify: false })', pidFile);
    });

    test('PID 1 is not trusted where it sees other files', async () => {
      const inside = await Session.start({
        wrapper: [
          ...['unshare', '--pid', '--mount', '--mount-proc', '--fork', '--kill-child', 'sh', '-c'],
          ROOT_OF_ITS_OWN,
          join(directory, 'root'),
        ],
      });
      writeFileSync(pidFile, '1\n');
      expect(await inside.error('send($0, 0)', pidFile)).toMatchObject({
        code: 'ERR_PID_FILE_UNVERIFIED',
      });
    });
  });
});

describe('Object.prototype', () => {
  test('cannot switch a check off', async () => {
    const sender = await Session.start();
    const daemon = await Session.start();
    writeFileSync(pidFile, `${daemon.pid}\n`);
    utimesSync(pidFile, LONG_AGO, LONG_AGO);
    await sender.value('((Object.prototype.verify = false), (Object.prototype.insecure = true))');
    for (const options of ['', ', {}', ', { insecure: undefined }', ', Object.create({})']) {
      expect(await sender.error(`send($0, 0${options})`, pidFile)).toMatchObject({
        code: 'ERR_PID_FILE_STALE',
      });
    }
    // What somebody has meant counts, also if it is inherited.
    await sender.value('send($0, 0, Object.create({ verify: false }))', pidFile);
  });

  asRoot('as root', () => {
    test('cannot make root trust a file that anybody may write', async () => {
      const sender = await Session.start();
      const daemon = await Session.start();
      writeFileSync(pidFile, `${daemon.pid}\n`);
      chownSync(pidFile, NOBODY.uid, NOBODY.gid);
      await sender.value('(Object.prototype.insecure = true)');
      for (const ask of ['send($0, 0)', 'send($0, 0, {})', 'terminate($0, { signal: 0 })']) {
        expect(await sender.error(ask, pidFile)).toMatchObject({ code: 'ERR_PID_FILE_INSECURE' });
      }
    });
  });

  test('gives a handler no option', async () => {
    const daemon = await Session.start();
    await daemon.value(
      '(Object.prototype.deadline = "wrong", Object.prototype.sigterm = 42, true)',
    );
    await daemon.value('(new SignalHandler1(null), new SignalHandler1(null, {}), true)');
  });
});
