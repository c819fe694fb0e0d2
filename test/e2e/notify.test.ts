// What systemd hears, by a receiver that stands in for it: the protocol is one of datagrams.
import { chmodSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { notify } from '../../';
import { caught } from '../support/caught';
import { directory } from '../support/each_test';
import { Fixture, SOON_MS, start } from '../support/fixture';
import { HOLD, holdingCalls } from '../support/held_calls';
import { AS_NOBODY, asRoot } from '../support/nobody';
import { onLinux, onNode, onUnix, withTools } from '../support/platform';
import { startProgram } from '../support/processes';
import { run } from '../support/program';

/** Prints each datagram as a line of JSON: `{"event":"heard","text":…,"pid":…}`. */
const RECEIVER = `
import json, socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
if hasattr(socket, 'SO_PASSCRED'): s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind(sys.argv[1].replace('@', '\\0', 1))
print('bound')
while True:
    text, ancillary, _, _ = s.recvmsg(4096, 1024)
    pid = struct.unpack('iII', ancillary[0][2])[0] if ancillary else None
    print(json.dumps({'event': 'heard', 'text': text.decode(), 'pid': pid}))
`;

async function listen(socket: string): Promise<Fixture> {
  return startProgram(['python3', '-uc', RECEIVER, socket], 'bound');
}

const before = process.env['NOTIFY_SOCKET'];
afterEach(() => {
  if (before === undefined) delete process.env['NOTIFY_SOCKET'];
  else process.env['NOTIFY_SOCKET'] = before;
});

test('nobody listens: false, and nothing happens', () => {
  delete process.env['NOTIFY_SOCKET'];
  expect(notify('READY=1')).toBe(false);
  expect(notify({ ready: true })).toBe(false);
});

test('no variable is taken from Object.prototype', () => {
  delete process.env['NOTIFY_SOCKET'];
  Object.defineProperty(Object.prototype, 'NOTIFY_SOCKET', { value: '/x', configurable: true });
  try {
    expect(notify('READY=1')).toBe(false);
  } finally {
    delete (Object.prototype as { NOTIFY_SOCKET?: string }).NOTIFY_SOCKET;
  }
});

withTools('python3')('notify()', () => {
  onLinux.test.each(['a path', 'an abstract name'])('speaks to %s', async (kind) => {
    const socket =
      kind === 'a path' ? join(directory, 'notify') : `@daemoniker-notify-${process.pid}`;
    const supervisor = await listen(socket);
    process.env['NOTIFY_SOCKET'] = socket;
    expect(notify('READY=1\nSTATUS=by hand')).toBe(true);
    expect(await supervisor.hears('heard')).toMatchObject({
      text: 'READY=1\nSTATUS=by hand',
      pid: process.pid, // and not that of a helper
    });
    expect(notify({ status: 'two\nlines', watchdog: true, extendTimeout: 1500 })).toBe(true);
    expect(await supervisor.hears('heard')).toMatchObject({
      text: 'WATCHDOG=1\nSTATUS=two lines\nEXTEND_TIMEOUT_USEC=1500000',
    });
  });

  onLinux.test(
    'cuts a status so that the rest is heard; a message that is too long is an error',
    async () => {
      const socket = join(directory, 'notify');
      const supervisor = await listen(socket);
      process.env['NOTIFY_SOCKET'] = socket;
      notify({ ready: true, status: `a${'ü'.repeat(5000)}` });
      const text = `READY=1\nSTATUS=a${'ü'.repeat(1022)}…`;
      expect(await supervisor.hears('heard')).toMatchObject({ text });
      const longest = `STATUS=${'x'.repeat(4089)}`;
      expect(notify(longest)).toBe(true);
      expect(await supervisor.hears('heard')).toMatchObject({ text: longest });
      expect(() => notify(`${longest}x`)).toThrow(
        /EMSGSIZE: the message is longer than 4096 bytes/,
      );
    },
  );

  onLinux.test('says since when it reloads, by the clock that systemd compares with', async () => {
    const socket = join(directory, 'notify');
    const supervisor = await listen(socket);
    process.env['NOTIFY_SOCKET'] = socket;
    for (const state of ['RELOADING=1', { reloading: true }]) {
      const earliest = process.hrtime.bigint() / 1000n;
      notify(state);
      const latest = process.hrtime.bigint() / 1000n;
      const { text } = (await supervisor.hears('heard')) as unknown as { text: string };
      const [, time = ''] = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(text) ?? [];
      expect(BigInt(time)).toBeGreaterThanOrEqual(earliest);
      expect(BigInt(time)).toBeLessThanOrEqual(latest);
    }
  });

  onUnix.test.each([
    [3000, '5000000'],
    [2_147_483_647, '2147483647000'], // the most that can be asked for
  ] as const)(
    'a shutdown says that it stops, and how long it may take: %s',
    async ([within, asked]) => {
      const socket = join(directory, 'notify');
      const supervisor = await listen(socket);
      const env = { ...process.env, NOTIFY_SOCKET: socket };
      const daemon = run(
        ({ daemoniker, signalMyself, args }) => {
          delete process.env['SYSTEMD_EXEC_PID'];
          delete process.env['WATCHDOG_PID'];
          new daemoniker.SignalHandler1(null, { shutdown: Number(args[0]) }).start();
          setInterval(() => undefined, 1000);
          signalMyself('SIGTERM');
        },
        [String(within)],
        { env },
      );
      expect(await daemon.end()).toMatchObject({ code: 0, stderr: '' });
      process.env['NOTIFY_SOCKET'] = socket;
      notify('STATUS=over'); // in case that nothing was said
      expect(await supervisor.hears('heard')).toMatchObject({
        text: `STOPPING=1\nEXTEND_TIMEOUT_USEC=${asked}`,
      });
    },
  );

  onUnix.test('the end of `await using` says nothing: the service goes on', async () => {
    const socket = join(directory, 'notify');
    const supervisor = await listen(socket);
    const daemon = run(
      async ({ daemoniker }) => {
        delete process.env['SYSTEMD_EXEC_PID'];
        delete process.env['WATCHDOG_PID'];
        const handler = new daemoniker.SignalHandler1(null, { shutdown: true }).start();
        await handler[Symbol.asyncDispose]();
        daemoniker.notify('STATUS=goes on');
      },
      [],
      { env: { ...process.env, NOTIFY_SOCKET: socket } },
    );
    expect(await daemon.end()).toMatchObject({ code: 0, stderr: '' });
    expect(await supervisor.hears('heard')).toMatchObject({ text: 'STATUS=goes on' });
  });

  // They inherit the socket, and would end the service.
  onUnix.test.each(['SYSTEMD_EXEC_PID', 'WATCHDOG_PID', 'NODE_CHANNEL_FD'])(
    'a shutdown, and a watchdog, say nothing where %s shows that this is not the service',
    async (name) => {
      const socket = join(directory, 'notify');
      const supervisor = await listen(socket);
      const env = { ...process.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '100000' };
      const daemon = run(
        ({ daemoniker, say, args }) => {
          const [name = ''] = args;
          delete process.env['SYSTEMD_EXEC_PID'];
          delete process.env['WATCHDOG_PID'];
          if (name === 'NODE_CHANNEL_FD') process.send = () => true;
          else process.env[name] = '1';
          const handler = new daemoniker.SignalHandler1(null, { shutdown: true, watchdog: true });
          handler.start();
          handler.onShutdown('last', () => {
            say('asked');
            daemoniker.notify('STATUS=asked');
          });
          void handler.shutDown();
        },
        [name],
        { env },
      );
      expect(await daemon.end()).toMatchObject({ code: 0, stderr: '' });
      expect(await supervisor.hears('heard')).toMatchObject({ text: 'STATUS=asked' });
    },
  );

  onUnix.test(
    '{ watchdog: true } is heard as long as the handler runs, and no longer',
    async () => {
      const socket = join(directory, 'notify');
      const supervisor = await listen(socket);
      const env = { ...process.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '20000' };
      const daemon = run(
        ({ daemoniker, onCommand }) => {
          process.env['WATCHDOG_PID'] = String(process.pid);
          delete process.env['SYSTEMD_EXEC_PID'];
          const handler = new daemoniker.SignalHandler1(null, { watchdog: true }).start();
          onCommand(() => {
            handler.stop();
            daemoniker.notify('STATUS=stopped');
            // Ten times as long as between two of them.
            setTimeout(() => process.exit(), 100);
          });
        },
        [],
        { env },
      );
      for (let round = 0; round < 4; round++) {
        expect(await supervisor.hears('heard')).toMatchObject({ text: 'WATCHDOG=1' });
      }
      daemon.tell('stop');
      await daemon.end();
      process.env['NOTIFY_SOCKET'] = socket;
      notify('STATUS=over');
      await supervisor.until('the last message', () =>
        supervisor.said.some(({ text }) => text === 'STATUS=over'),
      );
      expect(supervisor.said.slice(-2)).toMatchObject([
        { text: 'STATUS=stopped' },
        { text: 'STATUS=over' },
      ]);
    },
  );

  // As under another supervisor within a service, which passes on what it was told itself.
  onUnix.test.each(['SYSTEMD_EXEC_PID', 'WATCHDOG_PID'])(
    'a shutdown, and a watchdog, speak where %s alone shows that this is the service',
    async (name) => {
      const socket = join(directory, 'notify');
      const supervisor = await listen(socket);
      const env = { ...process.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '1000000000' };
      const daemon = run(
        ({ daemoniker, args: [name = ''] }) => {
          Object.assign(process.env, { SYSTEMD_EXEC_PID: '1', WATCHDOG_PID: '1' });
          process.env[name] = String(process.pid);
          const handler = new daemoniker.SignalHandler1(null, { shutdown: true, watchdog: true });
          handler.start();
          void handler.shutDown();
        },
        [name],
        { env },
      );
      expect(await daemon.end()).toMatchObject({ code: 0, stderr: '' });
      expect(await supervisor.hears('heard')).toMatchObject({ text: 'WATCHDOG=1' });
      expect(await supervisor.hears('heard')).toMatchObject({
        text: expect.stringContaining('STOPPING=1') as string,
      });
    },
  );

  onLinux.test('a watchdog does not wait for a supervisor that does not read', async () => {
    const socket = join(directory, 'notify');
    const supervisor = await listen(socket);
    process.env['NOTIFY_SOCKET'] = socket;
    supervisor.kill('SIGSTOP');
    const fill = (): void => {
      for (;;) notify('STATUS=more');
    };
    expect(fill).toThrow(/EAGAIN/);
    const daemon = run(
      ({ daemoniker, say }) => {
        process.env['WATCHDOG_PID'] = String(process.pid);
        const begun = performance.now();
        // Each start speaks at once. If that took a second, all would take a minute.
        for (let round = 0; round < 60; round++) {
          new daemoniker.SignalHandler1(null, { watchdog: true }).start().stop();
        }
        say('done', { milliseconds: performance.now() - begun });
      },
      [],
      { env: { ...process.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '1000000000' } },
    );
    const { milliseconds } = await daemon.hears('done');
    expect(milliseconds).toBeLessThan(SOON_MS);
  });

  // Other runtimes make such calls whenever they like.
  onNode('the runtime', () => {
    holdingCalls.test('no child of another thread inherits the socket', async () => {
      const socket = join(directory, 'notify');
      const supervisor = await listen(socket);
      // F_SETFD: until that call a socket would be inherited. The runtime makes some at its start.
      const session = start('session', [], {
        wrapper: ['python3', HOLD, 'fcntl:2', '--'],
        env: { ...process.env, NOTIFY_SOCKET: socket },
      });
      session.tell(JSON.stringify(['1']));
      for (;;) {
        const { event, by } = await session.hearsAny('held', 'value');
        if (event === 'value') break;
        process.kill(by as number, 'SIGUSR1');
      }
      session.tell(JSON.stringify(["notify('READY=1')"]));
      expect(await session.hearsAny('held', 'value')).toMatchObject({ value: true });
      expect(await supervisor.hears('heard')).toMatchObject({ text: 'READY=1' });
    });
  });

  onUnix.test.each([
    ['nothing', 'ENOENT', 'no such file'],
    ['x'.repeat(200), 'ENAMETOOLONG', 'longer than the system allows'],
    ['vsock:2:1', 'EAFNOSUPPORT', 'neither a path nor an abstract name'],
  ] as const)('a socket that cannot be reached is an error: %s', ([name, code, reason]) => {
    process.env['NOTIFY_SOCKET'] = name.includes(':') ? name : join('/', name);
    const error = caught(() => notify('READY=1'));
    expect(error).toMatchObject({ name: 'NotifyError', code });
    expect(error.message).toContain('NOTIFY_SOCKET');
    expect(error.message).toContain(reason);
    return Promise.resolve();
  });

  onUnix.test('so is one that nobody reads, and one of another kind', async () => {
    const socket = join(directory, 'notify');
    process.env['NOTIFY_SOCKET'] = socket;
    const supervisor = await listen(socket);
    supervisor.kill('SIGKILL');
    await supervisor.end();
    expect(() => notify('READY=1')).toThrow(/ECONNREFUSED: no process reads from that socket$/);

    const stream = join(directory, 'stream');
    process.env['NOTIFY_SOCKET'] = stream;
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(stream, resolve));
    expect(() => notify('READY=1')).toThrow(/EPROTOTYPE: it is not a datagram socket$/);
    await new Promise((resolve) => server.close(resolve));
  });

  asRoot.test("so is somebody else's", async () => {
    const socket = join(directory, 'notify');
    await listen(socket);
    chmodSync(directory, 0o755);
    chmodSync(socket, 0o600);
    const env = { ...AS_NOBODY.env, NOTIFY_SOCKET: socket };
    const script = start('script', ["daemoniker.notify('READY=1')"], { ...AS_NOBODY, env });
    expect(await script.hears('threw')).toMatchObject({ name: 'NotifyError', code: 'EACCES' });
  });

  onLinux.test('so is one whose reader does not read, after a second', async () => {
    const socket = join(directory, 'notify');
    const supervisor = await listen(socket);
    process.env['NOTIFY_SOCKET'] = socket;
    supervisor.kill('SIGSTOP');
    const fill = (): void => {
      for (;;) notify('STATUS=more');
    };
    expect(fill).toThrow(/EAGAIN: it has not read its messages for a second$/);
  });
});

test.each([
  [1, 'ERR_INVALID_ARG_TYPE', 'of type string or object'],
  [undefined, 'ERR_INVALID_ARG_TYPE', 'of type string or object'],
  ['READY=1\0', 'ERR_INVALID_ARG_VALUE', 'null bytes'],
  [{ status: '\0' }, 'ERR_INVALID_ARG_VALUE', 'null bytes'],
  [{ raedy: true }, 'ERR_INVALID_ARG_VALUE', 'did you mean ready?'],
  [{ ready: 1 }, 'ERR_INVALID_ARG_TYPE', 'state.ready'],
  [{ status: 1 }, 'ERR_INVALID_ARG_TYPE', 'state.status'],
  [{ extendTimeout: -1 }, 'ERR_OUT_OF_RANGE', 'state.extendTimeout'],
])('notify(%j): %s, naming the argument', (state, code, named) => {
  const error = caught(() => notify(state as object));
  expect(error).toMatchObject({ code });
  expect(error.message).toContain(named);
});
