// Who sent a signal, and how.
import type { SignalHandler1 } from '../../';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { addonPath, type NativeHelper } from '../support/addon';
import { pidFile } from '../support/each_test';
import { Fixture, start } from '../support/fixture';
import {
  onLinux,
  onNodeOnLinux,
  onUnix,
  withCommand,
  withSiginfo,
  withSigqueue,
} from '../support/platform';
import { run } from '../support/program';
import { IS_WINDOWS } from '../support/runtime';
import { OWN_UID, SENT, SENT_TO_ITSELF, programOf, startSender } from '../support/sending';

/** Says what each signal's record says. */
async function receiver(wrapper: readonly string[] = []): Promise<Fixture> {
  const daemon = run(
    ({ daemoniker, say, plain, onCommand, args, require }) => {
      const handled = (): void => say('handled', plain(handler.received));
      const handler = new daemoniker.SignalHandler1(null, handled, handled, handled).start();
      onCommand((command) => {
        if (command.startsWith('raise ')) {
          (require(args[0] as string) as NativeHelper).raise(Number(command.slice(6)));
        }
        if (command === 'look') say('looked', plain(handler.received));
      });
      say('ready', { pid: process.pid });
    },
    [addonPath()],
    { wrapper },
  );
  await daemon.hears('ready');
  return daemon;
}

describe(`a signal by ${IS_WINDOWS ? 'send()' : 'kill(2)'}`, () => {
  test('names the process, its user and its command', async () => {
    const daemon = await receiver();
    // It waits, so that it is still there when somebody looks.
    const sender = startSender(daemon.pid, 'SIGTERM', { waits: true });
    expect(await daemon.hears('handled')).toMatchObject({
      name: 'SIGTERM',
      origin: SENT,
      sender: { pid: sender.pid, uid: OWN_UID, command: programOf(sender) },
      count: 1,
    });
    sender.kill('SIGKILL');
  });

  test('still names the command later, when the sender is gone', async () => {
    const daemon = await receiver();
    const sender = startSender(daemon.pid, 'SIGTERM', { waits: true });
    const handled = await daemon.hears('handled');
    const command = programOf(sender);
    sender.kill('SIGKILL');
    await once(sender, 'exit');
    expect(handled).toMatchObject({ sender: { pid: sender.pid, command } });
    daemon.tell('look');
    expect((await daemon.hears('looked'))['sender']).toEqual(handled['sender']);
  });

  test('has a record of plain data that logs well', async () => {
    const daemon = run(({ daemoniker, say, signalMyself, require, onCommand }) => {
      const { inspect } = require('node:util') as typeof import('node:util');
      const handler = new daemoniker.SignalHandler1(null, {
        sigterm: () => {
          const record = handler.received;
          const { signum, name, origin, count, sender, receivedAt, message } = record ?? {};
          const isDate = receivedAt instanceof Date;
          say('record', {
            signum,
            name,
            origin,
            count,
            isDate,
            message,
            keys: Object.keys(sender ?? {}),
          });
          say('text', {
            text: inspect(record),
            json: JSON.parse(JSON.stringify(record)) as object,
          });
        },
      }).start();
      signalMyself('SIGTERM');
      onCommand(() => undefined);
    });
    const record = await daemon.hears('record');
    expect(record).toMatchObject({
      signum: 15,
      name: 'SIGTERM',
      origin: SENT_TO_ITSELF,
      count: 1,
      isDate: true,
      keys: ['pid', 'uid', 'command'],
    });
    const { text, json } = await daemon.hears('text');
    const { message, sender } = json as { message: string; sender: { command: string } };
    expect(message).toBe(`SIGTERM received from pid ${daemon.pid} (${sender.command})`);
    expect(record['message']).toBe(message);
    expect(text).toContain(message);
    expect(json).toMatchObject({ signum: 15, origin: SENT_TO_ITSELF, sender: { pid: daemon.pid } });
  });
});

