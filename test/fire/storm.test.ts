// A million signals from several senders, as fast as they can, at a daemon that has much else to do.
import { removeDirectory, temporaryDirectory } from '../support/directory';
import { Fixture, endAll, type Said } from '../support/fixture';
import { onNodeOnLinux, withTools } from '../support/platform';
import { run, type Tools } from '../support/program';

const SENDERS = 3;
const NAMES = ['SIGINT', 'SIGTERM', 'SIGABRT'] as const;

let directory: string;

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await endAll();
  removeDirectory(directory);
});

/** What arrived by number: at our handlers, and at those of process.on(). */
interface Totals {
  readonly handled: Record<number, number>;
  readonly before: Record<number, number>;
  readonly cycles: number;
  readonly children: number;
  readonly workers: number;
  /** Of JavaScript and of the process, in bytes. */
  readonly heap: number;
  readonly rss: number;
}

/** `busy` begins to do everything at once, `settle` ends that, collects garbage and says totals. */
const daemon = ({ daemoniker, say, require, args, onCommand, signals }: Tools): void => {
  const { spawn } = require('node:child_process') as typeof import('node:child_process');
  const { Worker } = require('node:worker_threads') as typeof import('node:worker_threads');
  const [pidFile] = args;
  const { SignalHandler1 } = daemoniker;
  const numbers = [signals.SIGINT, signals.SIGTERM, signals.SIGABRT];
  // While none of our handlers runs, the signals are the program's own: one that were nobody's for a
  // moment would be deadly.
  const before: Record<number, number> = {};
  for (const signum of numbers) before[signum] = 0;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGABRT'] as const) {
    process.on(name, () => ((before[signals[name]] as number) += 1));
  }

  const handled: Record<number, number> = {};
  for (const signum of numbers) handled[signum] = 0;
  const make = (): InstanceType<typeof SignalHandler1> => {
    const handle = (signum: number): void => {
      const { received } = handler;
      if (received?.signum !== signum || received.sender === null) throw new Error('wrong record');
      (handled[signum] as number) += received.count;
    };
    const handler = new SignalHandler1(null, handle, handle, handle);
    return handler;
  };
  let handlers = [make().start()];

  let busy = false;
  let cycles = 0;
  let children = 0;
  let workers = 0;
  const underway = new Set<Promise<unknown>>();
  const until = (end: (resolve: () => void, reject: (error: Error) => void) => void): void => {
    const promise = new Promise<void>(end).finally(() => underway.delete(promise));
    underway.add(promise);
  };

  const allocate = (): void => {
    const garbage = Array.from({ length: 2000 }, (_, i) => ({ i, text: `number ${i}` }));
    Buffer.alloc(100_000 + garbage.length);
  };
  // One more, one less, and sometimes none for a moment.
  const cycle = (): void => {
    cycles++;
    const another = make().start();
    handlers.push(another);
    if (handlers.length > 3) handlers.shift()?.stop();
    if (cycles % 10 === 0) {
      for (const handler of handlers) handler.stop();
      handlers = [make().start()];
    }
  };
  const breed = (): void =>
    until((resolve, reject) => {
      children++;
      const child = spawn('true', { stdio: 'ignore' });
      child.on('error', reject).on('exit', (code, signal) => {
        if (code === 0) resolve();
        else reject(new Error(`a child ended with ${signal ?? String(code)}`));
      });
    });
  const employ = (): void =>
    until((resolve, reject) => {
      workers++;
      const source = `
        const { PidFile } = require(require('node:worker_threads').workerData.daemoniker);
        const claim = PidFile.acquire(require('node:worker_threads').workerData.pidFile);
        claim.release();`;
      const workerData = { daemoniker: require.resolve('../../'), pidFile };
      const worker = new Worker(source, { eval: true, workerData });
      worker.on('error', reject).on('exit', () => resolve());
    });
  const work = (): void => {
    if (!busy) return;
    allocate();
    cycle();
    if (cycles % 4 === 0 && underway.size < 4) breed();
    if (cycles % 16 === 0 && underway.size < 4) employ();
    setTimeout(work, 1);
  };

  const settle = async (): Promise<void> => {
    busy = false;
    await Promise.all(underway);
    for (const handler of handlers.splice(1)) handler.stop();
    for (let i = 0; i < 4; i++) {
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 50)); // threads end a little after
    }
    const { heapUsed, external, rss } = process.memoryUsage();
    const heap = heapUsed + external;
    say('settled', { handled, before, cycles, children, workers, heap, rss });
  };
  onCommand((command) => {
    if (command === 'end') process.exit(0);
    if (command === 'settle') void settle();
    if (command === 'busy') {
      busy = true;
      work();
    }
  });
  say('ready');
};

