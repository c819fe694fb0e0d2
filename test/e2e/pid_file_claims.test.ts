// One process, one claim: several handlers, PidFile objects and threads share a PID file.
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PidFile, PidFileError, ping } from '../../';
import { caught } from '../support/caught';
import { directory, pidFile } from '../support/each_test';
import { locksOf } from '../support/locks';
import { copyPackage } from '../support/package_copy';
import { contentHeldBy } from '../support/pid_file';
import { onLinux } from '../support/platform';
import { startProgram } from '../support/processes';
import { IS_WINDOWS, ROOT, RUNTIME } from '../support/runtime';
import { Session } from '../support/session';

const ours = contentHeldBy(process.pid);
const content = (): string | null => (existsSync(pidFile) ? readFileSync(pidFile, 'utf8') : null);

describe('PidFile', () => {
  test('acquire() writes this PID, release() removes the file, a second release() nothing', () => {
    const claim = PidFile.acquire(pidFile);
    expect(claim).toBeInstanceOf(PidFile);
    expect(content()).toBe(ours);
    claim.release();
    expect(content()).toBe(null);
    writeFileSync(pidFile, ours);
    claim.release();
    expect(content()).toBe(ours);
  });

  test('[Symbol.dispose]() is release(), for `using`', () => {
    const claim = PidFile.acquire(pidFile);
    claim[Symbol.dispose]();
    expect(content()).toBe(null);
  });

  test('path is absolute, whatever was given', () => {
    for (const given of [relative(process.cwd(), pidFile), pathToFileURL(pidFile), pidFile]) {
      const claim = PidFile.acquire(given);
      expect(claim.path).toBe(pidFile);
      claim.release();
      expect(content()).toBe(null);
    }
  });

  test('is no public constructor of claims', () => {
    const make = PidFile as unknown as new (...args: unknown[]) => PidFile;
    for (const more of [[], [null], [{}], [{ release: null }, Symbol('acquired')]]) {
      expect(caught(() => new make(pidFile, ...more))).toMatchObject({
        code: 'ERR_ILLEGAL_CONSTRUCTOR',
        message: expect.stringContaining('PidFile.acquire(path)') as string,
      });
    }
    const claim = PidFile.acquire(pidFile);
    expect(Object.keys(claim)).toEqual(['path']);
    claim.release();
  });

  test('two claims are one: the last release() removes the file', () => {
    const [first, second] = [PidFile.acquire(pidFile), PidFile.acquire(pidFile)];
    first.release();
    first.release(); // counts once
    expect(content()).toBe(ours);
    second.release();
    expect(content()).toBe(null);
  });

  test('a claim of one copy of the package is a claim of every copy', () => {
    const claim = PidFile.acquire(pidFile);
    jest.isolateModules(() => {
      const other = jest.requireActual<{ PidFile: typeof PidFile }>('../../');
      expect(other.PidFile).not.toBe(PidFile);
      const second = other.PidFile.acquire(pidFile);
      claim.release();
      expect(content()).toBe(ours);
      second.release();
    });
    expect(content()).toBe(null);
  });

  test('throws a PidFileError, and the file stays', () => {
    writeFileSync(pidFile, 'text');
    const error = caught(() => PidFile.acquire(pidFile));
    expect(error).toBeInstanceOf(PidFileError);
    expect(error).toMatchObject({ code: 'ERR_PID_FILE_INVALID', path: pidFile });
    expect(content()).toBe('text');
  });

  test('a file of another process is not taken, and can be as soon as it is released', async () => {
    const holder = await Session.start();
    await holder.value('(kept.pidFile = PidFile.acquire($0), true)', pidFile);
    expect(caught(() => PidFile.acquire(pidFile))).toMatchObject({
      code: 'ERR_PID_FILE_LOCKED',
      pid: holder.pid,
    });
    await holder.value('kept.pidFile.release()');
    PidFile.acquire(pidFile).release();
  });

  test('asking who holds the file never makes a claim fail', () => {
    writeFileSync(pidFile, ours);
    for (let round = 0; round < 200; round++) {
      const claim = PidFile.acquire(pidFile);
      expect(ping(pidFile)).toBe(true);
      claim.release();
      writeFileSync(pidFile, ours);
    }
  });
});

