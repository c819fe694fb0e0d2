// What a limit measures, and what it survives: `deadline`, exitWithin(), and the deadline that the
// default handler has of its own.
import { setTimeout as timePasses } from 'node:timers/promises';
import { send, SIGTERM } from '../..';
import { endlessConstructorPath, heldAllocatorPath, preloading } from '../support/addon';
import { CpuQuota, canMakeCpuQuota } from '../support/cgroup';
import { pidFile } from '../support/each_test';
import { deathBy } from '../support/endings';
import { endAll, start, type Ending, type Fixture, type FixtureOptions } from '../support/fixture';
import {
  onLinux,
  onNode,
  onNodeOnUnix,
  onUnix,
  only,
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

/** A lower limit is exact; this is for the upper one: this machine may be busy. */
const SOON_MS = 2500;

describe.each([
  [
    'deadline',
    { deadline: 300 },
    '',
    /^daemoniker: SIGTERM from pid \d+.* was not handled within its deadline: .*ending the process\n$/m,
  ],
  [
    'exitWithin()',
    { deadline: null },
    'handler.exitWithin(300);',
    /^daemoniker: the process did not exit within 300 ms; ending it by SIGTERM\n$/m,
  ],
])('%s ends the process although its main thread', (_, settings, limit, line) => {
  /** Stuck from that event on. */
  async function expectEnd(fixture: Fixture, event: string): Promise<Ending> {
    await fixture.hears(event);
    const stuck = performance.now();
    fixture.kill('SIGTERM');
    const ending = await fixture.end();
    const took = performance.now() - stuck;
    expect(ending).toMatchObject(deathBy('SIGTERM'));
    expect(took).toBeGreaterThan(200);
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
    const fixture = await begin(code, settings, { wrapper: preloading(path) });
    const { stdout } = await expectEnd(fixture, 'waits');
    expect(stdout).not.toContain('has waited'); // it is a lock
  });

  onUnix.test("holds the loader's lock for ever", async () => {
    const path = JSON.stringify(endlessConstructorPath());
    await expectEnd(await begin(`${limit} require(${path})`, settings), 'loads');
  });
});

only('needs a cgroup with a CPU quota', process.platform === 'linux' && canMakeCpuQuota())(
  'under a CPU quota of 10 %',
  () => {
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
  },
);

