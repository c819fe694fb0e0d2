// What only Windows has: console events, the session's end, and a pipe for send(). The rest runs in
// the files for all systems.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PidFile, SIGINT, SIGTERM, SignalError, ping, send } from '../../';
import { caught } from '../support/caught';
import { directory, pidFile } from '../support/each_test';
import { deathBy, deathWithoutHandler } from '../support/endings';
import { Fixture, SOON_MS, start } from '../support/fixture';
import { contentHeldBy } from '../support/pid_file';
import { onWindows, onWindowsItself } from '../support/platform';
import { FIXTURES, IS_WINDOWS, ROOT, RUNTIME } from '../support/runtime';
import { Session } from '../support/session';
import {
  CTRL_BREAK_EVENT,
  CTRL_C_EVENT,
  CTRL_CLOSE_EVENT,
  TOOL,
  tool,
} from '../support/windows_tool';

async function daemon(options: object = {}): Promise<Fixture> {
  const fixture = start('daemon', [pidFile, JSON.stringify(options)]);
  await fixture.hears('ready');
  return fixture;
}

onWindows('send()', () => {
  test('a signal that the handlers do not take is an error, and harmless', async () => {
    const fixture = await daemon();
    expect(caught(() => send(pidFile, 'SIGHUP'))).toMatchObject({
      name: 'SignalError',
      code: 'ENOSYS',
    });
    fixture.tell('exit 3');
    expect((await fixture.end()).code).toBe(3);
  });

  test('another signal to a process without a handler is an error, and harmless', async () => {
    const fixture = start('plain_daemon', [pidFile]);
    await fixture.hears('ready');
    expect(caught(() => send(pidFile, 'SIGHUP'))).toMatchObject({ code: 'ENOSYS' });
    expect(ping(pidFile)).toBe(true);
  });

  test('a PID with other low bits is another PID', async () => {
    const fixture = start('plain_daemon', [pidFile, 'written']);
    await fixture.hears('ready');
    writeFileSync(pidFile, `${fixture.pid + 1}\n`);
    expect(caught(() => send(pidFile, SIGTERM))).toMatchObject({ code: 'ESRCH' });
  });

  test('a pipe that never answers does not hang the sender', async () => {
    const fixture = new Fixture([TOOL, 'pipe', 'own']);
    await fixture.hears('ready');
    writeFileSync(pidFile, `${fixture.pid}\n`);
    const begun = Date.now();
    expect(caught(() => send(pidFile, SIGTERM))).toMatchObject({ code: 'ETIMEDOUT' });
    expect(Date.now() - begun).toBeLessThan(SOON_MS);
    expect(fixture.child.exitCode).toBeNull();
  });

  test('a pipe that is not of our kind is refused', async () => {
    const fixture = start('pipe_server', ['own']);
    await fixture.hears('ready');
    writeFileSync(pidFile, `${fixture.pid}\n`);
    expect(caught(() => send(pidFile, SIGTERM))).toMatchObject({ code: 'EPROTO' });
    expect(fixture.child.exitCode).toBeNull();
  });

  test("a stranger's pipe of the daemon's name is refused", async () => {
    const victim = start('plain_daemon', [pidFile]);
    await victim.hears('ready');
    const stranger = new Fixture([TOOL, 'pipe', String(victim.pid)]);
    await stranger.hears('ready');
    const error = caught(() => send(pidFile, SIGTERM));
    expect(error).toBeInstanceOf(SignalError);
    expect(error['code']).toBe('EPROTO');
    expect(victim.child.exitCode).toBeNull();
  });

  /** A daemon whose pipe's names are all taken. */
  async function squatted(): Promise<{ fixture: Fixture; stranger: Fixture }> {
    const fixture = await daemon();
    fixture.tell('stop');
    await fixture.hears('done');
    fixture.tell(
      'eval require("node:diagnostics_channel").subscribe("daemoniker:warning", ' +
        '(message) => require("./say.cjs").say("warning", message))',
    );
    await fixture.hears('value');
    const stranger = new Fixture([TOOL, 'pipe', String(fixture.pid)]);
    await stranger.hears('ready');
    fixture.tell('start');
    return { fixture, stranger };
  }

  test("a stranger's pipe that came first is a warning, and no daemon that cannot start", async () => {
    const { fixture } = await squatted();
    const warning = await fixture.hears('warning');
    expect(warning).toMatchObject({
      code: 'DAEMONIKER_UNREACHABLE',
      message: expect.stringContaining('EADDRINUSE: another process has taken the name') as string,
    });
    await fixture.hears('done');
    expect(caught(() => send(pidFile, SIGTERM))).toMatchObject({ code: 'EPROTO' });
    tool('control', fixture.pid, CTRL_C_EVENT);
    expect(await fixture.hears('handled')).toMatchObject({ name: 'SIGINT' });
    fixture.tell('exit 3');
    const { code, stderr } = await fixture.end();
    expect(code).toBe(3);
    expect(stderr.match(/\[DAEMONIKER_UNREACHABLE\] DaemonikerWarning/g)).toHaveLength(1);
    expect(existsSync(pidFile)).toBe(false);
  });

  test('and the pipe is there once the stranger has gone', async () => {
    const { fixture, stranger } = await squatted();
    await fixture.hears('warning');
    await fixture.hears('done');
    stranger.child.kill();
    await stranger.end();
    const unreachable =
      'process[Object.getOwnPropertySymbols(process).find(({ description }) => ' +
      'description.startsWith("daemoniker.registry."))].native.unreachable()';
    const begun = Date.now();
    do {
      fixture.tell(`eval ${unreachable}`);
      if ((await fixture.hears('value'))['value'] === 0) break;
    } while (Date.now() - begun < SOON_MS);
    send(pidFile, SIGTERM);
    expect(await fixture.hears('handled')).toMatchObject({ name: 'SIGTERM', origin: 'pipe' });
  });

  test('the pipe is for this user, administrators and the system, and for no lower integrity level', async () => {
    const fixture = await daemon();
    const described = tool('describe-pipe', fixture.pid);
    expect(described).toMatch(/\\daemoniker-\d+ D:P/);
    expect(described.match(/\(A;[^)]*;;;/g)).toHaveLength(3);
    expect(described).toContain(';;;SY)');
    expect(described).toContain(';;;BA)');
    // Wine writes the rights of the label as if they were those of a directory.
    expect(described).toMatch(/S:\w*\((ML)?;;((N[RWX]){3}|CCDCLC);;;(LW|ME|MP|HI|S-1-16-\d+)\)$/);
  });
});