describe('handlers of one process with one PID file', () => {
  test.each([
    ['in the order in which they started', ['first', 'second', 'third']],
    ['the other way round', ['third', 'second', 'first']],
    ['the middle one first', ['second', 'first', 'third']],
  ])('keep it until the last has stopped: %s', async (_, order) => {
    const daemon = await Session.start();
    for (const name of ['first', 'second']) {
      await daemon.value(`(kept.${name} = new SignalHandler1($0).start(), true)`, pidFile);
    }
    await daemon.value(
      '((kept.third = PidFile.acquire($0)).stop = function () { this.release(); }, true)',
      pidFile,
    );
    for (const [index, name] of order.entries()) {
      expect(content()).toBe(contentHeldBy(daemon.pid));
      await daemon.value(`kept.${name}.stop()`);
      expect(existsSync(pidFile)).toBe(index < 2);
    }
  });

  test('each with a file of its own, keep each their own', async () => {
    const daemon = await Session.start();
    const other = join(directory, 'other.pid');
    await daemon.value('(kept.first = new SignalHandler1($0).start(), true)', pidFile);
    await daemon.value('(kept.second = new SignalHandler1($0).start(), true)', other);
    await daemon.value('kept.first.stop()');
    expect([existsSync(pidFile), existsSync(other)]).toEqual([false, true]);
    await daemon.value('kept.second.stop()');
    expect(existsSync(other)).toBe(false);
  });

  test('share it under two names of it', async () => {
    const daemon = await Session.start();
    let other = join(directory, 'TEST.PID'); // the same file, says Windows
    if (!IS_WINDOWS) {
      symlinkSync(directory, join(directory, 'itself'));
      other = join(directory, 'itself', 'test.pid');
    }
    await daemon.value('(kept.first = PidFile.acquire($0), true)', pidFile);
    await daemon.value('(kept.second = PidFile.acquire($0), true)', other);
    await daemon.value('kept.first.release()');
    expect(content()).toBe(contentHeldBy(daemon.pid));
    await daemon.value('kept.second.release()');
    expect(content()).toBe(null);
  });

  onLinux('on Linux', () => {
    test('the lock is neither lost nor taken twice when one of them stops', async () => {
      const daemon = await Session.start();
      await daemon.value('(kept.first = PidFile.acquire($0), true)', pidFile);
      await daemon.value('(kept.second = PidFile.acquire($0), true)', pidFile);
      expect(locksOf(daemon.pid, pidFile)).toHaveLength(1);
      await daemon.value('kept.second.release()');
      expect(locksOf(daemon.pid, pidFile)).toHaveLength(1);
    });
  });
});

