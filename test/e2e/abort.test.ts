// SIGABRT of the process itself is a crash; from another process it is a message.
import type { SignalHandler1 } from '../../';
import { addonPath, type NativeHelper } from '../support/addon';
import { endAll } from '../support/fixture';
import { onNode, onUnix, withSigabrtToOneself } from '../support/platform';
import { run, type Tools } from '../support/program';
import { IS_WINDOWS } from '../support/runtime';
import { SENT } from '../support/sending';

afterEach(endAll);

// Core files are for crashes that nobody wanted.
const wrapper = IS_WINDOWS ? [] : ['sh', '-c', 'ulimit -c 0; exec "$@"', 'sh'];

/** How a process is terminated by its own SIGABRT: on Windows, Node.js chooses the exit code. */
const crashed = IS_WINDOWS
  ? { code: expect.any(Number) as number, signal: null }
  : { code: null, signal: 'SIGABRT' };

/** Would say something if any JavaScript ran after the crash. */
const crash = ({ daemoniker, say, args, require, onCommand }: Tools): void => {
  const [path, how, started] = args as [string, string, string];
  const helper = (): NativeHelper => require(path) as NativeHelper;
  const handled = (): void => say('handled');
  if (started === 'started') {
    new daemoniker.SignalHandler1(null, handled, handled, handled).start();
  }
  process.on('exit', () => say('exit'));
  process.on('uncaughtException', () => say('uncaughtException'));
  onCommand(() => undefined);
  if (how === 'process.abort()') process.abort();
  if (how === 'abort(3)') helper().abort();
  if (how === 'abort(3) on another thread') helper().abortOnThread();
  if (how === 'raise(3)') helper().raise(6);
  const hoard: unknown[] = [];
  for (;;) hoard.push(new Array(1e6).fill({}));
};

describe('a crash ends the process by SIGABRT, as without us, and runs no JavaScript:', () => {
  const native = ['abort(3)', 'abort(3) on another thread', 'raise(3)'];
  test.each(['process.abort()', ...(IS_WINDOWS ? [] : native)])('%s', async (how) => {
    const endings = [];
    for (const started of ['started', 'not started']) {
      const program = run(crash, [addonPath(), how, started], { wrapper });
      const { code, signal, stdout, stderr } = await program.end();
      endings.push({ code, signal, stdout, said: stderr.includes('daemoniker:') });
    }
    expect(endings[0]).toEqual({ ...crashed, stdout: '', said: false });
    expect(endings[0]?.code).not.toBe(0);
    expect(endings[0]).toEqual(endings[1]);
  });
});

onNode('a crash of V8', () => {
  test('that has run out of memory is no message either', async () => {
    const program = run(crash, [addonPath(), 'memory', 'started'], {
      wrapper,
      flags: ['--max-old-space-size=20'],
    });
    const { code, signal, stdout, stderr } = await program.end();
    expect({ code, signal, stdout }).toEqual({ ...crashed, stdout: '' });
    expect(code).not.toBe(0);
    expect(stderr).toContain('heap');
    expect(stderr).not.toContain('daemoniker:');
  });
});

describe('SIGABRT from another process', () => {
  test('is delivered like the others, also after a native handler was saved', async () => {
    const program = run(({ daemoniker, say, plain, onCommand }) => {
      const handler: SignalHandler1 = new daemoniker.SignalHandler1(null, {
        sigabrt: () => say('handled', plain(handler.received)),
      }).start();
      onCommand(() => undefined);
      say('ready');
    });
    await program.hears('ready');
    program.kill('SIGABRT');
    expect(await program.hears('handled')).toMatchObject({
      name: 'SIGABRT',
      origin: SENT,
      sender: { pid: process.pid },
    });
  });

  withSigabrtToOneself.test(
    'is a message also when it is this process that sends it with kill(2)',
    async () => {
      const program = run(({ daemoniker, say, plain, signalMyself, onCommand }) => {
        const handler: SignalHandler1 = new daemoniker.SignalHandler1(null, {
          sigabrt: () => say('handled', plain(handler.received)),
        }).start();
        signalMyself('SIGABRT');
        onCommand(() => undefined);
      });
      expect(await program.hears('handled')).toMatchObject({ origin: SENT });
    },
  );
});

onUnix("a crash handler that was there before, such as a crash reporter's,", () => {
  test('is what a crash runs', async () => {
    const program = run(
      ({ daemoniker, say, args, require, signals }) => {
        const helper = require(args[0] as string) as NativeHelper;
        helper.count(signals.SIGABRT);
        new daemoniker.SignalHandler1(null, { sigabrt: () => say('handled') }).start();
        helper.raise(signals.SIGABRT); // returns, because the reporter of this test does
        say('result', { counted: helper.counted(signals.SIGABRT) });
      },
      [addonPath()],
      { wrapper },
    );
    expect(await program.hears('result')).toMatchObject({ counted: 1 });
    await program.end();
    expect(program.stdout).not.toContain('handled');
  });
});