onUnix('a signal by raise(3)', () => {
  test('names ourselves and the origin "thread"', async () => {
    const daemon = await receiver();
    daemon.tell('raise 15');
    expect(await daemon.hears('handled')).toMatchObject({
      origin: 'thread',
      sender: { pid: daemon.pid },
    });
  });
});

const PYTHON_SIGQUEUE = `
import ctypes, os, struct, sys
target, signum, code, claimed = (int(word) for word in sys.argv[1:])
libc = ctypes.CDLL(None, use_errno=True)
if claimed:
    # siginfo_t: signo, errno, code, padding, pid, uid
    info = struct.pack('iii4xii', signum, 0, code, claimed, 0).ljust(128, b'\\0')
    number = {'x86_64': 129, 'aarch64': 138}[os.uname().machine]
    failed = libc.syscall(number, target, signum, info)
else:
    failed = libc.sigqueue(target, signum, ctypes.c_void_p(7))
sys.exit(1 if failed else 0)
`;
function queue(daemon: Fixture, code: number, claimed: number): number | undefined {
  const args = [daemon.pid, 15, code, claimed].map(String);
  const { pid, status, stderr } = spawnSync('python3', ['-c', PYTHON_SIGQUEUE, ...args]);
  if (status !== 0) throw new Error(`sigqueue failed: ${String(stderr)}`);
  return pid;
}

withSigqueue('a signal by sigqueue(3)', () => {
  test('names the process and the origin "queue"', async () => {
    const daemon = await receiver();
    const pid = queue(daemon, 0, 0);
    expect(await daemon.hears('handled')).toMatchObject({
      origin: 'queue',
      sender: { pid, uid: process.getuid?.() },
    });
  });
});

withSiginfo('a sender that is not to be found', () => {
  withSigqueue.test('has a null command', async () => {
    const daemon = await receiver();
    const { pid } = spawnSync('true');
    queue(daemon, -1, pid); // what sigqueue(3) says is what the sender claims
    expect(await daemon.hears('handled')).toMatchObject({
      origin: 'queue',
      sender: { pid, uid: 0, command: null },
    });
  });

  withSigqueue.test('and whose number cannot be one is no sender', async () => {
    const daemon = await receiver();
    queue(daemon, -1, -5);
    expect(await daemon.hears('handled')).toMatchObject({ origin: 'queue', sender: null });
  });

  test('by a timer (SI_TIMER) is the kernel, without a sender', async () => {
    const daemon = await receiver();
    queue(daemon, -2, 4242);
    expect(await daemon.hears('handled')).toMatchObject({ origin: 'kernel', sender: null });
  });
});

// Our process waits for the sender, which is therefore a zombie until the signal handler has run, and
// gone when the event loop turns: whoever looks only then finds nobody. It may be gone before if the
// kernel has taken another thread for the handler, as it does while the main thread blocks signals to
// fork. (The benchmark counts how many are named for whom nobody waits so long.)
onNodeOnLinux.test(
  'senders that have gone when the handler runs are named, each by its own name',
  async () => {
    const program = run(({ daemoniker, say, require }) => {
      const { spawnSync } = require('node:child_process') as typeof import('node:child_process');
      const { existsSync } = require('node:fs') as typeof import('node:fs');
      const commands: [string, string[]][] = [
        ['env', ['kill', '-TERM', String(process.pid)]],
        ['sh', ['-c', `kill -TERM ${process.pid}`]],
      ];
      let sent = 0;
      const send = (): void => {
        const [file, args] = commands[sent++ % 2] as [string, string[]];
        say('sent', { pid: spawnSync(file, args).pid });
      };
      const handler: SignalHandler1 = new daemoniker.SignalHandler1(null, {
        sigterm: () => {
          const { pid, command } = handler.received?.sender ?? {};
          say('handled', { pid, command, isThere: existsSync(`/proc/${pid}`) });
          if (sent < 20) send();
        },
      })
        .ref() // the kernel may still be about to run the signal handler, in another thread
        .start();
      send();
    });
    const named = { kill: 0, sh: 0 };
    for (let round = 0; round < 20; round++) {
      const name = round % 2 === 0 ? 'kill' : 'sh';
      const { pid } = await program.hears('sent');
      const { command, ...rest } = await program.hears('handled');
      expect(rest).toMatchObject({ pid, isThere: false });
      expect([name, null]).toContain(command);
      if (command === name) named[name]++;
    }
    expect(named.kill).toBeGreaterThan(0);
    expect(named.sh).toBeGreaterThan(0);
  },
);