onWindowsItself('send() at a low integrity level', () => {
  test('is refused by the pipe', async () => {
    const fixture = await daemon();
    const command = [...RUNTIME, join(ROOT, 'dist', 'cli.js'), 'send', pidFile, 'SIGTERM'];
    const low = new Fixture([TOOL, 'low', command.map((word) => `"${word}"`).join(' ')]);
    const { code, stderr } = await low.end();
    expect(code).not.toBe(0);
    expect(stderr).toContain(`Cannot signal process ${fixture.pid}`);
    expect(stderr).toContain('EPERM');
    fixture.tell('exit 3');
    expect((await fixture.end()).code).toBe(3);
  });
});

onWindowsItself('the pipe', () => {
  const isElevated = IS_WINDOWS && spawnSync('net', ['session'], { stdio: 'ignore' }).status === 0;

  test('lies where only administrators can take its name, if this is one', async () => {
    const fixture = await daemon();
    const [name] = tool('describe-pipe', fixture.pid).split(' ');
    const place = isElevated ? 'ProtectedPrefix\\Administrators\\' : '';
    expect(name).toBe(`\\\\.\\pipe\\${place}daemoniker-${fixture.pid}`);
  });
});

/** Has the daemon say and wait for a while after each signal that it takes or gives back. */
async function slowDown(fixture: Fixture, change: 'take' | 'giveBack'): Promise<void> {
  const slower = `(() => {
    const key = Object.getOwnPropertySymbols(process)
      .find(({ description }) => description.startsWith('daemoniker.registry.'));
    const { native } = process[key];
    const { ${change}: change } = native;
    native.${change} = (...args) => {
      const result = change(...args);
      require('./say.cjs').say('${change}');
      for (const end = Date.now() + 200; Date.now() < end; );
      return result;
    };
  })()`;
  fixture.tell(`eval ${slower.replaceAll('\n', ' ')}`);
  await fixture.hears('value');
}

onWindows('a signal is not refused', () => {
  // Again and again, because the pipe's end meets the request at another point each time.
  test('while others are given back: there is no handler any more', async () => {
    for (let round = 0; round < 8; round++) {
      const fixture = await daemon();
      await slowDown(fixture, 'giveBack');
      fixture.tell('stop');
      await fixture.hears('giveBack');
      fixture.kill('SIGINT');
      expect(await fixture.end()).toMatchObject(deathWithoutHandler('SIGINT'));
    }
  });

  test('while others are taken: it is handled', async () => {
    const fixture = await daemon();
    fixture.tell('stop');
    await fixture.hears('done');
    await slowDown(fixture, 'take');
    fixture.tell('start');
    await fixture.hears('take');
    fixture.kill('SIGABRT');
    expect(await fixture.hears('handled')).toMatchObject({ name: 'SIGABRT' });
  });
});