/** It has listeners that are not called while one of our handlers runs: as it is meant here. */
const FLAGS = ['--disable-warning=DAEMONIKER_LISTENERS_NOT_CALLED'];

/** Sends `count` signals of three kinds in turn, none of them waiting for another. */
const SEND = `
import os, signal, sys
pid, count = int(sys.argv[1]), int(sys.argv[2])
kinds = [signal.SIGINT, signal.SIGTERM, signal.SIGABRT]
for i in range(count // 3):
    for kind in kinds:
        os.kill(pid, kind)
`;

async function storm(target: Fixture, signals: number): Promise<void> {
  const each = Math.ceil(signals / SENDERS / 3) * 3;
  const senders = Array.from(
    { length: SENDERS },
    () => new Fixture(['python3', '-c', SEND, String(target.pid), String(each)]),
  );
  const ended = target.ended.then(({ code, signal, stderr }) => {
    throw new Error(`the daemon ended with ${signal ?? String(code)}: ${stderr}`);
  });
  await Promise.race([ended, Promise.all(senders.map((sender) => sender.end()))]);
}

async function settled(target: Fixture): Promise<Said & Totals> {
  target.tell('settle');
  return (await target.hears('settled')) as Said & Totals;
}

/** With nothing else on its way, one of each kind: nothing is left lying or stuck. */
async function expectAliveAndWell(target: Fixture, before: Totals): Promise<void> {
  for (const name of NAMES) target.kill(name);
  let after = await settled(target);
  const isHandled = (signum: string): boolean =>
    (after.handled[Number(signum)] ?? 0) > (before.handled[Number(signum)] ?? NaN);
  const kinds = Object.keys(before.handled);
  expect(kinds).toHaveLength(NAMES.length);
  while (!kinds.every(isHandled)) after = await settled(target);
  target.tell('end');
  expect(await target.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
}

function expectAddsUp(totals: Totals, sent: number): void {
  for (const [signum, handled] of Object.entries(totals.handled)) {
    expect(handled).toBeGreaterThan(0);
    expect(handled + (totals.before[Number(signum)] ?? NaN)).toBeLessThanOrEqual(sent / 3);
  }
}

const MEGABYTE = 1024 * 1024;

withTools('python3')('a million signals from several senders', () => {
  onNodeOnLinux('on a daemon that', () => {
    test('allocates, spawns children, starts and stops handlers and workers', async () => {
      const target = run(daemon, [`${directory}/test.pid`], {
        flags: [...FLAGS, '--expose-gc'],
      });
      await target.hears('ready');
      target.tell('busy');
      await storm(target, 150_000);
      const before = await settled(target);
      target.tell('busy');
      await storm(target, 900_000);
      const after = await settled(target);

      expectAddsUp(after, 1_050_000);
      for (const what of ['cycles', 'children', 'workers'] as const) {
        expect(after[what]).toBeGreaterThan(before[what]);
      }
      expect(after.heap - before.heap).toBeLessThan(MEGABYTE);
      // Workers and children leave the C library's heap in pieces.
      expect(after.rss - before.rss).toBeLessThan(16 * MEGABYTE);
      await expectAliveAndWell(target, after);
    });

    test('does nothing else: its memory grows by less than a megabyte', async () => {
      const target = run(daemon, [`${directory}/test.pid`], {
        flags: [...FLAGS, '--expose-gc', '--max-semi-space-size=1'],
      });
      await target.hears('ready');
      const growths: number[] = [];
      await storm(target, 300_000);
      let before = await settled(target);
      for (let million = 0; million < 2; million++) {
        await storm(target, 1_000_000);
        const after = await settled(target);
        growths.push(after.rss - before.rss);
        expect(after.heap - before.heap).toBeLessThan(MEGABYTE);
        before = after;
      }
      // What the runtime or the C library takes once and for all may fall into one of them.
      expect(Math.min(...growths)).toBeLessThan(MEGABYTE);
      await expectAliveAndWell(target, before);
    });
  });
});
