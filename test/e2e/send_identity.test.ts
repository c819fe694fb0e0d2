// send() signals the process that the file means, and no other that has its number.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PidFile, PidFileError, SIGTERM, SignalError, ping, send } from '../../';
import { caught } from '../support/caught';
import { directory, pidFile } from '../support/each_test';
import { Fixture, start } from '../support/fixture';
import { AS_NOBODY, FOR_NOBODY, asRoot } from '../support/nobody';
import { contentHeldBy } from '../support/pid_file';
import { onLinux, onLinuxAndWindows, onNodeOnLinux, only, withTools } from '../support/platform';
import { eventually, lockHolder, makeZombie, startProgram, stateOf } from '../support/processes';
import { FIXTURES, NAME, RUNTIME } from '../support/runtime';
import { Session } from '../support/session';

const START = '(kept.handler = new SignalHandler1($0).start(), true)';
const LONG_AGO = new Date('2001-01-01');

/** Writes a PID file as a daemon that takes no lock, at that moment. */
function writePidFile(pid: number, writtenAt?: Date): void {
  writeFileSync(pidFile, `${pid}\n`);
  if (writtenAt !== undefined) utimesSync(pidFile, writtenAt, writtenAt);
}

describe('a process that started after the file was written has its number by chance', () => {
  test('ERR_PID_FILE_STALE with both times, and nothing is signalled', async () => {
    const other = await Session.start();
    writePidFile(other.pid, LONG_AGO);
    const error = caught(() => send(pidFile, SIGTERM));
    expect(error).toBeInstanceOf(PidFileError);
    expect(error).toMatchObject({ code: 'ERR_PID_FILE_STALE', path: pidFile, pid: other.pid });
    expect(error.message).toContain(LONG_AGO.toISOString());
    const times = error.message.match(/\d{4}-\d\d-\d\dT[\d:.]+Z/g) ?? [];
    const startedAt = Date.parse(times.find((time) => time !== LONG_AGO.toISOString()) ?? '');
    expect(Math.abs(Date.now() - startedAt)).toBeLessThan(30_000);
    expect(ping(pidFile)).toBe(false);
    expect(await other.value('"alive"')).toBe('alive');
  });

  test('{ verify: false } signals it all the same', async () => {
    const other = await Session.start();
    writePidFile(other.pid, LONG_AGO);
    send(pidFile, SIGTERM, { verify: false });
    const { code, signal } = await other.fixture.end();
    expect(process.platform === 'win32' ? code : signal).toBe(
      process.platform === 'win32' ? SIGTERM.SIGNUM : 'SIGTERM',
    );
  });

  test('within the two seconds that clocks may differ it is taken for the daemon', async () => {
    const before = Date.now();
    const starting = Session.start();
    const after = Date.now(); // it has been started by now, however long it takes to be ready
    const daemon = await starting;
    writePidFile(daemon.pid, new Date(after - 1000));
    send(pidFile, 0);
    writePidFile(daemon.pid, new Date(before - 2500));
    expect(caught(() => send(pidFile, 0))).toMatchObject({ code: 'ERR_PID_FILE_STALE' });
  });
});

test('a daemon that holds its file is itself, whatever the time of the file', async () => {
  const daemon = await Session.start();
  await daemon.value(START, pidFile);
  for (const time of [LONG_AGO, new Date('2100-01-01')]) {
    utimesSync(pidFile, time, time);
    send(pidFile, 0);
    expect(ping(pidFile)).toBe(true);
  }
});

onLinuxAndWindows('a file that one process holds and that names another', () => {
  test('is ERR_PID_FILE_FOREIGN, and neither is signalled', async () => {
    const holder = await Session.start();
    await holder.value(START, pidFile);
    const other = await Session.start();
    writePidFile(other.pid);
    expect(caught(() => send(pidFile, SIGTERM))).toMatchObject({ code: 'ERR_PID_FILE_FOREIGN' });
    for (const one of [holder, other]) expect(await one.value('"alive"')).toBe('alive');
  });
});