// Stopped is neither stuck nor late.
onLinux('a process that is stopped twice for longer than its limit', () => {
  const LIMIT_MS = 600;
  const STOPPED_MS = 900;

  test.each([
    ['deadline', 'stuckForEver()', { deadline: LIMIT_MS }],
    ['exitWithin()', `handler.exitWithin(${LIMIT_MS}); say('set'); stuckForEver()`, {}],
  ])('gets the time that is left of its %s', async (limit, code, settings) => {
    const fixture = await begin(code, settings);
    if (limit === 'deadline') send(pidFile, SIGTERM);
    else await fixture.hears('set');
    let ran = -performance.now(); // what it could use at most
    for (let round = 0; round < 2; round++) {
      await timePasses(100); // some of the limit is used up
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
  send(pidFile, SIGTERM);
  await fixture.hears('handled');
  const first = performance.now();
  let ending: Ending | undefined;
  const end = fixture.end().then((value) => (ending = value));
  for (let round = 0; round < 20 && ending === undefined; round++) {
    await Promise.race([end, timePasses(250)]); // what the test is about
    try {
      fixture.kill('SIGTERM');
    } catch {
      // It has ended.
    }
  }
  const took = performance.now() - first;
  expect(ending).toMatchObject(deathBy('SIGTERM'));
  expect(took).toBeGreaterThan(850);
  expect(took).toBeLessThan(SOON_MS);
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
    /** How long its event loop is blocked. */
    readonly ms?: number;
  }

  const blocking = ({ daemoniker, say, args, require }: Tools): void => {
    const { deadline, listens, ms } = JSON.parse(args[0] as string) as Settings;
    const { writeSync } = require('node:fs') as typeof import('node:fs');
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
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    };
    say('begins');
    stuck();
    if (listens === undefined) process.exit(5);
    writeSync(1, 'free\n');
    setInterval(() => undefined, 1000);
  };

  interface Outcome extends Ending {
    readonly took: number;
  }

  async function outcome(
    signal: NodeJS.Signals,
    settings: Settings,
    flags: readonly string[] = [],
  ): Promise<Outcome> {
    const program = run(blocking, [JSON.stringify(settings)], { flags });
    await program.hears('begins');
    const sent = performance.now();
    program.kill(signal);
    const ending = await program.end();
    return { ...ending, took: performance.now() - sent };
  }

  const PAST_IT_MS = 6000;
  let stuck: readonly Outcome[];
  let others: Readonly<Record<'none' | 'before' | 'after' | 'debugged', Outcome>>;

  // All at once: each takes longer than the deadline.
  beforeAll(async () => {
    const stuckFrom = (['SIGTERM', 'SIGABRT', 'SIGTERM', 'SIGABRT'] as const).map((signal) =>
      outcome(signal, {}),
    );
    const [none, before, after, debugged] = await Promise.all([
      outcome('SIGTERM', { deadline: null, ms: PAST_IT_MS }),
      outcome('SIGTERM', { listens: 'before', ms: PAST_IT_MS }),
      outcome('SIGTERM', { listens: 'after', ms: PAST_IT_MS }),
      outcome('SIGTERM', { ms: PAST_IT_MS }, NAME === 'node' ? INSPECTED : []),
    ]);
    others = { none, before, after, debugged };
    stuck = await Promise.all(stuckFrom);
  });

  test.each([
    ['SIGTERM', 0],
    ['SIGABRT', 1],
  ] as const)('ends a stuck process by %s after 5 s', (signal, index) => {
    for (const { code, signal: seen, took, stderr } of [
      stuck[index],
      stuck[index + 2],
    ] as Outcome[]) {
      expect({ code, signal: seen }).toEqual(deathBy(signal));
      expect(took).toBeGreaterThan(4990);
      expect(took).toBeLessThan(5000 + SOON_MS);
      expect(stderr).toContain(`${signal} from pid ${process.pid}`);
      expect(stderr).toContain('was not handled within its deadline');
    }
  });

  // The end does not wait long for the main thread's answer, which a busy machine may delay.
  onNodeOnUnix.test('says where it is stuck', async () => {
    const all = stuck.map(({ stderr }) => stderr).join('');
    expect(all).toMatch(/ending the process\n {4}at .*\bstuck \(/);
    return Promise.resolve();
  });

  test('is none with { deadline: null }', () => {
    expect(others.none).toMatchObject({ code: 5, signal: null, stderr: '' });
    expect(others.none.took).toBeGreaterThan(5500);
  });

  // At a breakpoint the event loop is blocked, and nothing is wrong.
  onNode.test('is none while an inspector listens', async () => {
    expect(others.debugged).toMatchObject({ code: 5, signal: null });
    expect(others.debugged.took).toBeGreaterThan(5500);
    return Promise.resolve();
  });

  test.each(['before', 'after'] as const)(
    'is none while the program itself listens, since %s start(): its listener hears the signal',
    (when) => {
      expect(others[when]).toMatchObject({ code: 7, signal: null, stderr: '' });
      expect(others[when].stdout).toMatch(/free\n.*"heard","given":\["SIGTERM"/);
      expect(others[when].took).toBeGreaterThan(5500);
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

  onNodeOnUnix.test.each(['exitWithin()', 'deadline'])(
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
          if (args[0] === 'deadline') process.kill(process.pid, 'SIGTERM');
          else handler.exitWithin(300);
          for (;;);
        },
        [limit],
        { wrapper: ['python3', '-c', PYTHON] },
      );
      expect(await terminal.hears('raw')).toMatchObject({ isRaw: true });
      expect(await terminal.hears('terminal')).toMatchObject({ isRaw: false, code: -15 });
    },
  );
});
