// What a limit measures, and what it survives: `deadline`, exitWithin(), and the deadline that the
// default handler has of its own.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as timePasses } from 'node:timers/promises';
import { send, SIGTERM } from '../../';
import { endlessConstructorPath, heldAllocatorPath, preloading } from '../support/addon';
import { CpuQuota, withCpuQuota } from '../support/cgroup';
import { removeDirectory, temporaryDirectory } from '../support/directory';
import { pidFile } from '../support/each_test';
import { deathBy } from '../support/endings';
import {
  SOON_MS,
  endAll,
  start,
  type Ending,
  type Fixture,
  type FixtureOptions,
} from '../support/fixture';
import {
  onLinux,
  onNode,
  onNodeOnUnix,
  onUnix,
  withCommand,
  withPreload,
} from '../support/platform';
import { eventually, stateOf } from '../support/processes';
import { run, type Tools } from '../support/program';
import { NAME } from '../support/runtime';

/** A process that has begun to run `code`. */
async function begin(
  code: string,
  settings: object = {},
  options: FixtureOptions = {},
): Promise<Fixture> {
  const fixture = start('blocked', [pidFile, JSON.stringify(settings), code], options);
  await fixture.hears('begins');
  return fixture;
}

describe.each([
  [
    'deadline',
    { deadline: 300 },
    '',
    /^daemoniker: SIGTERM from pid \d+.* was not handled within its deadline: .*ending the process\n$/,
  ],
  [
    'exitWithin()',
    {},
    'handler.exitWithin(300);',
    /^daemoniker: the process did not exit within 300 ms; terminating it with SIGTERM\n$/,
  ],
])('%s ends the process although its main thread', (what, settings, limit, line) => {
  /** Stuck from that event on. */
  async function expectEnd(fixture: Fixture, event: string): Promise<Ending> {
    await fixture.hears(event);
    const stuck = performance.now();
    if (what === 'deadline') fixture.kill('SIGTERM');
    const ending = await fixture.end();
    const took = performance.now() - stuck;
    expect(ending).toMatchObject(deathBy('SIGTERM'));
    if (what === 'deadline') expect(took).toBeGreaterThanOrEqual(299);
    expect(took).toBeLessThan(SOON_MS);
    expect(ending.stderr).toMatch(line);
    return ending;
  }

  withPreload.test("holds the allocator's only lock for ever", async () => {
    const path = heldAllocatorPath();
    // With threads that may not even have begun to run.
    const code = `
      const { hold } = require(${JSON.stringify(path)});
      handler.stop();
      handler.start();
      ${limit}
      hold();
    `;
    const fixture = await begin(code, settings, preloading(path));
    const { stdout } = await expectEnd(fixture, 'waits');
    expect(stdout).not.toContain('has waited'); // it is a lock
  });

  onUnix.test("holds the loader's lock for ever", async () => {
    const path = JSON.stringify(endlessConstructorPath());
    await expectEnd(await begin(`${limit} require(${path})`, settings), 'loads');
  });
});

withCpuQuota('under a CPU quota of 10 %', () => {
  let quota: CpuQuota;

  beforeEach(() => {
    quota = CpuQuota.make(0.1);
  });

  afterEach(async () => {
    await endAll();
    await eventually('an empty cgroup', () => quota.remove());
  });

  test('a deadline of 300 ms spares a process with callbacks of 50 ms', async () => {
    const fixture = await begin(
      `
        const used = () => { const { user, system } = process.cpuUsage(); return user + system; };
        const work = () => {
          const end = used() + 50_000;
          while (used() < end);
          setImmediate(work);
        };
        work();
      `,
      { deadline: 300 },
    );
    quota.limit(fixture.pid);
    await eventually('a process that has to wait for its CPU time', () => quota.throttled() > 1);
    for (let round = 0; round < 8; round++) {
      send(pidFile, SIGTERM);
      await fixture.hears('handled');
    }
    fixture.kill('SIGKILL');
    expect(await fixture.end()).toMatchObject({ signal: 'SIGKILL', stderr: '' });
  });

  test('a deadline of 300 ms ends an endless loop', async () => {
    const fixture = await begin('stuckForEver()', { deadline: 300 });
    quota.limit(fixture.pid);
    await eventually('a process that has to wait for its CPU time', () => quota.throttled() > 1);
    send(pidFile, SIGTERM);
    const ending = await fixture.end();
    expect(ending).toMatchObject(deathBy('SIGTERM'));
    expect(ending.stderr).toContain('was not handled within its deadline');
  });
});