test('a process that is gone is ESRCH, with path and PID', async () => {
  const gone = await Session.start();
  gone.fixture.child.stdin?.end();
  await gone.fixture.end();
  writePidFile(gone.pid);
  for (const options of [{}, { verify: false }]) {
    const error = caught(() => send(pidFile, SIGTERM, options));
    expect(error).toBeInstanceOf(SignalError);
    expect(error).toMatchObject({ code: 'ESRCH', path: pidFile, pid: gone.pid });
    expect(error['errno']).toBe(process.platform === 'win32' ? -4040 : -3);
    expect(error.message).toContain(pidFile);
    expect(error.message).toContain(String(gone.pid));
  }
  expect(ping(pidFile)).toBe(false);
});

test('a process can signal itself', async () => {
  const daemon = start('daemon', [pidFile]);
  await daemon.hears('ready');
  daemon.tell('eval daemoniker.send(handler.pidFile, daemoniker.SIGTERM)');
  expect(await daemon.hears('handled')).toMatchObject({
    name: 'SIGTERM',
    sender: { pid: daemon.pid },
  });
});

test('ping() of the process itself', () => {
  const claim = PidFile.acquire(pidFile);
  expect(ping(pidFile)).toBe(true);
  claim.release();
  expect(ping(pidFile)).toBe(false);
});

test('ping() throws for what is no answer', () => {
  writeFileSync(pidFile, 'text');
  expect(caught(() => ping(pidFile))).toMatchObject({ code: 'ERR_PID_FILE_INVALID' });
  const notAPath = caught(() => ping(42 as unknown as string));
  expect(notAPath).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
});

