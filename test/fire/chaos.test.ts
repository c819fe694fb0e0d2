// Daemons that end at any moment and in any way, a thousand times: whatever they leave behind, no
// lock is stuck, send() believes nothing of it, and the next daemon starts.
//
// What is random comes from a seed, which stands in the test's name. The same again, as far as the
// machine lets it: DAEMONIKER_CHAOS_SEED=… npm run test:chaos
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as timePasses } from 'node:timers/promises';
import { PidFile, ping, send } from '../../';
import { caught } from '../support/caught';
import { removeDirectory, temporaryDirectory } from '../support/directory';
import { endAll, type Ending, type Fixture } from '../support/fixture';
import { contentHeldBy } from '../support/pid_file';
import { onNodeOnLinux } from '../support/platform';
import { eventually } from '../support/processes';
import { run, type Tools } from '../support/program';
import { Random } from '../support/random';

const SEED = Number(process.env['DAEMONIKER_CHAOS_SEED'] ?? Date.now() % 1_000_000);
const ROUNDS = Number(process.env['DAEMONIKER_CHAOS_ROUNDS'] ?? 1000);
/** Daemons at a time, each with a PID file of its own. */
const LANES = 4;

let directory: string;

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await endAll();
  for (const pid of processesOf(directory)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has exited just now.
    }
  }
  removeDirectory(directory);
});

/**
 * Claims its PID file, is signalled, handles that and lets go, over and over, until in one of its
 * rounds it ends as it was told to.
 */
const daemon = async ({ daemoniker, say, require, args, signalMyself }: Tools): Promise<void> => {
  const [pidFile, how, when] = args as [string, string, string];
  const { Worker } = require('node:worker_threads') as typeof import('node:worker_threads');
  const { spawn } = require('node:child_process') as typeof import('node:child_process');
  let round = 0;
  const end: Record<string, () => unknown> = {
    exit: () => process.exit(7),
    throw: () => {
      throw new Error('thrown by a handler');
    },
    reject: () => Promise.reject(new Error('rejected by a handler')),
    abort: () => process.abort(),
  };
  const handle = (): unknown => (round >= Number(when) ? end[how]?.() : undefined);
  // The default handler raises the signal, which ends the process by it.
  const sigterm = (): unknown => (how === 'raise' && round >= Number(when) ? null : handle);

  if (how === 'worker') {
    const source = `
      const { workerData: { daemoniker, pidFile }, parentPort } = require('node:worker_threads');
      const { PidFile } = require(daemoniker);
      for (let i = 0; ; i++) {
        PidFile.acquire(pidFile).release();
        if (i === 3) parentPort.postMessage('working');
      }`;
    const workerData = { daemoniker: require.resolve('../../'), pidFile };
    const worker = new Worker(source, { eval: true, workerData });
    worker.once('message', () => setTimeout(() => void worker.terminate(), Number(when) / 4));
    worker.once('exit', () => process.exit(7));
  }
  // A child that outlives its parent must not hold what that held.
  if (how === 'orphan')
    spawn('sh', ['-c', 'sleep 1000; :', pidFile], { stdio: 'ignore', detached: true });
  say('begins');
  for (; ; round++) {
    const handler = new daemoniker.SignalHandler1(pidFile, {
      sigterm: sigterm() as null,
    }).start();
    if (round === 0) say('started');
    signalMyself('SIGTERM');
    if (round % 2 === 0) await new Promise(setImmediate);
    handler.stop();
    if (round % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
};

/** How a daemon ends, and what it may leave behind. */
const ENDINGS: Record<string, { ends: Partial<Ending>; leaves: 'nothing' | 'anything' }> = {
  kill: { ends: { signal: 'SIGKILL' }, leaves: 'anything' },
  orphan: { ends: { signal: 'SIGKILL' }, leaves: 'anything' },
  abort: { ends: { signal: 'SIGABRT' }, leaves: 'anything' },
  exit: { ends: { code: 7 }, leaves: 'nothing' },
  // Its worker may be terminated between the creation of the file and its claim: an empty one stays.
  worker: { ends: { code: 7 }, leaves: 'anything' },
  throw: { ends: { code: 1 }, leaves: 'nothing' },
  reject: { ends: { code: 1 }, leaves: 'nothing' },
  raise: { ends: { signal: 'SIGTERM' }, leaves: 'nothing' },
};
/** Of ten, seven are killed. */
const HOW = [...Array<string>(6 * 7).fill('kill'), ...Object.keys(ENDINGS).slice(1), 'orphan'];

const contentOf = (path: string): string | null =>
  existsSync(path) ? readFileSync(path, 'utf8') : null;

/** Nothing in the file leads to anybody; `before` it was left by another one that has died. */
function expectNobody(pidFile: string, dead: Fixture, leaves: string, before: string | null): void {
  const content = contentOf(pidFile);
  const possible = leaves === 'nothing' ? [null] : [null, '', contentHeldBy(dead.pid), before];
  expect(possible).toContain(content);
  const error = caught(() => send(pidFile, 0));
  if (content === null) expect(error).toMatchObject({ code: 'ENOENT' });
  else if (content === '') expect(error).toMatchObject({ code: 'ERR_PID_FILE_INVALID', pid: null });
  else expect(error).toMatchObject({ code: 'ESRCH', pid: Number(content) });
  expect(ping(pidFile)).toBe(false);
}

/** Processes, other than this one, that have this text among their arguments. */
function processesOf(text: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return pid !== process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        return false; // no process, or gone meanwhile
      }
    });
}

