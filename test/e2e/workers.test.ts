// Signals belong to the main thread; worker threads come and go.
import type { SignalHandler1 } from '../../';
import { join } from 'node:path';
import { directory } from '../support/each_test';
import { run } from '../support/program';

describe('in a worker thread', () => {
  test('start() is a SignalError, with or without a handler on the main thread', async () => {
    const program = run(({ daemoniker, say, require, signalMyself, onCommand }) => {
      const { Worker } = require('node:worker_threads') as typeof import('node:worker_threads');
      const source = `
        const { parentPort, workerData } = require('node:worker_threads');
        const daemoniker = require(workerData);
        const handler = new daemoniker.SignalHandler1(null, { sigterm: () => parentPort.postMessage({ handled: 'worker' }) });
        let refused;
        try { handler.start(); } catch (error) { refused = error; }
        const { name, code, message } = refused;
        handler.stop();
        parentPort.postMessage({ name, code, message, known: refused instanceof daemoniker.SignalError });`;
      const inWorker = (then: () => void): void => {
        const workerData = require.resolve('../../');
        const worker = new Worker(source, { eval: true, workerData });
        worker.on('message', (message: object) => say('worker', message));
        worker.on('exit', then);
      };
      inWorker(() => {
        new daemoniker.SignalHandler1(null, { sigterm: () => say('main') }).start();
        inWorker(() => signalMyself('SIGTERM'));
      });
      onCommand(() => undefined);
    });
    for (let i = 0; i < 2; i++) {
      const said = await program.hears('worker');
      expect(said).toMatchObject({ name: 'SignalError', code: 'ERR_NOT_MAIN_THREAD', known: true });
      expect(said['message']).toContain('main thread');
    }
    await program.hears('main');
  });

  test('send(), ping(), the classes and PidFile work', async () => {
    const program = run(
      ({ daemoniker, say, plain, args, require, onCommand }) => {
        const { Worker } = require('node:worker_threads') as typeof import('node:worker_threads');
        const [ours, theirs] = args as [string, string];
        const handler: SignalHandler1 = new daemoniker.SignalHandler1(ours, {
          sigterm: () => say('handled', plain(handler.received)),
        }).start();
        const source = `
          const { parentPort, workerData } = require('node:worker_threads');
          const { existsSync } = require('node:fs');
          const { send, ping, PidFile, SIGTERM } = require(workerData.path);
          const file = PidFile.acquire(workerData.theirs);
          const acquired = existsSync(workerData.theirs);
          file.release();
          send(workerData.ours, new SIGTERM());
          parentPort.postMessage({ acquired, released: !existsSync(workerData.theirs), runs: ping(workerData.ours) });`;
        const workerData = { path: require.resolve('../../'), ours, theirs };
        const worker = new Worker(source, { eval: true, workerData });
        worker.on('message', (message: object) => say('worker', message));
        onCommand(() => undefined);
      },
      [join(directory, 'ours.pid'), join(directory, 'theirs.pid')],
    );
    expect(await program.hears('handled')).toMatchObject({ sender: { pid: program.pid } });
    await program.until('the worker', () => program.stdout.includes('"worker"'));
    expect(program.said.find(({ event }) => event === 'worker')).toMatchObject({
      acquired: true,
      released: true,
      runs: true,
    });
  });

  test('a worker that ends, or is terminated, takes nothing of the main thread down', async () => {
    const program = run(
      ({ daemoniker, say, args, require, onCommand }) => {
        const { existsSync } = require('node:fs') as typeof import('node:fs');
        const { Worker } = require('node:worker_threads') as typeof import('node:worker_threads');
        const [pidFile] = args as [string];
        new daemoniker.SignalHandler1(pidFile, {
          sigterm: () => say('handled', { exists: existsSync(pidFile) }),
        }).start();
        const source = `
          const { workerData } = require('node:worker_threads');
          const { SignalHandler1 } = require(workerData.path);
          globalThis.kept = new SignalHandler1(null);
          if (workerData.stay) setInterval(() => undefined, 1000);
          require('node:worker_threads').parentPort.postMessage('loaded');`;
        const begin = (stay: boolean): Promise<unknown> =>
          new Promise((resolve) => {
            const workerData = { path: require.resolve('../../'), stay };
            const worker = new Worker(source, { eval: true, workerData });
            worker.on('message', () => stay && void worker.terminate());
            worker.on('exit', resolve);
          });
        onCommand(() => undefined);
        void begin(false)
          .then(() => begin(true))
          .then(() => say('ready'));
      },
      [join(directory, 'test.pid')],
    );
    await program.hears('ready');
    program.kill('SIGTERM');
    expect(await program.hears('handled')).toMatchObject({ exists: true });
  });

  test('a worker that is terminated in the middle of a call takes nothing down', async () => {
    const program = run(
      async ({ say, args, require }) => {
        const { Worker } = require('node:worker_threads') as typeof import('node:worker_threads');
        const source = `
          const { workerData, parentPort } = require('node:worker_threads');
          const { PidFile, ping } = require(workerData.path);
          parentPort.postMessage('calls');
          for (;;) {
            PidFile.acquire(workerData.pidFile).release();
            ping(workerData.pidFile);
          }`;
        for (let i = 0; i < 20; i++) {
          // A file of its own: a worker that is terminated releases nothing.
          const workerData = {
            path: require.resolve('../../'),
            pidFile: `${String(args[0])}-${i}`,
          };
          const worker = new Worker(source, { eval: true, workerData });
          await new Promise((resolve) => worker.once('message', resolve));
          await new Promise((resolve) => setTimeout(resolve, i / 4));
          await worker.terminate();
        }
        say('done');
      },
      [join(directory, 'test.pid')],
    );
    await program.hears('done');
    expect(await program.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
  });

  test('a package that only workers have loaded, one after the other, leaves no trace', async () => {
    const program = run(({ say, require }) => {
      const { Worker } = require('node:worker_threads') as typeof import('node:worker_threads');
      // A process of its own, in which the main thread has not loaded the package.
      if (process.env['DAEMONIKER_TEST_CHILD'] === undefined) {
        const { spawnSync } = require('node:child_process') as typeof import('node:child_process');
        const source = `
          const { Worker } = require('node:worker_threads');
          let left = 5;
          (function next() {
            if (left-- === 0) return;
            new Worker('require(process.env.DAEMONIKER_TEST_CHILD)', { eval: true }).on('exit', next);
          })();`;
        const { status, signal, stderr } = spawnSync(process.execPath, ['-e', source], {
          env: { ...process.env, DAEMONIKER_TEST_CHILD: require.resolve('../../') },
          encoding: 'utf8',
        });
        say('ended', { status, signal, stderr, Worker: typeof Worker });
      }
    });
    expect(await program.hears('ended')).toMatchObject({ status: 0, signal: null, stderr: '' });
  });
});
