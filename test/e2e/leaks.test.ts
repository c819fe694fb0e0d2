// What a long-lived daemon must not pile up.
import { PATIENCE_MS, endAll, type Said } from '../support/fixture';
import { onLinux, onLinuxAndWindows, onNodeOnLinux } from '../support/platform';
import { contextSwitches } from '../support/proc';
import { run, type Tools, type Usage } from '../support/program';
import { IS_WINDOWS, NAME } from '../support/runtime';
import { signal } from '../support/sending';
import { TOOL } from '../support/windows_tool';

afterEach(endAll);

const cycling = async ({ daemoniker, say, args, usage, signalMyself }: Tools): Promise<void> => {
  let handled = 0;
  const cycle = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      const handler = new daemoniker.SignalHandler1(null, { sigterm: () => handled++ });
      handler.start();
      signalMyself('SIGTERM');
      handler.stop();
      // The runtime frees what belongs to a turn of its event loop.
      if (i % 50 === 0) await new Promise(setImmediate);
    }
    globalThis.gc?.();
    await new Promise(setImmediate);
  };
  await cycle(Number(args[1]));
  const before = usage();
  await cycle(Number(args[2]));
  say('used', { before, after: usage(), handled });
};

const employing = async ({
  daemoniker,
  say,
  args,
  usage,
  require,
  onCommand,
}: Tools): Promise<void> => {
  const { Worker } = require('node:worker_threads') as typeof import('node:worker_threads');
  let counted = 0;
  const handler = new daemoniker.SignalHandler1(null, {
    sigterm: () => (counted += handler.received?.count ?? NaN),
  }).start();
  const source = "new (require(require('node:worker_threads').workerData).SignalHandler1)(null)";
  const employ = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i += 2) {
      const ends = [0, 1].map(() => {
        const workerData = require.resolve('../../');
        const worker = new Worker(source, { eval: true, workerData });
        return new Promise((resolve, reject) => worker.on('error', reject).on('exit', resolve));
      });
      await Promise.all(ends);
    }
    globalThis.gc?.();
  };
  /** When it falls no more, for threads end a little after; and, for a while, not before it is low. */
  const settled = async (isLow: (now: Usage) => boolean): Promise<Usage> => {
    let now = usage();
    for (let looks = 0; looks < 300; looks++) {
      const last = now;
      await new Promise((resolve) => setTimeout(resolve, 100));
      now = usage();
      if (now.threads >= last.threads && now.fds >= last.fds && isLow(now)) break;
    }
    return now;
  };
  onCommand(() => undefined);
  await employ(Number(args[1]));
  const before = await settled(() => true);
  say('ready');
  await employ(Number(args[2]));
  const most = Number(args[3]);
  const after = await settled(
    ({ threads, fds }) => threads <= before.threads + most && fds <= before.fds + most,
  );
  say('used', { before, after });
  setInterval(() => say('counted', { counted }), 20);
};

/** Windows has threads and handles of its own in every process, which come and go. */
const TOLERANCE = IS_WINDOWS ? 20 : 0;

function expectNothingLeft({ before, after }: Said & { before?: Usage; after?: Usage }): void {
  expect((after?.fds ?? NaN) - (before?.fds ?? NaN)).toBeLessThanOrEqual(TOLERANCE);
  expect((after?.threads ?? NaN) - (before?.threads ?? NaN)).toBeLessThanOrEqual(TOLERANCE);
  // A leaked thread stack, thread-safe function or worker would be much more than this.
  expect((after?.rss ?? NaN) - (before?.rss ?? NaN)).toBeLessThan(16 * 1024 * 1024);
}

/**
 * To warm up (Node 24 grows by 12 MB in the first thousand, and then hardly), and to be measured. Wine takes its
 * time for each pipe, thread and window.
 */
const TIMES = IS_WINDOWS
  ? { cycles: [100, 300], workers: [10, 40] }
  : { cycles: [1000, 1000], workers: [30, 200] };