onLinux('the name of a sender', () => {
  // PR_SET_NAME of prctl(2).
  const RENAMED = `
import ctypes, os, sys
ctypes.CDLL(None).prctl(15, sys.argv[2].encode(), 0, 0, 0)
os.kill(int(sys.argv[1]), 15)
sys.stdin.read()
`;
  const sendAs = (name: string, daemon: Fixture): Fixture =>
    new Fixture(['python3', '-c', RENAMED, String(daemon.pid), name]);

  withCommand(
    'python3',
    '-c',
    'import ctypes',
  )('that has given itself another', () => {
    // Node 24 calls its main thread "MainThread", Node 26 "node-MainThread".
    test.each(['MainThread', 'node-MainThread'])(
      'is that of its executable, if it is the one of a thread: %s',
      async (name) => {
        const daemon = await receiver();
        const sender = sendAs(name, daemon);
        const { sender: named } = await daemon.hears('handled');
        const executable = basename(readlinkSync(`/proc/${sender.pid}/exe`));
        expect(executable).toContain('python');
        expect(named).toMatchObject({ pid: sender.pid, command: executable });
      },
    );

    // ESC [31m, and the same in one character of Unicode.
    const HOSTILE = 'a\x1b[31mb\u009bc\x7f';
    const HARMLESS = 'a?[31mb??c?';

    test('shows no control characters in the record', async () => {
      const daemon = await receiver();
      sendAs(HOSTILE, daemon);
      expect((await daemon.hears('handled'))['sender']).toMatchObject({ command: HARMLESS });
    });

    test.each([
      ['the default handler', 'liveOn()', {}],
      ['a deadline', 'stuckForEver()', { deadline: 100 }],
    ])('shows none on stderr when %s ends the process', async (_, code, settings) => {
      const json = JSON.stringify({ sigterm: 'raise', ...settings });
      const fixture = start('blocked', [pidFile, json, code]);
      await fixture.hears('begins');
      const sender = sendAs(HOSTILE, fixture);
      const { stderr } = await fixture.end();
      expect(stderr).toContain(`from pid ${sender.pid} (${HARMLESS})`);
      expect(stderr).not.toMatch(/(?!\n)\p{Cc}/u);
    });
  });

  // Where its number is somebody else's: sixty processes see to that.
  const NESTED = [
    ...['unshare', '--pid', '--fork', '--mount-proc', '--kill-child', 'sh', '-c'],
    'for i in $(seq 60); do sleep 1000 & done; exec unshare --pid --fork --kill-child "$@"',
    'sh',
  ];
  withCommand(NESTED[0] as string, ...NESTED.slice(1), 'true').test(
    'is not looked up in a /proc of another PID namespace',
    async () => {
      const daemon = run(
        ({ daemoniker, say, plain, require, signalledByAnother }) => {
          const { existsSync } = require('node:fs') as typeof import('node:fs');
          const handler: SignalHandler1 = new daemoniker.SignalHandler1(null, {
            sigterm: () => say('handled', plain(handler.received)),
          }).start();
          const pid = signalledByAnother('SIGTERM');
          say('sent', { pid, isSomebodyElse: existsSync(`/proc/${pid}`) });
        },
        [],
        { wrapper: NESTED },
      );
      const { pid, isSomebodyElse } = await daemon.hears('sent');
      expect(isSomebodyElse).toBe(true);
      expect(await daemon.hears('handled')).toMatchObject({ sender: { pid, command: null } });
    },
  );
});
