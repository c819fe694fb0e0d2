// The ways in which a process ends or stops, and what becomes of its PID file.
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PidFile, ping, send } from '../../';
import { addonPath } from '../support/addon';
import { caught } from '../support/caught';
import { directory, pidFile } from '../support/each_test';
import { deathBy } from '../support/endings';
import { start } from '../support/fixture';
import { HeldSession, holdingCalls } from '../support/held_calls';
import { contentHeldBy } from '../support/pid_file';
import { onNode, onUnix } from '../support/platform';
import { eventually } from '../support/processes';
import { IS_WINDOWS, ROOT } from '../support/runtime';
import { Session } from '../support/session';

const START = '(kept.handler = new SignalHandler1($0).start(), true)';
const ACQUIRE = '(kept.pidFile = PidFile.acquire($0), true)';
const STOP = 'kept.handler.stop()';

describe.each([
  ['a handler', START],
  ['PidFile.acquire() alone', ACQUIRE],
])('the file of %s is removed', (_, claim) => {
  test.each([
    ['by process.exit()', 'process.exit(7)', 7],
    ['after an uncaught exception', 'setImmediate(() => { throw new Error("uncaught"); })', 1],
    ['after an unhandled rejection', 'void Promise.reject(new Error("unhandled"))', 1],
    ['when nothing is left to do', 'process.stdin.destroy() && true', 0],
    [
      'without any listener of "exit"',
      '(process.removeAllListeners("exit"), setImmediate(() => process.exit(7)), true)',
      7,
    ],
  ])('%s', async (_, end, code) => {
    const daemon = await Session.start();
    await daemon.value(claim, pidFile);
    expect(existsSync(pidFile)).toBe(true);
    daemon.fixture.tell(JSON.stringify([end]));
    expect((await daemon.fixture.end()).code).toBe(code);
    expect(existsSync(pidFile)).toBe(false);
  });
});

// The last of three layers alone: no JavaScript runs any more.
onNode.test(
  'the file is removed by exit(3) when neither "exit" nor a cleanup hook ran',
  async () => {
    const daemon = await Session.start();
    await daemon.value(START, pidFile);
    daemon.fixture.tell(JSON.stringify(['process.reallyExit(5)']));
    expect((await daemon.fixture.end()).code).toBe(5);
    expect(existsSync(pidFile)).toBe(false);
  },
);

describe('the file is gone', () => {
  test.each([
    ['a deadline', { deadline: 100 }, ''],
    ['exitWithin()', {}, 'handler.exitWithin(100);'],
  ])('when %s has ended a stuck process', async (_, settings, limit) => {
    const code = `${limit} say('limited'); stuckForEver()`;
    const fixture = start('blocked', [pidFile, JSON.stringify(settings), code]);
    await fixture.hears('limited');
    expect(ping(pidFile)).toBe(true);
    if (limit === '') fixture.kill('SIGTERM');
    expect(await fixture.end()).toMatchObject(deathBy('SIGTERM'));
    expect(existsSync(pidFile)).toBe(false);
  });
});

test('several files of one process are all removed at its end', async () => {
  const daemon = await Session.start();
  const paths = ['a', 'b', 'c'].map((name) => join(directory, name));
  for (const path of paths) await daemon.value('(PidFile.acquire($0), true)', path);
  daemon.fixture.tell(JSON.stringify(['process.exit(0)']));
  await daemon.fixture.end();
  expect(paths.filter((path) => existsSync(path))).toEqual([]);
});