onLinuxAndWindows('hundreds of start() and stop()', () => {
  test('leave no descriptor, thread or memory behind', async () => {
    // Else what has not been collected yet counts as well, which may be as much as a leak.
    const flags = NAME === 'node' ? ['--expose-gc'] : [];
    const program = run(cycling, [TOOL, ...TIMES.cycles.map(String)], { flags });
    const used = await program.hears('used');
    expect(used).toMatchObject({ handled: TIMES.cycles.reduce((sum, some) => sum + some) });
    expectNothingLeft(used);
    expect(await program.end()).toMatchObject({ code: 0, signal: null });
  });
});

(NAME === 'node' ? onLinuxAndWindows : onNodeOnLinux)(
  'many workers, created and ended while signals arrive,',
  () => {
    test('leave no descriptor, thread or memory behind, and no signal is lost', async () => {
      const args = [TOOL, ...TIMES.workers.map(String), String(TOLERANCE)];
      const program = run(employing, args, { flags: ['--expose-gc'] });
      await program.hears('ready');
      let sent = 0;
      let used: Said | undefined;
      const over = program.hears('used').then((said) => (used = said));
      while (used === undefined) {
        signal(program.pid, 'SIGTERM');
        sent++;
        await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 2))]);
      }
      expectNothingLeft(used);
      const counted = (await program.hears('counted'))['counted'] as number;
      expect(counted).toBeGreaterThan(0);
      expect(counted).toBeLessThanOrEqual(sent);
    });
  },
);

// Whoever closes a number too often, or reuses one, cannot hit one of ours.
onLinux('a running handler', () => {
  test('has no descriptor open, nor has an exit that is limited', async () => {
    const program = run(({ daemoniker, say, require, signalMyself }) => {
      const { readdirSync, readlinkSync } = require('node:fs') as typeof import('node:fs');
      const look = (): string[] =>
        readdirSync('/proc/self/fd').map((fd) => {
          try {
            return `${fd} ${readlinkSync(`/proc/self/fd/${fd}`)}`;
          } catch {
            return ''; // of the directory itself, closed by now
          }
        });
      look(); // whatever the runtime opens for that, and for listeners
      for (const name of ['SIGINT', 'SIGTERM', 'SIGABRT']) process.on(name, () => undefined);
      const before = look();
      const handler = new daemoniker.SignalHandler1(null, {
        sigterm: () => {
          const during = look();
          handler.stop();
          say('looked', { before, during, after: look() });
          process.exit();
        },
        deadline: 60_000,
        listeners: true, // without a warning, for which Node opens stderr
      });
      handler.start();
      handler.exitWithin(60_000);
      signalMyself('SIGTERM');
      setInterval(() => undefined, 1000);
    });
    const { before, during, after } = await program.hears('looked');
    expect(during).toEqual(before);
    expect(after).toEqual(before);
  });
});

// Other runtimes start threads of their own meanwhile.
onNodeOnLinux('the two threads', () => {
  test('do not wake up while nothing happens, for ten seconds', async () => {
    const program = run(({ daemoniker, say, onCommand }) => {
      const handler = new daemoniker.SignalHandler1(null, { sigterm: () => say('handled') });
      onCommand(() => {
        handler.start();
        say('started');
      });
      say('ready');
    });
    await program.hears('ready');
    const others = contextSwitches(program.pid);
    program.tell('start');
    await program.hears('started');
    program.kill('SIGTERM'); // they have worked, and are idle again
    await program.hears('handled');
    const ours = (): [string, number][] =>
      [...contextSwitches(program.pid)].filter(([thread]) => !others.has(thread));
    expect(ours()).toHaveLength(2); // the messenger and the watcher
    // Idle again: soon, but a busy machine may take its time.
    let before: [string, number][];
    const patience = Date.now() + PATIENCE_MS;
    do {
      if (Date.now() > patience) throw new Error('it does not come to rest');
      before = ours();
      await new Promise((resolve) => setTimeout(resolve, 500));
    } while (JSON.stringify(ours()) !== JSON.stringify(before));
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    expect(ours()).toEqual(before);
  });
});