// Stopped is neither stuck nor late.
onLinux('a process that is stopped twice for longer than its limit', () => {
  const LIMIT_MS = 1000;
  const STOPPED_MS = 1300;

  test.each([
    ['deadline', 'stuckForEver()', { deadline: LIMIT_MS }],
    ['exitWithin()', `handler.exitWithin(${LIMIT_MS}); say('set'); stuckForEver()`, {}],
  ])('gets the time that is left of its %s', async (limit, code, settings) => {
    const fixture = await begin(code, settings);
    let ran = -performance.now(); // what it could use at most
    if (limit === 'deadline') send(pidFile, SIGTERM);
    else await fixture.hears('set');
    for (let round = 0; round < 2; round++) {
      fixture.kill('SIGSTOP');
      await eventually('a stopped process', () => stateOf(fixture.pid) === 'T');
      ran += performance.now();
      await timePasses(STOPPED_MS); // what the test is about
      ran -= performance.now();
      fixture.kill('SIGCONT');
    }
    const ending = await fixture.end();
    ran += performance.now();
    expect(ending).toMatchObject(deathBy('SIGTERM'));
    // The slice of 25 ms in which it was stopped may count in full.
    expect(ran).toBeGreaterThan(LIMIT_MS - 2 * 25 - 10);
    expect(ran).toBeLessThan(SOON_MS);
  });
});

test('exitWithin() ends the process in time however often its handler is called', async () => {
  const fixture = await begin(
    "handler.sigterm = () => { handler.exitWithin(900); say('handled'); }; liveOn(); say('set');",
  );
  await fixture.hears('set');
  const first = performance.now();
  send(pidFile, SIGTERM);
  await fixture.hears('handled');
  let ending: Ending | undefined;
  const end = fixture.end().then((value) => (ending = value));
  for (let round = 0; round < 40 && ending === undefined; round++) {
    await Promise.race([end, timePasses(250)]); // what the test is about
    try {
      fixture.kill('SIGTERM');
    } catch {
      // It has ended.
    }
  }
  expect(ending).toMatchObject(deathBy('SIGTERM'));
  expect(performance.now() - first).toBeGreaterThanOrEqual(899);
});

const INSPECTED = ['--inspect=127.0.0.1:0'];

onNode.test('a deadline that was asked for holds while an inspector listens', async () => {
  const settings = { sigterm: 'raise', deadline: 300 };
  const fixture = await begin('stuckForEver()', settings, { flags: INSPECTED });
  send(pidFile, SIGTERM);
  expect(await fixture.end()).toMatchObject(deathBy('SIGTERM'));
});