onWindows('stop()', () => {
  test('and start() again and again', async () => {
    const fixture = await daemon();
    for (let round = 0; round < 20; round++) {
      send(pidFile, SIGINT);
      await fixture.hears('handled');
      fixture.tell('stop');
      await fixture.hears('done');
      fixture.tell('start');
      await fixture.hears('done');
    }
  });
});

onWindows('deadline', () => {
  test('ends a process in which nobody can allocate any more, its PID file included', async () => {
    const settings = JSON.stringify({ deadline: 300 });
    const fixture = start('blocked', [pidFile, settings, 'stuckForEver()']);
    await fixture.hears('begins');
    tool('hold-heap', fixture.pid);
    send(pidFile, SIGTERM);
    const { code, signal, stderr } = await fixture.end();
    expect({ code, signal }).toEqual(deathBy('SIGTERM'));
    expect(stderr).toContain('was not handled within its deadline');
    expect(existsSync(pidFile)).toBe(false);
  });
});

onWindows('console events', () => {
  test.each([
    ['CTRL_C_EVENT', CTRL_C_EVENT],
    ['CTRL_BREAK_EVENT', CTRL_BREAK_EVENT],
  ])('%s is SIGINT to a custom handler', async (_, event) => {
    const fixture = await daemon();
    tool('control', fixture.pid, event);
    expect(await fixture.hears('handled')).toMatchObject({
      args: [SIGINT.SIGNUM],
      name: 'SIGINT',
      origin: 'console',
      sender: null,
    });
  });

  test.each([
    ['CTRL_C_EVENT', CTRL_C_EVENT],
    ['CTRL_BREAK_EVENT', CTRL_BREAK_EVENT],
  ])('%s raises SIGINT in the default handler', async (_, event) => {
    const fixture = await daemon({ sigint: 'raise' });
    tool('control', fixture.pid, event);
    expect((await fixture.end()).code).toBe(130);
  });

  test.each(['say', 'raise'])('Ctrl-C in a real console: handler "%s"', async (sigint) => {
    const trigger = join(directory, 'trigger');
    const command = [...RUNTIME, join(FIXTURES, 'daemon.cjs'), pidFile, JSON.stringify({ sigint })];
    const quoted = command.map((word) => `"${word.replaceAll('"', '\\"')}"`).join(' ');
    const fixture = new Fixture([TOOL, 'console', String(CTRL_C_EVENT), trigger, quoted]);
    await fixture.hears('ready');
    writeFileSync(trigger, '');
    if (sigint === 'say') {
      expect(await fixture.hears('handled')).toMatchObject({ name: 'SIGINT', origin: 'console' });
      fixture.tell('exit 3');
    }
    expect((await fixture.end()).code).toBe(sigint === 'say' ? 3 : 130);
  });

  test('CTRL_CLOSE_EVENT is SIGTERM, and the console waits for a graceful shutdown', async () => {
    const result = join(directory, 'result');
    const fixture = start('graceful', [pidFile, result]);
    await fixture.hears('ready');
    tool('control', fixture.pid, CTRL_CLOSE_EVENT);
    expect(await fixture.hears('asked')).toMatchObject({ origin: 'console' });
    expect(await fixture.end()).toMatchObject({ code: 0 });
    expect(readFileSync(result, 'utf8')).toBe('saved');
  });

  test('the console waits for a handler, but not for one that ignores', async () => {
    const handling = await daemon();
    expect(tool('control', handling.pid, CTRL_CLOSE_EVENT)).toBe('held');
    const ignoring = start('daemon', ['-', JSON.stringify({ sigterm: 'ignore' })]);
    await ignoring.hears('ready');
    expect(tool('control', ignoring.pid, CTRL_CLOSE_EVENT)).toBe('returned');
  });

  test('stop() does not let the console go, which would end the process', async () => {
    const fixture = await daemon();
    expect(tool('control', fixture.pid, CTRL_CLOSE_EVENT)).toBe('held');
    fixture.tell('stop');
    await fixture.hears('done');
    fixture.tell('exit 3');
    expect((await fixture.end()).code).toBe(3);
  });

  test('WM_CLOSE is SIGTERM, and the end of the session is still noticed after it', async () => {
    const fixture = await daemon();
    tool('close', fixture.pid);
    expect(await fixture.hears('handled')).toMatchObject({ name: 'SIGTERM', origin: 'console' });
    tool('end-session', fixture.pid);
    expect(await fixture.hears('handled')).toMatchObject({ name: 'SIGTERM', origin: 'console' });
    fixture.tell('exit 3');
    expect((await fixture.end()).code).toBe(3);
  });

  test('WM_QUIT is SIGTERM, and the end of the session is still noticed after it', async () => {
    const fixture = await daemon();
    tool('quit', fixture.pid);
    expect(await fixture.hears('handled')).toMatchObject({ name: 'SIGTERM', origin: 'console' });
    tool('end-session', fixture.pid);
    expect(await fixture.hears('handled')).toMatchObject({ name: 'SIGTERM', origin: 'console' });
    fixture.tell('exit 3');
    expect((await fixture.end()).code).toBe(3);
  });

  test("the session's end is SIGTERM, and the system waits for a graceful shutdown", async () => {
    const result = join(directory, 'result');
    const fixture = start('graceful', [pidFile, result]);
    await fixture.hears('ready');
    tool('end-session', fixture.pid);
    expect(await fixture.hears('asked')).toMatchObject({ origin: 'console' });
    expect(await fixture.end()).toMatchObject({ code: 0 });
    expect(readFileSync(result, 'utf8')).toBe('saved');
  });
});