describe('worker threads', () => {
  /** Starts a worker that runs `body`, in which `daemoniker`, `path` and `parentPort` are known. */
  const WORKER = `new Promise((resolve, reject) => {
    const { Worker } = require('node:worker_threads');
    const prelude = 'const { parentPort, workerData: { root, path } } = require("node:worker_threads");'
      + 'const daemoniker = require(root);';
    const worker = new Worker(prelude + $1, { eval: true, workerData: { root: $2, path: $0 } });
    (kept.workers ??= []).push(worker);
    worker.once('message', resolve);
    worker.once('error', reject);
  })`;
  const ENDED = `Promise.all(kept.workers.map((worker) => new Promise((resolve) => {
    worker.once('exit', resolve);
    worker.postMessage('end');
  })))`;

  test('share the claim of the main thread, and cannot take it away', async () => {
    const daemon = await Session.start();
    await daemon.value('(kept.handler = new SignalHandler1($0).start(), true)', pidFile);
    const body =
      'const claim = daemoniker.PidFile.acquire(path); claim.release(); parentPort.postMessage("done");';
    for (let round = 0; round < 3; round++) await daemon.value(WORKER, pidFile, body, ROOT);
    expect(content()).toBe(contentHeldBy(daemon.pid));
    await daemon.value('kept.handler.stop()');
    expect(content()).toBe(null);
  });

  test('a worker that ends without release() leaves the file to the process', async () => {
    const daemon = await Session.start();
    const body =
      'daemoniker.PidFile.acquire(path); parentPort.postMessage("done"); parentPort.once("message", () => process.exit());';
    expect(await daemon.value(WORKER, pidFile, body, ROOT)).toBe('done');
    await daemon.value(ENDED);
    expect(content()).toBe(contentHeldBy(daemon.pid));
    daemon.fixture.tell(JSON.stringify(['process.exit(0)']));
    await daemon.fixture.end();
    expect(content()).toBe(null);
  });

  test('so does one in a process whose main thread never loaded the package', async () => {
    const program = join(directory, 'worker_only.cjs');
    writeFileSync(
      program,
      `const { Worker } = require('node:worker_threads');
      const source = 'const { root, path } = require("node:worker_threads").workerData;'
        + 'require(root).PidFile.acquire(path);';
      const [root, path] = process.argv.slice(2);
      new Worker(source, { eval: true, workerData: { root, path } }).once('exit', () => {
        process.stdin.resume().once('end', () => process.exit());
        console.log('ended');
      });`,
    );
    const daemon = await startProgram([...RUNTIME, program, ROOT, pidFile], 'ended');
    expect(content()).toBe(contentHeldBy(daemon.pid));
    expect(ping(pidFile)).toBe(true);
  });

  test('one that is terminated within acquire() does not keep the file', async () => {
    const daemon = await Session.start();
    const body = `
      parentPort.postMessage('begins');
      for (;;) daemoniker.PidFile.acquire(path).release();`;
    const rounds = Array.from({ length: 20 }, (_, round) => `${pidFile}.${round}`);
    for (const path of rounds) {
      expect(await daemon.value(WORKER, path, body, ROOT)).toBe('begins');
      await daemon.value('kept.workers.pop().terminate().then(() => true)');
      await daemon.value('(PidFile.acquire($0).release(), true)', path);
    }
  });

  test('two that race for the file both get it, for it is one process', async () => {
    const daemon = await Session.start();
    const body = `
      let failed = null;
      for (let round = 0; round < 300 && failed === null; round++) {
        try {
          daemoniker.PidFile.acquire(path).release();
        } catch (error) {
          failed = round + ': ' + error.stack;
        }
      }
      parentPort.postMessage(failed);`;
    expect(await daemon.value(`Promise.all([${WORKER}, ${WORKER}])`, pidFile, body, ROOT)).toEqual([
      null,
      null,
    ]);
    expect(content()).toBe(null);
  });

  // For longer than a start() tries: it must not give up, nor take the other for a daemon.
  test('one that comes while another is about to have the file waits for that, and shares it', async () => {
    const daemon = await Session.start();
    const result = await daemon.value(
      `new Promise((resolve, reject) => {
        const { Worker } = require('node:worker_threads');
        const flags = new Int32Array(new SharedArrayBuffer(8));
        const source = 'const { parentPort, workerData: { root, path, flags } } = require("node:worker_threads");'
          + 'const { PidFile } = require(root);'
          + 'Atomics.store(flags, 0, 1); Atomics.notify(flags, 0);'
          + 'PidFile.acquire(path); parentPort.postMessage("shared");';
        const worker = new Worker(source, { eval: true, workerData: { root: $1, path: $0, flags } });
        worker.once('message', resolve);
        worker.once('error', reject);
        process.once('newListener', () => {
          Atomics.wait(flags, 0, 0);
          Atomics.wait(flags, 1, 0, 1000);
        });
        kept.handler = new SignalHandler1($0).start();
      })`,
      pidFile,
      ROOT,
    );
    expect(result).toBe('shared');
    await daemon.value('kept.handler.stop()');
    expect(content()).toBe(contentHeldBy(daemon.pid));
  });

  test('one that is itself about to have the file is told so at once', async () => {
    const daemon = await Session.start();
    await daemon.value(
      `(process.once('newListener', () => {
        try {
          PidFile.acquire($0);
        } catch ({ code, pid, message }) {
          kept.error = { code, pid, message };
        }
      }), kept.handler = new SignalHandler1($0).start(), true)`,
      pidFile,
    );
    expect(await daemon.value('kept.error')).toMatchObject({
      code: 'ERR_PID_FILE_LOCKED',
      pid: daemon.pid,
      message: expect.stringContaining('being claimed by this process') as string,
    });
    expect(content()).toBe(contentHeldBy(daemon.pid));
  });

  test('share it with another copy of the package, which has an addon of its own', async () => {
    const copy = join(directory, 'copy');
    copyPackage(copy);
    const daemon = await Session.start();
    await daemon.value('(kept.handler = new SignalHandler1($0).start(), true)', pidFile);
    const body = `
      daemoniker.PidFile.acquire(path).release();
      parentPort.postMessage(daemoniker.ping(path));`;
    expect(await daemon.value(WORKER, pidFile, body, copy)).toBe(true);
    expect(content()).toBe(contentHeldBy(daemon.pid));
    await daemon.value('kept.handler.stop()');
    expect(content()).toBe(null);
  });

  test('send() and ping() from a worker reach the main thread', async () => {
    const daemon = await Session.start();
    await daemon.value(
      '(kept.handler = new SignalHandler1($0, { sigterm: () => say("handled", { sender: kept.handler.received.sender.pid }) }).start(), true)',
      pidFile,
    );
    const body =
      'daemoniker.send(path, daemoniker.SIGTERM); parentPort.postMessage(daemoniker.ping(path));';
    daemon.fixture.tell(JSON.stringify([WORKER, pidFile, body, ROOT]));
    const { sender } = await daemon.fixture.hears('handled');
    expect(sender).toBe(daemon.pid);
    await daemon.fixture.until(
      'the answer',
      () =>
        daemon.fixture.stdout.includes('"value":true}\n{') ||
        daemon.fixture.stdout.endsWith('"value":true}\n'),
    );
  });
});