describe("the default handler's own deadline", () => {
  interface Settings {
    readonly deadline?: number | null;
    /** When the program itself begins to listen. */
    readonly listens?: 'before' | 'after';
  }

  const blocking = ({ daemoniker, say, args, require }: Tools): void => {
    const { existsSync } = require('node:fs') as typeof import('node:fs');
    const [json, free] = args as [string, string];
    const { deadline, listens } = JSON.parse(json) as Settings;
    const listen = (): void => {
      process.on('SIGTERM', (...given: unknown[]) => {
        say('heard', { given });
        process.exit(7);
      });
    };
    if (listens === 'before') listen();
    new daemoniker.SignalHandler1(null, { deadline }).start();
    if (listens === 'after') listen();
    // Waiting takes no CPU time from the others.
    const stuck = (): void => {
      const nothing = new Int32Array(new SharedArrayBuffer(4));
      while (!existsSync(free)) Atomics.wait(nothing, 0, 0, 10);
    };
    say('begins');
    stuck();
    if (listens === undefined) process.exit(5);
    setInterval(() => undefined, 1000);
  };

  interface Outcome extends Ending {
    readonly took: number;
  }

  let temporary: string;
  let stuck: readonly Outcome[];
  let others: Readonly<Record<'none' | 'before' | 'after' | 'debugged', Outcome>>;

  /** Of a process that is stuck until it is ended, or until its loop is free, well after the 5 s. */
  async function outcome(
    signal: NodeJS.Signals,
    settings: Settings,
    isFreed: boolean,
    flags: readonly string[] = [],
  ): Promise<Outcome> {
    const free = join(temporary, isFreed ? 'free' : 'never');
    const program = run(blocking, [JSON.stringify(settings), free], { flags });
    await program.hears('begins');
    const sent = performance.now();
    program.kill(signal);
    if (isFreed) {
      await timePasses(5600); // what the test is about
      writeFileSync(free, '');
    }
    const ending = await program.end();
    return { ...ending, took: performance.now() - sent };
  }

  // All at once: each takes longer than the deadline.
  beforeAll(async () => {
    temporary = temporaryDirectory();
    const [none, before, after, debugged, ...ended] = await Promise.all([
      outcome('SIGTERM', { deadline: null }, true),
      outcome('SIGTERM', { listens: 'before' }, true),
      outcome('SIGTERM', { listens: 'after' }, true),
      outcome('SIGTERM', {}, NAME === 'node', NAME === 'node' ? INSPECTED : []),
      ...(['SIGTERM', 'SIGABRT', 'SIGTERM', 'SIGABRT'] as const).map((signal) =>
        outcome(signal, {}, false),
      ),
    ]);
    others = { none, before, after, debugged };
    stuck = ended;
  });

  afterAll(() => removeDirectory(temporary));

  test.each([
    ['SIGTERM', 0],
    ['SIGABRT', 1],
  ] as const)('ends a stuck process by %s after 5 s', (signal, index) => {
    for (const ending of [stuck[index], stuck[index + 2]] as Outcome[]) {
      expect(ending).toMatchObject(deathBy(signal));
      expect(ending.took).toBeGreaterThanOrEqual(4999);
      expect(ending.took).toBeLessThan(SOON_MS);
      expect(ending.stderr).toContain(`${signal} from pid ${process.pid}`);
      expect(ending.stderr).toContain('was not handled within its deadline');
    }
  });

  // The end does not wait long for the main thread's answer, which a busy machine may delay.
  onNodeOnUnix.test('says where it is stuck', async () => {
    const all = stuck.map(({ stderr }) => stderr).join('');
    expect(all).toMatch(/ending the process\n(?: {4}at .*\n)* {4}at .*\bstuck \(/);
    return Promise.resolve();
  });

  test('is none with { deadline: null }', () => {
    expect(others.none).toMatchObject({ code: 5, signal: null, stderr: '' });
  });

  // At a breakpoint the event loop is blocked, and nothing is wrong.
  onNode.test('is none while an inspector listens', async () => {
    expect(others.debugged).toMatchObject({ code: 5, signal: null });
    return Promise.resolve();
  });

  test.each(['before', 'after'] as const)(
    'is none while the program itself listens, since %s start(): its listener hears the signal',
    (when) => {
      expect(others[when]).toMatchObject({ code: 7, signal: null, stderr: '' });
      expect(others[when].stdout).toContain('"heard","given":["SIGTERM"');
    },
  );
});

// The program turns off echo, line editing and Ctrl-C, and cannot turn them on again any more.
withCommand(
  'python3',
  '-c',
  'import pty, termios; pty.openpty()',
)('a terminal in raw mode', () => {
  const PYTHON = `
import json, pty, subprocess, sys, termios
_, terminal = pty.openpty()
code = subprocess.call(sys.argv[1:], stdin=terminal)
is_raw = not termios.tcgetattr(terminal)[3] & termios.ICANON
print(json.dumps({'event': 'terminal', 'isRaw': is_raw, 'code': code}), flush=True)
`;

  onNodeOnUnix.test.each(['exitWithin()', 'deadline', 'the default handler'])(
    'has its settings back when %s has ended the process',
    async (limit) => {
      const terminal = run(
        ({ daemoniker, say, args, require }) => {
          const { spawnSync } =
            require('node:child_process') as typeof import('node:child_process');
          const handler = new daemoniker.SignalHandler1(null, { deadline: 300 }).start();
          process.stdin.setRawMode(true);
          // What the terminal itself says.
          const { stdout } = spawnSync('stty', ['-a'], { stdio: [0, 'pipe', 2], encoding: 'utf8' });
          say('raw', { isRaw: stdout.includes('-icanon') });
          if (args[0] === 'exitWithin()') handler.exitWithin(300);
          else process.kill(process.pid, 'SIGTERM');
          if (args[0] === 'the default handler') setInterval(() => undefined, 1000);
          else for (;;);
        },
        [limit],
        { wrapper: ['python3', '-c', PYTHON] },
      );
      expect(await terminal.hears('raw')).toMatchObject({ isRaw: true });
      expect(await terminal.hears('terminal')).toMatchObject({ isRaw: false, code: -15 });
    },
  );

  // Whoever changes the settings from there is stopped by SIGTTOU, unless it blocks that. Node's own reset
  // at exit(3) does not, so this is about an end by a limit.
  const IN_BACKGROUND = `
import fcntl, json, os, pty, signal, subprocess, sys, termios
_, terminal = pty.openpty()
os.setsid()
fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
def to_foreground():
    os.setpgrp()
    os.tcsetpgrp(terminal, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
child = subprocess.Popen(sys.argv[1:], stdin=terminal, preexec_fn=to_foreground)
sys.stdin.readline()
os.tcsetpgrp(terminal, os.getpgrp())
child.terminate()
_, status = os.waitpid(child.pid, os.WUNTRACED)
is_raw = not termios.tcgetattr(terminal)[3] & termios.ICANON
stopped = os.WIFSTOPPED(status)
if stopped: child.kill()
signum = 0 if stopped else os.WTERMSIG(status)
print(json.dumps({'event': 'terminal', 'isRaw': is_raw, 'stopped': stopped, 'signum': signum}), flush=True)
`;

  onNodeOnUnix.test(
    'has its settings back, and the process ends, also when it is in the background by then',
    async () => {
      const terminal = run(
        ({ daemoniker, say }) => {
          new daemoniker.SignalHandler1(null, { deadline: 300 }).start();
          process.stdin.setRawMode(true);
          say('raw');
          for (;;);
        },
        [],
        { wrapper: ['python3', '-c', IN_BACKGROUND] },
      );
      await terminal.hears('raw');
      terminal.tell('go on');
      expect(await terminal.hears('terminal')).toEqual({
        event: 'terminal',
        isRaw: false,
        stopped: false,
        signum: 15,
      });
    },
  );
});
