// The tools that administrators use on PID files, against a daemon that uses the package.
import { chmodSync, existsSync, readFileSync, statSync } from 'node:fs';
import { directory, pidFile } from '../support/each_test';
import { Fixture, start, type Ending } from '../support/fixture';
import { asRoot } from '../support/nobody';
import { onUnix, withTools } from '../support/platform';

let daemon: Fixture;

beforeEach(async () => {
  daemon = start('daemon', [pidFile]);
  await daemon.hears('ready');
});

/** Runs a program to its end. */
async function run(...command: readonly string[]): Promise<Ending> {
  return new Fixture(command).end();
}

onUnix('on Unix', () => {
  test('kill $(cat file)', async () => {
    const { code } = await run('sh', '-c', 'kill -s INT $(cat "$0")', pidFile);
    expect(code).toBe(0);
    expect(await daemon.hears('handled')).toMatchObject({ name: 'SIGINT' });
  });

  test('what systemd reads as PIDFile=: a first line with one number, readable for everybody', () => {
    // pid_file.c: read_one_line_file(), then parse_pid().
    expect(readFileSync(pidFile, 'latin1')).toMatch(/^[1-9][0-9]*\n/);
    expect(statSync(pidFile).mode & 0o777).toBe(0o644);
  });

  withTools('pkill')('procps', () => {
    test('pkill -F file', async () => {
      expect((await run('pkill', '-TERM', '-F', pidFile)).code).toBe(0);
      expect(await daemon.hears('handled')).toMatchObject({ name: 'SIGTERM' });
    });

    test('pkill -F file -L, which demands a lock, finds one while the daemon runs', async () => {
      expect((await run('pkill', '-TERM', '-L', '-F', pidFile)).code).toBe(0);
      expect(await daemon.hears('handled')).toMatchObject({ name: 'SIGTERM' });
      daemon.kill('SIGKILL');
      await daemon.end();
      expect((await run('pkill', '-TERM', '-L', '-F', pidFile)).code).not.toBe(0);
    });

    test('pgrep -F file', async () => {
      expect((await run('pgrep', '-F', pidFile)).stdout).toBe(`${daemon.pid}\n`);
    });
  });
});

asRoot('as root', () => {
  withTools('start-stop-daemon')('dpkg', () => {
    test('start-stop-daemon --status and --stop, with the PID file alone', async () => {
      chmodSync(directory, 0o755);
      const tool = ['start-stop-daemon', '--pidfile', pidFile];
      expect((await run(...tool, '--status')).code).toBe(0);
      const { code, stderr } = await run(...tool, '--stop', '--signal', 'TERM');
      expect([code, stderr]).toEqual([0, '']);
      expect(await daemon.hears('handled')).toMatchObject({ name: 'SIGTERM' });
      daemon.tell('exit 0');
      await daemon.end();
      expect(existsSync(pidFile)).toBe(false);
      expect((await run(...tool, '--status')).code).toBe(3); // LSB: not running
    });
  });
});