describe('a holder that is killed', () => {
  test('leaves its file, which then is stale: the next daemon takes it over at once', async () => {
    const killed = await Session.start();
    await killed.value(START, pidFile);
    killed.fixture.kill('SIGKILL');
    await killed.fixture.end();
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(killed.pid));
    expect(caught(() => send(pidFile, 'SIGTERM'))).toMatchObject({ code: 'ESRCH' });
    expect(ping(pidFile)).toBe(false);

    const next = await Session.start();
    await next.value(START, pidFile);
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(next.pid));
    expect(ping(pidFile)).toBe(true);
    await next.value(STOP);
    expect(existsSync(pidFile)).toBe(false);
  });

  test('frees it although a child of its lives on', async () => {
    const killed = await Session.start();
    await killed.value(START, pidFile);
    const child = (await killed.value(
      'require("child_process").spawn(process.execPath, ["-e", "setTimeout(() => {}, 6e4)"], { stdio: "ignore", detached: true }).pid',
    )) as number;
    killed.fixture.kill('SIGKILL');
    await killed.fixture.end();
    const next = await Session.start();
    await next.value(START, pidFile);
    process.kill(child, 'SIGKILL');
  });

  onUnix.test('frees it although a child that was forked without exec(3) lives on', async () => {
    const killed = await Session.start();
    await killed.value(START, pidFile);
    const child = (await killed.value('require($0).fork()', addonPath())) as number;
    try {
      // The parent has not lost anything by that.
      expect(ping(pidFile)).toBe(true);
      expect(caught(() => PidFile.acquire(pidFile))).toMatchObject({ code: 'ERR_PID_FILE_LOCKED' });
      killed.fixture.kill('SIGKILL');
      await once(killed.fixture.child, 'exit'); // the other has its pipes, too, on Deno
      const next = await Session.start();
      await next.value(START, pidFile);
      expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(next.pid));
    } finally {
      process.kill(child, 'SIGKILL');
    }
  });

  holdingCalls.test(
    'frees it although a child was forked while a worker was about to replace it',
    async () => {
      writeFileSync(pidFile, '2147483647\n');
      const held = await HeldSession.start('renameat2');
      const killed = held.session;
      await killed.value(
        `(() => {
          const { Worker } = require('node:worker_threads');
          const source = 'const { root, path } = require("node:worker_threads").workerData;'
            + 'require(root).PidFile.acquire(path);';
          kept.worker = new Worker(source, { eval: true, workerData: { root: $0, path: $1 } });
          return true;
        })()`,
        ROOT,
        pidFile,
      );
      await held.arrives();
      const child = (await killed.value('require($0).fork()', addonPath())) as number;
      try {
        const open = readdirSync(`/proc/${child}/fd`).map((fd) =>
          readlinkSync(`/proc/${child}/fd/${fd}`),
        );
        expect(open.filter((path) => path.startsWith(directory))).toEqual([]);
        held.letAllGo();
        await eventually('the worker has it', () => ping(pidFile));
        killed.fixture.kill('SIGKILL');
        await once(killed.fixture.child, 'exit'); // the other has its pipes, too, on Deno
        PidFile.acquire(pidFile).release();
      } finally {
        process.kill(child, 'SIGKILL');
      }
    },
  );

  test('by its own abort() too', async () => {
    const aborted = await Session.start();
    await aborted.value(START, pidFile);
    aborted.fixture.tell(JSON.stringify(['process.abort()']));
    const { code, signal } = await aborted.fixture.end();
    if (IS_WINDOWS) expect(code).not.toBe(0);
    else expect(signal).toBe('SIGABRT');
    const next = await Session.start();
    await next.value(START, pidFile);
  });
});

describe('a path that means something else by the time of stop()', () => {
  let daemon: Session;

  beforeEach(async () => {
    daemon = await Session.start();
    await daemon.value(START, pidFile);
  });

  /** Puts a file of this content in the place of the PID file, which is still open. */
  function replace(content: string): void {
    writeFileSync(join(directory, 'other'), content);
    // Windows does not let an open file be replaced, but moved.
    if (IS_WINDOWS) renameSync(pidFile, join(directory, 'moved'));
    renameSync(join(directory, 'other'), pidFile);
  }

  test('a file put in its place is left alone, even one of the same content', async () => {
    replace(`${daemon.pid}\n`);
    await daemon.value(STOP);
    expect(readFileSync(pidFile, 'utf8')).toBe(`${daemon.pid}\n`);
  });

  test('so is a directory', async () => {
    renameSync(pidFile, join(directory, 'moved'));
    mkdirSync(pidFile);
    await daemon.value(STOP);
    expect(statSync(pidFile).isDirectory()).toBe(true);
  });

  test('a file moved away is left alone at its new place', async () => {
    renameSync(pidFile, join(directory, 'moved'));
    await daemon.value(STOP);
    expect(existsSync(join(directory, 'moved'))).toBe(true);
  });

  test('a second link to it keeps its content, and only the path goes', async () => {
    linkSync(pidFile, join(directory, 'link'));
    await daemon.value(STOP);
    expect(existsSync(pidFile)).toBe(false);
    expect(readFileSync(join(directory, 'link'), 'utf8')).toBe(contentHeldBy(daemon.pid));
  });

  test('the same at the end of the process', async () => {
    replace('2147483647\n');
    daemon.fixture.tell(JSON.stringify(['process.exit(0)']));
    await daemon.fixture.end();
    expect(readFileSync(pidFile, 'utf8')).toBe('2147483647\n');
  });

  // The name of a file that is open stays on Windows when it is deleted.
  onUnix.test('nothing at all is no reason to throw, neither file nor directory', async () => {
    unlinkSync(pidFile);
    await daemon.value(STOP);
    await daemon.value(START, pidFile);
    rmSync(directory, { recursive: true });
    await daemon.value(STOP);
    await daemon.value(STOP);
  });

  onUnix.test(
    'a deleted file is made again by the next handler, which outlives the first',
    async () => {
      unlinkSync(pidFile);
      await daemon.value('(kept.second = new SignalHandler1($0).start(), true)', pidFile);
      expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(daemon.pid));
      await daemon.value(STOP);
      expect(existsSync(pidFile)).toBe(true);
      await daemon.value('kept.second.stop()');
      expect(existsSync(pidFile)).toBe(false);
    },
  );
});

test('a process that only sent a signal or asked leaves the file of the other alone', async () => {
  const daemon = await Session.start();
  await daemon.value(START, pidFile);
  const asker = await Session.start();
  await asker.value('(send($0, 0), ping($0))', pidFile);
  await asker.error(ACQUIRE, pidFile);
  asker.fixture.tell(JSON.stringify(['process.exit(0)']));
  await asker.fixture.end();
  expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(daemon.pid));
  expect(ping(pidFile)).toBe(true);
});