onLinux('on Linux', () => {
  withTools('python3')('a process whose main thread has ended', () => {
    test('is alive as long as another thread is', async () => {
      // pthread_exit(3) would end Python; the system call ends the one thread (x86-64, arm64).
      const program = await startProgram(
        [
          'python3',
          '-c',
          'import ctypes, platform, sys, threading\n' +
            'threading.Thread(target=sys.stdin.read).start()\n' +
            'print("runs", flush=True)\n' +
            'ctypes.CDLL(None).syscall(60 if platform.machine() == "x86_64" else 93, 0)',
        ],
        'runs',
      );
      await eventually('its main thread has ended', () => stateOf(program.pid) === 'Z');
      writePidFile(program.pid);
      expect(ping(pidFile)).toBe(true);
      send(pidFile, 0);
      expect(caught(() => PidFile.acquire(pidFile))).toMatchObject({ code: 'ERR_PID_FILE_LOCKED' });
    });
  });

  withTools('python3')('zombies and descriptors', () => {
    test('a zombie is ESRCH', async () => {
      const zombie = await makeZombie();
      writePidFile(zombie.pid);
      for (const options of [{}, { verify: false }]) {
        expect(caught(() => send(pidFile, 0, options))).toMatchObject({ code: 'ESRCH' });
      }
      expect(ping(pidFile)).toBe(false);
    });

    test('no descriptor is left over, whether it succeeds or fails, in whatever way', async () => {
      const daemon = await Session.start();
      await daemon.value(START, pidFile);
      const other = await Session.start();
      const zombie = await makeZombie();
      const files: Record<string, string> = { good: pidFile };
      for (const [name, content] of Object.entries({
        stale: `${other.pid}\n`,
        zombie: `${zombie.pid}\n`,
        gone: '2147483647\n',
        invalid: 'text',
      })) {
        files[name] = join(directory, name);
        writeFileSync(files[name], content);
      }
      utimesSync(files['stale'] as string, LONG_AGO, LONG_AGO);

      const sender = await Session.start();
      const COUNT = 'require("fs").readdirSync("/proc/self/fd").length';
      const SEND = `[...Array(1000)].map(() => {
      try { send($0, 0); return 'sent'; } catch (error) { return error.code; }
    }).filter((code, index, all) => all.indexOf(code) === index)`;
      const before = (await sender.value(COUNT)) as number;
      expect(await sender.value(SEND, files['good'])).toEqual(['sent']);
      expect(await sender.value(SEND, files['stale'])).toEqual(['ERR_PID_FILE_STALE']);
      expect(await sender.value(SEND, files['zombie'])).toEqual(['ESRCH']);
      expect(await sender.value(SEND, files['gone'])).toEqual(['ESRCH']);
      expect(await sender.value(SEND, files['invalid'])).toEqual(['ERR_PID_FILE_INVALID']);
      // A leak would leave one for each call; Deno opens one or two of its own at times.
      expect(await sender.value(COUNT)).toBeLessThan(before + 100);
    });
  });

  withTools('python3')('daemons that lock in other ways', () => {
    test.each(['ofd', 'posix'] as const)(
      'a %s lock held by the named process makes it the one, whatever the time',
      async (kind) => {
        const holder = await startProgram(lockHolder(pidFile, kind, true), 'locked');
        send(pidFile, 0);
        utimesSync(pidFile, LONG_AGO, LONG_AGO);
        send(pidFile, 0);
        expect(readFileSync(pidFile, 'utf8')).toBe(`${holder.pid}\n`);
      },
    );

    test('an flock lock says nothing to us: the time decides', async () => {
      await startProgram(lockHolder(pidFile, 'flock', true), 'locked');
      send(pidFile, 0);
      utimesSync(pidFile, LONG_AGO, LONG_AGO);
      expect(caught(() => send(pidFile, 0))).toMatchObject({ code: 'ERR_PID_FILE_STALE' });
    });

    test.each(['ofd', 'posix'] as const)(
      'a %s lock held by another process than the named one: ERR_PID_FILE_FOREIGN',
      async (kind) => {
        const named = await Session.start();
        writePidFile(named.pid);
        await startProgram(lockHolder(pidFile, kind, false), 'locked');
        const error = caught(() => send(pidFile, SIGTERM));
        expect(error).toBeInstanceOf(PidFileError);
        expect(error).toMatchObject({ code: 'ERR_PID_FILE_FOREIGN', pid: named.pid });
        expect(ping(pidFile)).toBe(false);
        expect(await named.value('"alive"')).toBe('alive');
      },
    );

    test('having the file open, or another kind of lock on it, makes nobody its holder', async () => {
      writeFileSync(pidFile, '');
      const named = await startProgram(lockHolder(pidFile, 'flock', true), 'locked');
      await startProgram(lockHolder(pidFile, 'ofd', false), 'locked');
      expect(caught(() => send(pidFile, 0))).toMatchObject({
        code: 'ERR_PID_FILE_FOREIGN',
        pid: named.pid,
      });
    });

    test('asking takes no lock, so it never disturbs a daemon that is just starting', async () => {
      const asker = await Session.start();
      writePidFile(asker.pid);
      const stop = join(directory, 'stop');
      // One attempt each time; the package itself would try again.
      const attempts = await startProgram(
        [
          'python3',
          '-c',
          'import fcntl, os, struct, sys\n' +
            'file = open(sys.argv[1], "r+")\n' +
            'def lock(kind): fcntl.fcntl(file, 37, struct.pack("hhqqi4x", kind, 0, 0, 0, 0))\n' +
            'print("tries", flush=True)\n' +
            'while not os.path.exists(sys.argv[2]):\n' +
            '    for _ in range(1000): lock(fcntl.F_WRLCK); lock(fcntl.F_UNLCK)\n' +
            '    print("a thousand times", flush=True)\n' +
            'print("never refused", flush=True)',
          pidFile,
          stop,
        ],
        'tries',
      );
      const asked = asker.value(
        `(() => {
          const { existsSync } = require('node:fs');
          let asked = 0;
          while (!existsSync($1)) {
            ping($0);
            if (++asked === 10_000) say('has asked');
          }
          return asked;
        })()`,
        pidFile,
        stop,
      );
      await asker.fixture.hears('has asked');
      const attempted = (): number => attempts.stdout.split('times').length - 1;
      const before = attempted();
      await attempts.until('more attempts', () => attempted() >= before + 50);
      writeFileSync(stop, '');
      expect((await attempts.end()).code).toBe(0);
      expect(attempts.stdout).toContain('never refused');
      expect(await asked).toBeGreaterThan(10_000);
    });
  });
});