onWindows('where user32.dll has no windows, as in Nano Server', () => {
  test('handlers start and get signals', async () => {
    const daemon = await Session.start();
    tool('hide-windows', daemon.pid);
    const start = `(kept.handler = new SignalHandler1($0, {
      sigterm: () => say('handled', { name: kept.handler.received.name }),
    }).start(), true)`;
    await daemon.value(start, pidFile);
    expect(caught(() => tool('close', daemon.pid)).message).toContain('no window');
    send(pidFile, SIGTERM);
    expect(await daemon.fixture.hears('handled')).toMatchObject({ name: 'SIGTERM' });
    await daemon.value('kept.handler.stop()');
  });
});

onWindows('PID file', () => {
  test('others may read it, and delete it', async () => {
    const fixture = await daemon();
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(fixture.pid));
    unlinkSync(pidFile);
    fixture.tell('exit 3');
    expect(await fixture.end()).toMatchObject({ code: 3, stderr: '' });
  });

  /** As a virus scanner that looks at a new file, until 100 ms after it was told to let go. */
  async function scanner(): Promise<Fixture> {
    const fixture = new Fixture([TOOL, 'hold', pidFile]);
    await fixture.hears('holding');
    expect(caught(() => readFileSync(pidFile))).toMatchObject({ code: 'EBUSY' });
    return fixture;
  }

  test('one that somebody has open for 100 ms, and does not share, is taken all the same', async () => {
    writeFileSync(pidFile, '2147483647\n');
    const holder = await scanner();
    holder.tell('');
    const claim = PidFile.acquire(pidFile);
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(process.pid));
    claim.release();
    expect(existsSync(pidFile)).toBe(false);
  });

  test('so it is for ping() and send()', async () => {
    const fixture = start('plain_daemon', [pidFile, 'written']);
    await fixture.hears('ready');
    for (const ask of [() => ping(pidFile), () => (send(pidFile, 0), true)]) {
      const holder = await scanner();
      holder.tell('');
      expect(ask()).toBe(true);
      await holder.end();
    }
  });

  test('one that somebody never shares is EBUSY, with nothing changed', async () => {
    writeFileSync(pidFile, '2147483647\n');
    const holder = await scanner();
    const error = caught(() => PidFile.acquire(pidFile));
    expect(error).toMatchObject({ name: 'PidFileError', code: 'EBUSY', path: pidFile });
    expect(error.message).toContain('another process has it open and does not share it');
    expect(caught(() => ping(pidFile))).toMatchObject({ code: 'EBUSY' });
    holder.tell('');
    await holder.end();
    expect(readFileSync(pidFile, 'utf8')).toBe('2147483647\n');
  });

  /** Somebody who can only read the file, and locks a part of it. */
  async function locker(part: 'one' | 'all'): Promise<Fixture> {
    const fixture = new Fixture([TOOL, 'lock', pidFile, part]);
    await fixture.hears('locked');
    return fixture;
  }

  test.each([
    ['stale', '2147483647\n'],
    ['empty', ''],
  ])(
    'a %s one is replaced although somebody locks the byte that stands for it',
    async (_, content) => {
      writeFileSync(pidFile, content);
      const reader = await locker('one');
      const fixture = await daemon();
      expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(fixture.pid));
      expect(ping(pidFile)).toBe(true);
      expect(reader.child.exitCode).toBeNull();
      fixture.tell('stop');
      await fixture.hears('done');
      expect(existsSync(pidFile)).toBe(false);
    },
  );

  test('somebody who locks all that could say who holds it makes no process the daemon', async () => {
    const stranger = start('plain_daemon', [pidFile, 'written']);
    await stranger.hears('ready');
    utimesSync(pidFile, 0, 0); // it is older than that process
    await locker('all');
    expect(caught(() => send(pidFile, SIGTERM))).toMatchObject({ code: 'EACCES' });
    expect(stranger.child.exitCode).toBeNull();
  });
});