async function liveAndDie(pidFile: string, random: Random): Promise<void> {
  const how = random.of(HOW);
  const before = contentOf(pidFile);
  const args = [pidFile, how, String(random.below(40))];
  const fixture = run(daemon, args, { wrapper: ['sh', '-c', 'ulimit -c 0; exec "$@"', 'sh'] });
  // Some die at the very first moment, some wherever they are by then.
  const dies = ENDINGS[how]?.ends.signal === 'SIGKILL';
  await fixture.hears(dies && random.next() < 0.3 ? 'begins' : dies ? 'started' : 'begins');
  if (dies) {
    await timePasses(random.next() * 15);
    fixture.child.kill('SIGKILL');
  }
  const ending = await fixture.end();
  const expected = ENDINGS[how] as (typeof ENDINGS)[string];
  // With all that it has said, should it be another one.
  const [code, signal] = [expected.ends.code ?? null, expected.ends.signal ?? null];
  if (ending.code !== code || ending.signal !== signal) expect({ args, ...ending }).toBe(expected);
  expectNobody(pidFile, fixture, expected.leaves, before);
  // `sh` alone: its child is called `sleep`, but for the moment between fork(2) and exec(3).
  const outlives = how === 'orphan' ? 1 : 0;
  await eventually(`${outlives} processes that outlive ${args.join(' ')}`, () => {
    const orphans = processesOf(pidFile);
    return orphans.length === outlives;
  });
  for (const pid of processesOf(pidFile)) process.kill(-pid, 'SIGKILL');
  await eventually('the end of the orphans', () => processesOf(pidFile).length === 0);
  // Half of the time the next daemon finds what this one has left.
  if (random.next() < 0.5) PidFile.acquire(pidFile).release();
}

onNodeOnLinux('daemons that end at any moment, in any way', () => {
  test(
    `leave nothing that would mislead anybody: ${ROUNDS} of them (seed ${SEED})`,
    async () => {
      let left = ROUNDS;
      const lanes = Array.from({ length: LANES }, async (_, lane) => {
        const random = new Random(SEED + lane);
        const pidFile = join(directory, `lane-${lane}.pid`);
        try {
          while (left-- > 0) await liveAndDie(pidFile, random);
        } catch (error) {
          left = 0; // the other lanes end with their round
          throw error;
        }
        PidFile.acquire(pidFile).release();
        expect(contentOf(pidFile)).toBe(null);
      });
      for (const lane of await Promise.allSettled(lanes)) {
        if (lane.status === 'rejected') throw lane.reason;
      }
      expect(processesOf(directory)).toEqual([]);
    },
    10 * 60_000,
  );
});
