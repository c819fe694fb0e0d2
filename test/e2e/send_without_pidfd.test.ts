// send() where the kernel or a container's seccomp filter refuses pidfds: the weaker way, which
// still checks everything.
import { chmodSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { directory, pidFile } from '../support/each_test';
import { start } from '../support/fixture';
import { FOR_NOBODY, NOBODY, asRoot } from '../support/nobody';
import { onLinux, withTools } from '../support/platform';
import { lockHolder, makeZombie, startProgram } from '../support/processes';
import { FIXTURES } from '../support/runtime';
import { Session } from '../support/session';

const refusing = (...rules: readonly string[]): { wrapper: string[] } => ({
  wrapper: ['python3', join(FIXTURES, 'refuse.py'), ...rules, '--'],
});

const SETPRIV = ['setpriv', `--reuid=${NOBODY.uid}`, `--regid=${NOBODY.gid}`, '--clear-groups'];

onLinux('on Linux', () => {
  withTools('python3')('with a seccomp filter', () => {
    describe.each([
      ['pidfd_open is unknown (Linux before 5.3)', ['pidfd_open=ENOSYS']],
      ['pidfd_open is forbidden', ['pidfd_open=EPERM']],
      ['only pidfd_send_signal is unknown', ['pidfd_send_signal=ENOSYS']],
    ])('where %s', (_, rules) => {
      test('signals arrive, and every check is made', async () => {
        const sender = await Session.start(refusing(...rules));
        const daemon = start('daemon', [pidFile]);
        await daemon.hears('ready');
        await sender.value('send($0, SIGTERM)', pidFile);
        expect(await daemon.hears('handled')).toMatchObject({
          name: 'SIGTERM',
          sender: { pid: sender.pid },
        });
        expect(await sender.value('ping($0)', pidFile)).toBe(true);

        const codeFor = async (pid: number | string): Promise<unknown> => {
          writeFileSync(join(directory, 'other.pid'), `${pid}\n`);
          utimesSync(join(directory, 'other.pid'), 1e9, 1e9);
          return (await sender.error('send($0, 0)', join(directory, 'other.pid')))['code'];
        };
        expect(await codeFor(daemon.pid)).toBe('ERR_PID_FILE_STALE');
        expect(await codeFor('2147483647')).toBe('ESRCH');
        expect(await codeFor((await makeZombie()).pid)).toBe('ESRCH');
        expect(await codeFor('-1')).toBe('ERR_PID_FILE_INVALID');
        const stat = readFileSync(`/proc/${daemon.pid}/stat`, 'utf8');
        expect(stat).toContain(String(daemon.pid)); // it lives
      });
    });

    test('the number of a thread is no process', async () => {
      const sender = await Session.start(refusing('pidfd_open=ENOSYS'));
      const threads = (await sender.value(
        'require("fs").readdirSync("/proc/self/task")',
      )) as string[];
      writeFileSync(pidFile, `${String(threads.find((id) => Number(id) !== sender.pid))}\n`);
      expect(await sender.error('send($0, 0)', pidFile)).toMatchObject({ code: 'ESRCH' });
    });

    test('a file that another process has locked is foreign', async () => {
      const sender = await Session.start(refusing('pidfd_open=ENOSYS'));
      writeFileSync(pidFile, `${sender.pid}\n`);
      await startProgram(lockHolder(pidFile, 'ofd', false), 'locked');
      expect(await sender.error('send($0, "SIGKILL")', pidFile)).toMatchObject({
        code: 'ERR_PID_FILE_FOREIGN',
      });
    });
  });
});

asRoot('with another user', () => {
  withTools('python3', 'setpriv')('and a seccomp filter', () => {
    test('a process of another user is EPERM, and ping() is true', async () => {
      chmodSync(directory, 0o755);
      const daemon = await Session.start();
      await daemon.value('(PidFile.acquire($0), true)', pidFile);
      const { wrapper } = refusing('pidfd_open=ENOSYS');
      // The filter first, as root: nobody may not be able to run root's python3.
      const nobody = await Session.start({ ...FOR_NOBODY, wrapper: [...wrapper, ...SETPRIV] });
      expect(await nobody.error('send($0, SIGTERM)', pidFile)).toMatchObject({
        code: 'EPERM',
        pid: daemon.pid,
        path: pidFile,
      });
      expect(await nobody.value('ping($0)', pidFile)).toBe(true);
    });
  });
});
