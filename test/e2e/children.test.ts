// Children of a process that handles signals start as if it did not.
import { constants } from 'node:os';
import { addonPath, type NativeHelper } from '../support/addon';
import { endAll } from '../support/fixture';
import { onLinux } from '../support/platform';
import { signalSetOf } from '../support/proc';
import { run } from '../support/program';

afterEach(endAll);

onLinux('a child', () => {
  test.each(['spawnSync', 'spawn'])(
    'by %s has the default dispositions, an empty mask and none of our descriptors',
    async (how) => {
      const program = run(
        async ({ daemoniker, say, args, require }) => {
          const { spawn, spawnSync } =
            require('node:child_process') as typeof import('node:child_process');
          const shell = [
            '-c',
            'cat /proc/self/status; for fd in /proc/self/fd/*; do echo $fd; done',
          ];
          const look = async (): Promise<string> => {
            if (args[0] === 'spawnSync') return spawnSync('sh', shell, { encoding: 'utf8' }).stdout;
            let text = '';
            const child = spawn('sh', shell, { stdio: ['ignore', 'pipe', 'inherit'] });
            child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
            return new Promise((resolve) => child.on('close', () => resolve(text)));
          };
          const before = await look();
          new daemoniker.SignalHandler1(null).start();
          say('children', { before, during: await look() });
        },
        [how],
      );
      const { before, during } = (await program.hears('children')) as unknown as {
        before: string;
        during: string;
      };
      for (const set of ['SigCgt', 'SigIgn', 'SigBlk']) {
        expect([set, signalSetOf(during, set)]).toEqual([set, []]);
      }
      const descriptors = (text: string): string[] => text.match(/\/fd\/\d+/g) ?? [];
      expect(descriptors(during).length).toBeGreaterThan(2);
      expect(descriptors(during)).toEqual(descriptors(before));
    },
  );
});

// It shares our memory until it runs another program, and may be killed before.
onLinux('children of vfork(2)', () => {
  test('that are killed while they handle a signal do not keep stop() from returning', async () => {
    const program = run(
      ({ daemoniker, say, args, require, signals, signalMyself }) => {
        const helper = require(args[0] as string) as NativeHelper;
        helper.ignore(signals.SIGTERM); // what the handler does in a child then
        let handled = 0;
        const handler = new daemoniker.SignalHandler1(null, { sigterm: () => handled++ });
        handler.start();
        helper.killSignalledChildren(signals.SIGTERM);
        signalMyself('SIGTERM');
        handler.stop();
        say('stopped', { handled });
      },
      [addonPath()],
    );
    // What the children got was not for us.
    expect(await program.hears('stopped')).toMatchObject({ handled: 1 });
  });

  // By musl's raise(3) they would signal the thread of their parent. Not SIGINT and SIGTERM, for which
  // there is Node's own handler, which calls that.
  test('that get a signal end by it, and their parent gets none', async () => {
    const program = run(
      ({ daemoniker, say, args, require, signals }) => {
        const helper = require(args[0] as string) as NativeHelper;
        let handled = 0;
        new daemoniker.SignalHandler1(null, { sigabrt: () => handled++ }).start();
        const ended = helper.endOfSignalledChild(signals.SIGABRT);
        setImmediate(() => say('ended', { ended, handled }));
      },
      [addonPath()],
    );
    expect(await program.hears('ended')).toMatchObject({
      ended: constants.signals.SIGABRT,
      handled: 0,
    });
  });
});

describe('a child', () => {
  test('dies by a signal of its parent that handles the same one itself', async () => {
    const program = run(({ daemoniker, say, require }) => {
      const { spawn } = require('node:child_process') as typeof import('node:child_process');
      new daemoniker.SignalHandler1(null, { sigterm: () => say('handled') }).start();
      const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 1e6)']);
      child.on('spawn', () => child.kill('SIGTERM'));
      child.on('exit', (code, signal) => say('child', { code, signal }));
    });
    expect(await program.hears('child')).toMatchObject({ code: null, signal: 'SIGTERM' });
    expect(program.said).toHaveLength(1);
  });
});