asRoot('with other users and namespaces', () => {
  test('a process that may not be signalled is EPERM, with path and PID; ping() is true', async () => {
    const daemon = await Session.start();
    chmodSync(directory, 0o755);
    await daemon.value(START, pidFile);
    const nobody = await Session.start(AS_NOBODY);
    const error = await nobody.error('send($0, SIGTERM)', pidFile);
    expect(error).toMatchObject({ name: 'SignalError', code: 'EPERM', path: pidFile, errno: -1 });
    expect(error['pid']).toBe(daemon.pid);
    expect(error['message']).toContain(pidFile);
    expect(error['message']).toContain(String(daemon.pid));
    expect(await nobody.value('ping($0)', pidFile)).toBe(true);
    expect(await daemon.value('"alive"')).toBe('alive');
  });

  test('a file that may not be read is EACCES, for ping() too', async () => {
    writePidFile(process.pid);
    const nobody = await Session.start(AS_NOBODY);
    for (const ask of ['send($0, 0)', 'ping($0)']) {
      expect(await nobody.error(ask, pidFile)).toMatchObject({
        isPidFileError: true,
        code: 'EACCES',
      });
    }
  });

  withTools(
    'unshare',
    'mount',
    'setpriv',
  )('where /proc hides the processes of others', () => {
    test('an unlocked file of one of them is not taken, for nobody can tell', async () => {
      chmodSync(directory, 0o777);
      writePidFile(1);
      chmodSync(pidFile, 0o666);
      const unprivileged = 'setpriv --reuid=65534 --regid=65534 --clear-groups "$@"';
      const nobody = await Session.start({
        ...FOR_NOBODY,
        wrapper: [
          ...['unshare', '--pid', '--mount-proc', '--fork', '--kill-child'],
          ...['sh', '-c', `mount -o remount,hidepid=2 /proc; ${unprivileged}; exit`, 'sh'],
        ],
      });
      const error = await nobody.error('PidFile.acquire($0)', pidFile);
      expect(error).toMatchObject({ isPidFileError: true, code: 'EACCES', pid: 1 });
      expect(error['message']).toContain('Cannot tell whether process 1');
      expect(readFileSync(pidFile, 'utf8')).toBe('1\n');
    });

    const WITHOUT_PIDFD = ['python3', join(FIXTURES, 'refuse.py'), 'pidfd_open=ENOSYS', '--'];
    test.each([
      [2, 'with a pidfd', []],
      [2, 'without', WITHOUT_PIDFD],
      [1, 'with a pidfd', []],
      [1, 'without', WITHOUT_PIDFD],
    ])('=%i: a daemon that holds its file is not taken for dead, %s', async (mode, _, refusing) => {
      chmodSync(directory, 0o755);
      const daemon = await Session.start();
      await daemon.value(START, pidFile);
      const nobody = await Session.start({
        ...FOR_NOBODY,
        wrapper: [
          ...[...refusing, 'unshare', '--mount', '--propagation', 'private'],
          ...['sh', '-c', `mount -t proc -o hidepid=${mode} proc /proc && exec "$@"`, 'sh'],
          ...['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'],
        ],
      });
      for (const ask of ['ping($0)', 'send($0, 0)', 'terminate($0, { signal: 0, timeout: 1 })']) {
        expect(await nobody.error(ask, pidFile)).toMatchObject({
          code: 'EACCES',
          pid: daemon.pid,
          message: expect.stringContaining(
            '/proc does not show it to this user (hidepid)',
          ) as unknown,
        });
      }
      expect(await nobody.error('PidFile.acquire($0)', pidFile)).toMatchObject({
        code: 'ERR_PID_FILE_LOCKED',
        pid: daemon.pid,
      });

      daemon.fixture.kill('SIGKILL');
      await daemon.fixture.end();
      // Of a process of root, which it may not look at either, and need not.
      writeFileSync(pidFile, contentHeldBy(process.pid));
      expect(await nobody.value('ping($0)', pidFile)).toBe(false);
      expect(await nobody.error('send($0, 0)', pidFile)).toMatchObject({
        code: 'ERR_PID_FILE_STALE',
      });
    });
  });

  withTools('unshare')('where /proc belongs to another PID namespace', () => {
    test('who asks is told that', async () => {
      const asker = await Session.start({
        wrapper: ['unshare', '--pid', '--fork', '--kill-child'],
      });
      // A child of it has a number there that no process has here.
      const asking = `(() => {
        kept.child = require('child_process').spawn('sleep', ['1000'], { stdio: 'ignore' });
        const { existsSync } = require('fs');
        while (existsSync('/proc/' + kept.child.pid)) {
          kept.child.kill();
          kept.child = require('child_process').spawn('sleep', ['1000'], { stdio: 'ignore' });
        }
        require('fs').writeFileSync($0, kept.child.pid + '\\n');
        return send($0, 0);
      })()`;
      expect(await asker.error(asking, pidFile)).toMatchObject({
        code: 'EACCES',
        message: expect.stringContaining('/proc belongs to another PID namespace') as unknown,
      });
    });
  });

  // Bun, Deno and a Node.js that finds its libraries by /proc do not even start there.
  const mounting = 'mount -t tmpfs tmpfs /proc && exec "$@"';
  const wrapper = ['unshare', '--mount', 'sh', '-c', mounting, 'sh'];
  const starts =
    NAME === 'node' &&
    spawnSync('unshare', [...wrapper.slice(1), ...RUNTIME, '-e', '0']).status === 0;

  only('a Node.js that starts without /proc', starts)('where /proc is not mounted', () => {
    describe('who asks', () => {
      const message = expect.stringMatching(
        /EACCES: \/proc is not mounted here; mount it first/,
      ) as unknown;

      test('is told that, and not only that permission is denied', async () => {
        const daemon = await Session.start();
        await daemon.value(START, pidFile);
        const asker = await Session.start({ wrapper });
        const expected = { code: 'EACCES', pid: daemon.pid, message };
        for (const ask of ['ping($0)', 'send($0, 0)', 'terminate($0, { signal: 0, timeout: 1 })'])
          expect(await asker.error(ask, pidFile)).toMatchObject(expected);
        expect(await asker.error('PidFile.acquire($0)', pidFile)).toMatchObject({
          code: 'ERR_PID_FILE_LOCKED',
          pid: daemon.pid,
        });
        await daemon.value('kept.handler.stop()');
        writePidFile(daemon.pid);
        expect(await asker.error('PidFile.acquire($0)', pidFile)).toMatchObject(expected);
        expect(await asker.value('send($0, 0)', daemon.pid)).toBeUndefined();
      });

      test('is told so by launch(), which cannot know whether the daemon holds its file', async () => {
        const asker = await Session.start({ wrapper });
        const launching = 'launch($0, "sh", ["-c", `echo "$PPID" > "$0"`, $0])';
        expect(await asker.error(launching, pidFile)).toMatchObject({
          code: 'ERR_LAUNCH_ENDED',
          message,
        });
      });
    });
  });

  asRoot(
    'a lock whose holder may not be looked at, in a file whose time is before the daemon,',
    () => {
      // Whoever holds it is alive.
      async function expectUndecided(pid: number): Promise<void> {
        utimesSync(pidFile, LONG_AGO, LONG_AGO);
        const nobody = await Session.start(AS_NOBODY);
        for (const ask of ['ping($0)', 'send($0, 0)', 'terminate($0, { signal: 0, timeout: 1 })']) {
          expect(await nobody.error(ask, pidFile)).toMatchObject({ code: 'EACCES', pid });
        }
        const cli = join(AS_NOBODY.root, 'dist', 'cli.js');
        const status = new Fixture([...RUNTIME, cli, 'status', pidFile], AS_NOBODY);
        const { code, stdout, stderr } = await status.end();
        expect({ code, stderr }).toEqual({ code: 4, stderr: '' });
        expect(stdout).toContain(`unknown: Cannot tell whether process ${pid} of PID file`);
      }

      test("is not taken for a stale one: another user's daemon", async () => {
        chmodSync(directory, 0o755);
        const daemon = await Session.start();
        await daemon.value(START, pidFile);
        await expectUndecided(daemon.pid);
      });

      withTools('setcap')('and runs on a Node.js with file capabilities,', () => {
        onNodeOnLinux.test("is not taken for a stale one: the user's own daemon", async () => {
          chmodSync(directory, 0o777);
          const capable = join(directory, 'node');
          copyFileSync(process.execPath, capable);
          const { status } = spawnSync('setcap', ['cap_net_bind_service+ep', capable]);
          expect(status).toBe(0);
          const program = join(AS_NOBODY.root, 'test', 'fixtures', 'session.cjs');
          const daemon = new Fixture([capable, program], AS_NOBODY);
          daemon.tell(JSON.stringify([START, pidFile]));
          await daemon.hears('value');
          await expectUndecided(daemon.pid);
        });
      });
    },
  );

  withTools('unshare')('in a PID namespace', () => {
    const wrapper = ['unshare', '--pid', '--mount-proc', '--fork', '--kill-child'];

    test('a number of another PID namespace is ERR_PID_FILE_FOREIGN; start() is refused', async () => {
      const daemon = await Session.start({ wrapper });
      await daemon.value(START, pidFile);
      expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(1));
      await daemon.value('send($0, 0)', pidFile); // inside it means the daemon
      const error = caught(() => send(pidFile, 0)); // here, init
      expect(error).toBeInstanceOf(PidFileError);
      expect(error).toMatchObject({ code: 'ERR_PID_FILE_FOREIGN', pid: 1 });
      expect(ping(pidFile)).toBe(false);
      expect(caught(() => PidFile.acquire(pidFile))).toMatchObject({
        code: 'ERR_PID_FILE_LOCKED',
        pid: null,
      });
    });

    test('a PID that was really reused is never signalled, and blocks no start', async () => {
      const inside = await Session.start({ wrapper });
      const SPAWN = '(kept.child = require("child_process").spawn("sleep", ["600"])).pid';
      let pid: unknown;
      let reused: unknown;
      // A thread of the runtime may take the number first, and keep it: then another number.
      for (let round = 0; round < 20 && (round === 0 || reused !== pid); round++) {
        pid = await inside.value(SPAWN);
        // Long ago, so that the test need not wait out the two seconds of tolerance.
        await inside.value(
          `(require('fs').writeFileSync($0, $1 + '\\n'), require('fs').utimesSync($0, 1e9, 1e9), true)`,
          pidFile,
          pid,
        );
        await inside.value('new Promise((done) => kept.child.on("exit", () => done(true)).kill())');
        expect(await inside.error('send($0, 0)', pidFile)).toMatchObject({ code: 'ESRCH' });

        for (let attempt = 0; attempt < 5 && reused !== pid; attempt++) {
          reused = await inside.value(
            `(require('fs').writeFileSync('/proc/sys/kernel/ns_last_pid', String($0 - 1)), ${SPAWN})`,
            pid,
          );
        }
      }
      expect(reused).toBe(pid);
      expect(await inside.error('send($0, SIGTERM)', pidFile)).toMatchObject({
        code: 'ERR_PID_FILE_STALE',
        pid,
      });
      expect(await inside.value('ping($0)', pidFile)).toBe(false);
      expect(await inside.value('[kept.child.exitCode, kept.child.signalCode]')).toEqual([
        null,
        null,
      ]);
      await inside.value(START, pidFile);
      expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(1));
    });

    test('a container that starts again finds its old number, and takes the file over', async () => {
      for (let start = 0; start < 2; start++) {
        const daemon = await Session.start({ wrapper });
        await daemon.value(START, pidFile);
        expect(await daemon.value('send($0, 0)', pidFile)).toBe(undefined);
        // Killed from outside, so that the file stays; as if the machine had lost its power.
        const init = Number(
          readFileSync(`/proc/${daemon.pid}/task/${daemon.pid}/children`, 'utf8').trim(),
        );
        process.kill(init, 'SIGKILL');
        await daemon.fixture.end();
        expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(1));
        utimesSync(pidFile, LONG_AGO, LONG_AGO);
      }
    });
  });
});
