// The places that signals come from in real life.
import type { SignalHandler1 } from '../../';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { preloading, staticTlsPath } from '../support/addon';
import { deathBy } from '../support/endings';
import { endAll } from '../support/fixture';
import { onLinux, withCommand, withPreload } from '../support/platform';
import { run, type Tools } from '../support/program';

afterEach(endAll);

const saying = ({ daemoniker, say, plain, onCommand }: Tools): void => {
  const handled = (): void => say('handled', plain(handler.received));
  const handler = new daemoniker.SignalHandler1(null, handled, handled, handled).start();
  onCommand(() => undefined);
  say('ready');
};

const raising = ({ daemoniker, say, onCommand }: Tools): void => {
  new daemoniker.SignalHandler1(null).start();
  process.on('exit', (code) => say('exit', { code }));
  onCommand(() => undefined);
  say('ready');
};

withCommand(
  'script',
  '-qec',
  'true',
  '/dev/null',
)('Ctrl-C in a terminal', () => {
  // script(1) runs a command line in a pseudo-terminal; the words come through the environment.
  const inTerminal = [
    'sh',
    '-c',
    'for w; do q="$q \'$(printf %s "$w" | sed "s/\'/\'\\\\\\\\\'\'/g")\'"; done; exec script -qec "stty -echo; exec $q" /dev/null',
    'sh',
  ];

  test('is SIGINT of the kernel, without a sender', async () => {
    const daemon = run(saying, [], { wrapper: inTerminal });
    await daemon.hears('ready');
    daemon.child.stdin?.write('\x03');
    expect(await daemon.hears('handled')).toMatchObject({
      name: 'SIGINT',
      origin: 'kernel',
      sender: null,
      count: 1,
    });
  });

  test('ends a daemon with the default handler by SIGINT, saying so', async () => {
    const daemon = run(raising, [], { wrapper: inTerminal });
    await daemon.hears('ready');
    daemon.child.stdin?.write('\x03');
    const { code } = await daemon.end();
    expect(code).toBe(130);
    expect(daemon.stdout).toContain('daemoniker: SIGINT received; ending the process');
    expect(daemon.said.at(-1)).toMatchObject({ event: 'exit', code: 130 });
  });
});

withCommand(
  'timeout',
  '-s',
  'INT',
  '10',
  'true',
)('timeout -s INT', () => {
  test('is SIGINT of the process `timeout`', async () => {
    const daemon = run(saying, [], { wrapper: ['timeout', '-s', 'INT', '1000'] });
    await daemon.hears('ready');
    daemon.kill('SIGALRM'); // its time is up
    expect(await daemon.hears('handled')).toMatchObject({
      name: 'SIGINT',
      origin: 'process',
      sender: { pid: daemon.pid, command: 'timeout' },
    });
  });

  test('ends a daemon with the default handler', async () => {
    const daemon = run(raising, [], { wrapper: ['timeout', '-s', 'INT', '1000'] });
    await daemon.hears('ready');
    daemon.kill('SIGALRM');
    expect(await daemon.end()).toMatchObject({ code: 124 });
    expect(daemon.stderr).toMatch(/^daemoniker: SIGINT received from pid \d+ \(timeout\)/);
  });
});

const OWN_NAMESPACE = ['unshare', '--pid', '--fork', '--mount-proc'];
withCommand(
  OWN_NAMESPACE[0] as string,
  ...OWN_NAMESPACE.slice(1),
  'true',
)('PID 1 of its own PID namespace, as in a container,', () => {
  const innerPid = (unshare: number): number =>
    Number(readFileSync(`/proc/${unshare}/task/${unshare}/children`, 'latin1').trim());

  onLinux.test('receives signals from outside, whose sender is not known', async () => {
    const daemon = run(saying, [], { wrapper: OWN_NAMESPACE });
    await daemon.hears('ready');
    process.kill(innerPid(daemon.pid), 'SIGTERM');
    expect(await daemon.hears('handled')).toMatchObject({
      name: 'SIGTERM',
      origin: 'process',
      sender: null,
    });
  });

  test('exits with 143 where the default handler would die by the signal', async () => {
    const daemon = run(raising, [], { wrapper: OWN_NAMESPACE });
    await daemon.hears('ready');
    process.kill(innerPid(daemon.pid), 'SIGTERM');
    expect(await daemon.end()).toMatchObject({
      code: 143,
      signal: null,
      stderr: 'daemoniker: SIGTERM received; ending the process\n',
    });
    expect(daemon.said.at(-1)).toMatchObject({ event: 'exit', code: 143 });
  });
});

// Of a library that is preloaded, such as a profiler's: on glibc it comes out of each thread's stack.
withPreload('400 KB of static thread-local storage', () => {
  test('leave our threads enough of their stacks to deliver signals, and to end the process', async () => {
    const daemon = run(
      ({ daemoniker, say, plain, onCommand }) => {
        const handler: SignalHandler1 = new daemoniker.SignalHandler1(null, {
          sigterm: () => say('handled', plain(handler.received)),
          sigint: () => handler.exitWithin(100),
        }).start();
        onCommand(() => undefined);
        say('ready');
      },
      [],
      preloading(staticTlsPath()),
    );
    await daemon.hears('ready');
    daemon.kill('SIGTERM');
    expect(await daemon.hears('handled')).toMatchObject({ sender: { pid: process.pid } });
    daemon.kill('SIGINT');
    const ending = await daemon.end();
    expect(ending).toMatchObject(deathBy('SIGINT'));
    expect(ending.stderr).toContain('did not exit within 100 ms');
  });
});

withCommand(
  'sh',
  '-c',
  'command -v kill pkill',
)('kill and pkill', () => {
  test('reach the daemon and are named as senders', async () => {
    const daemon = run(saying);
    await daemon.hears('ready');
    const parent = String(process.pid);
    const { pid } = spawnSync('pkill', ['-TERM', '-P', parent, '-f', 'test/fixtures/program.cjs']);
    expect(await daemon.hears('handled')).toMatchObject({ name: 'SIGTERM', sender: { pid } });
  });
});
