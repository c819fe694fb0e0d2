// A graceful shutdown: begun once, its hooks in order, bounded as a whole, and loud when it is late.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as timePasses } from 'node:timers/promises';
import { SignalHandler1 } from '../../';
import { caught } from '../support/caught';
import { directory, pidFile } from '../support/each_test';
import { deathBy } from '../support/endings';
import { Fixture, start } from '../support/fixture';
import { onNodeOnUnix, onUnix } from '../support/platform';
import { run } from '../support/program';
import { ROOT, RUNTIME } from '../support/runtime';
import { signalsFromAnother } from '../support/sending';

/** A daemon with a shutdown; what `code` sees stands in test/fixtures/shutdown.cjs. */
async function begin(code: string, shutdown: unknown = 60_000, path = pidFile): Promise<Fixture> {
  const fixture = start('shutdown', [path, JSON.stringify(shutdown), code]);
  await fixture.hears('ready');
  return fixture;
}

const FAILED = { code: 124, signal: null };
/** Of a shutdown in which something has to have happened before, also on a busy machine. */
const LIMIT_MS = 3000;

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s runs the hooks one after the other, the last added first, and ends the process',
  async (name) => {
    const fixture = await begin(`
      const wait = () => new Promise((resolve) => setTimeout(resolve, 20));
      handler.abortSignal.addEventListener('abort', () => say('aborted'));
      for (const name of ['first', 'second', 'third']) {
        handler.onShutdown(name, async (reason) => {
          const { aborted, reason: abortReason } = handler.abortSignal;
          const received = reason === handler.received && reason === abortReason;
          say('begins', { name, aborted, received, signal: reason.name });
          await wait();
          say('ends', { name });
        });
      }
      process.on('exit', (code) => say('exit', { code }));
    `);
    fixture.kill(name);
    const ending = await fixture.end();
    expect(ending).toMatchObject({ code: 0, signal: null, stderr: '' });
    const hook = (hookName: string): object[] => [
      { event: 'begins', name: hookName, aborted: true, received: true, signal: name },
      { event: 'ends', name: hookName },
    ];
    expect(fixture.said).toEqual([
      { event: 'ready' },
      { event: 'aborted' },
      ...['third', 'second', 'first'].flatMap(hook),
      { event: 'exit', code: 0 },
    ]);
    expect(existsSync(pidFile)).toBe(false);
  },
);

test.each([
  [
    'throws',
    "() => { throw new Error('no'); }",
    '',
    /^daemoniker: shutdown hook "bad" failed: Error: no\n/,
  ],
  [
    'rejects',
    "async () => { throw new Error('no'); }",
    '',
    /^daemoniker: shutdown hook "bad" failed: Error: no\n/,
  ],
  [
    'outlives its own time limit',
    '() => never',
    ', { timeout: 50 }',
    /^daemoniker: shutdown hook "bad" is taking longer than 50 ms; continuing without it\n$/,
  ],
  [
    'blocks for longer than its own time limit',
    '() => { for (const end = performance.now() + 100; performance.now() < end; ); }',
    ', { timeout: 50 }',
    /^daemoniker: shutdown hook "bad" is taking longer than 50 ms; continuing without it\n$/,
  ],
])(
  'a hook that %s is named, the others still run, and the exit code is 1',
  async (_, hook, options, line) => {
    const fixture = await begin(`
    handler.onShutdown('good', () => say('good'));
    handler.onShutdown('bad', ${hook}${options});
  `);
    fixture.kill('SIGTERM');
    const ending = await fixture.end();
    expect(ending).toMatchObject({ code: 1, signal: null });
    expect(ending.stderr).toMatch(line);
    expect(fixture.said).toContainEqual({ event: 'good' });
  },
);

test("the exit code is the process's own when all went well", async () => {
  const fixture = await begin("handler.onShutdown('fine', () => { process.exitCode = 3; });");
  fixture.kill('SIGTERM');
  expect(await fixture.end()).toMatchObject({ code: 3, signal: null, stderr: '' });
});

test.each([
  ['process.exit()', 3],
  ['an empty event loop', 0],
])('%s runs no hooks', async (how, code) => {
  const fixture = run(
    ({ daemoniker, say, args }) => {
      const handler = new daemoniker.SignalHandler1(null, { shutdown: true }).start();
      handler.onShutdown('hook', () => say('hook'));
      if (args[0] === 'process.exit()') process.exit(3);
    },
    [how],
  );
  expect(await fixture.end()).toMatchObject({ code, signal: null, stderr: '' });
  expect(fixture.said).toEqual([]);
});

test('an exit code that is set once the hooks have run counts', async () => {
  const fixture = await begin('handler.shutDown().then(() => { process.exitCode = 3; });', false);
  expect(await fixture.end()).toMatchObject({ code: 3, signal: null, stderr: '' });
});

test.each([
  [
    'a hook that waits for ever',
    "handler.onShutdown('stuck', () => never);",
    /; still running: stuck \(\d+(?:\.\d)? m?s\)\n/,
  ],
  [
    'a hook that blocks the event loop',
    "handler.onShutdown('stuck', spin);",
    /; still running: stuck \(\d+(?:\.\d)? m?s\)\n/,
  ],
  ["an 'exit' listener that blocks", "process.on('exit', spin);", /; all its hooks have run\n/],
  [
    'an event loop that is blocked',
    'setImmediate(() => { say("blocked"); spin(); });',
    /; it has not begun, because the event loop is blocked\n/,
  ],
])('a shutdown that is too late because of %s ends with exit code 124', async (_, code, rest) => {
  const fixture = await begin(
    `${code} process.on('exit', () => say("'exit' listeners run"));`,
    LIMIT_MS,
  );
  if (code.includes('blocked')) await fixture.hears('blocked');
  const begun = performance.now();
  fixture.kill('SIGTERM');
  const ending = await fixture.end();
  expect(performance.now() - begun).toBeGreaterThanOrEqual(LIMIT_MS - 1);
  expect(ending).toMatchObject(FAILED);
  expect(ending.stderr).toMatch(/^daemoniker: shutdown took longer than 3 s; /);
  expect(ending.stderr).toMatch(rest);
  expect(fixture.said).not.toContainEqual({ event: "'exit' listeners run" });
  expect(existsSync(pidFile)).toBe(false);
});

// The end does not wait long for the main thread's answer, which a busy machine may delay.
onNodeOnUnix.test('a hook that blocks the event loop is shown by its stack as well', async () => {
  const code = "handler.onShutdown('stuck', function culprit() { spin(); });";
  const shown = [1, 2, 3].map(async (number) => {
    const fixture = await begin(code, LIMIT_MS, `${pidFile}${number}`);
    fixture.kill('SIGTERM');
    return (await fixture.end()).stderr;
  });
  expect((await Promise.all(shown)).join('')).toMatch(/\n {4}at spin.*\n {4}at culprit/);
});

test('a hook that waits for nothing that keeps the event loop alive is waited for', async () => {
  const fixture = run(({ daemoniker, say, signalMyself }) => {
    const handler = new daemoniker.SignalHandler1(null, { shutdown: 3000 }).ref().start();
    handler.onShutdown('lost', () => {
      handler.unref();
      return new Promise(() => undefined);
    });
    say('ready');
    signalMyself('SIGTERM');
  });
  expect(await fixture.end()).toMatchObject(FAILED);
  expect(fixture.stderr).toContain('still running: lost');
});

test('signals that are repeated change nothing', async () => {
  const fixture = await begin(`
    handler.onShutdown('hook', () => {
      say('begins');
      return new Promise((resolve) => process.stdin.once('data', resolve));
    });
  `);
  fixture.kill('SIGINT');
  await fixture.hears('begins');
  await timePasses(700); // what the test is about: late enough for an impatient user
  // Of another kind, and from others, at any time.
  fixture.kill('SIGTERM');
  await signalsFromAnother(fixture.pid, 'SIGINT', 1);
  fixture.tell('');
  expect(await fixture.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
  expect(fixture.said.filter(({ event }) => event === 'begins')).toHaveLength(1);
});

test('a copy of the first signal, as relays and terminals send it, changes nothing', async () => {
  const fixture = run(({ daemoniker, say, signalMyself }) => {
    const handler = new daemoniker.SignalHandler1(null, { shutdown: true }).start();
    handler.onShutdown('hook', () => say('begins', { count: handler.received?.count }));
    signalMyself('SIGINT', 2);
  });
  expect(await fixture.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
  expect(fixture.said).toEqual([{ event: 'begins', count: 2 }]);
});

test.each([
  ['waits', '() => { say("begins"); return never; }'],
  ['blocks the event loop', '() => { say("begins"); spin(); }'],
])('SIGINT again from the same source ends the process while a hook %s', async (_, hook) => {
  const fixture = await begin(`handler.onShutdown('stuck', ${hook});`);
  fixture.kill('SIGINT');
  await fixture.hears('begins');
  await timePasses(600); // what the test is about: an impatient user
  fixture.kill('SIGINT');
  const ending = await fixture.end();
  expect(ending).toMatchObject(deathBy('SIGINT'));
  expect(ending.stderr).toMatch(
    /^daemoniker: SIGINT came again during the shutdown; still running: stuck \(\d+(?:\.\d)? m?s\)\n/,
  );
  expect(existsSync(pidFile)).toBe(false);
});

test('SIGINT again ends the process also where the event loop was blocked before the first', async () => {
  const fixture = await begin("setImmediate(() => { say('blocked'); spin(); });");
  await fixture.hears('blocked');
  fixture.kill('SIGINT');
  await timePasses(600); // what the test is about: an impatient user
  fixture.kill('SIGINT'); // the kernel or we have it wait with the first one
  const ending = await fixture.end();
  expect(ending).toMatchObject(deathBy('SIGINT'));
  expect(ending.stderr).toMatch(
    /^daemoniker: SIGINT came again during the shutdown; it has not begun, because the event loop is blocked\n/,
  );
});

test.each([
  ['again: []', { again: [] }, 'SIGINT'],
  ['another signal than those of `again`', {}, 'SIGTERM'],
] as const)('nothing that comes again ends the process with %s', async (_, options, name) => {
  const fixture = await begin(
    `handler.onShutdown('hook', () => {
      say('begins');
      return new Promise((resolve) => process.stdin.once('data', resolve));
    });`,
    { within: 60_000, ...options },
  );
  fixture.kill(name);
  await fixture.hears('begins');
  await timePasses(600); // what the test is about: later than that
  fixture.kill(name);
  fixture.tell('');
  expect(await fixture.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
});

test.each([
  [
    'shortens it',
    'handler.exitWithin(200)',
    60_000,
    /^daemoniker: the process did not exit within 200 ms; still running: stuck/,
  ],
  [
    'does not prolong it',
    'handler.exitWithin(60000, { extend: true })',
    LIMIT_MS,
    /^daemoniker: shutdown took longer than 3 s; still running: stuck/,
  ],
])('exitWithin() in a hook %s', async (_, call, within, line) => {
  const fixture = await begin(
    `handler.onShutdown('stuck', () => { ${call}; return never; });`,
    within,
  );
  fixture.kill('SIGTERM');
  const ending = await fixture.end();
  expect(ending).toMatchObject(FAILED);
  expect(ending.stderr).toMatch(line);
});

test('a signal that met another handler has begun none', async () => {
  const fixture = await begin(`
    setImmediate(() => {
      say('blocked');
      require('node:fs').readSync(0, Buffer.alloc(1)); // until the signal is there
      // As whatever ends the process while a shutdown runs, this would be 124.
      handler.sigterm = () => handler.exitWithin(200);
    });
  `);
  await fixture.hears('blocked');
  fixture.kill('SIGTERM');
  fixture.tell('');
  const ending = await fixture.end();
  expect(ending).toMatchObject(deathBy('SIGTERM'));
  expect(ending.stderr).toContain('did not exit within 200 ms; terminating it with SIGTERM');
});

test('a listener of abortSignal that blocks is named', async () => {
  const fixture = await begin("handler.abortSignal.addEventListener('abort', spin);", LIMIT_MS);
  fixture.kill('SIGTERM');
  const ending = await fixture.end();
  expect(ending).toMatchObject(FAILED);
  expect(ending.stderr).toContain('still running: listeners of abortSignal');
});

test('the time in which the event loop was blocked before it counts', async () => {
  const fixture = await begin(
    `
      handler.onShutdown('stuck', () => { say('begins'); return never; });
      setImmediate(() => {
        say('blocked');
        for (const end = performance.now() + 2000; performance.now() < end; );
      });
    `,
    LIMIT_MS,
  );
  await fixture.hears('blocked');
  fixture.kill('SIGTERM');
  await fixture.hears('begins');
  const begun = performance.now();
  expect(await fixture.end()).toMatchObject(FAILED);
  expect(performance.now() - begun).toBeLessThan(LIMIT_MS - 500);
});

test('the handler of its signals is the function that begins it, until it is replaced', async () => {
  const fixture = await begin(`
    handler.onShutdown('hook', (reason) => say('hook', { number: reason.signum }));
    handler.sigterm = () => { say('mine'); handler.sigint(2); };
  `);
  fixture.kill('SIGTERM');
  expect(await fixture.end()).toMatchObject({ code: 0, stderr: '' });
  expect(fixture.said.slice(1)).toEqual([{ event: 'mine' }, { event: 'hook', number: 2 }]);
});

describe('shutDown()', () => {
  test('gives the reason to the hooks, settles, and the process exits', async () => {
    const fixture = await begin(
      `
        handler.onShutdown('hook', (reason) => say('hook', { reason }));
        const promise = handler.shutDown('enough');
        say('same', { same: handler.shutDown() === promise, reason: handler.abortSignal.reason });
        promise.then((value) => say('settled', { value: String(value) }));
      `,
      false,
    );
    expect(await fixture.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(fixture.said).toEqual([
      { event: 'hook', reason: 'enough' },
      { event: 'same', same: true, reason: 'enough' },
      { event: 'ready' },
      { event: 'settled', value: 'undefined' },
    ]);
  });

  test('works without start(), and is bounded', async () => {
    const fixture = run(({ daemoniker }) => {
      const handler = new daemoniker.SignalHandler1(null, { shutdown: 300 });
      handler.onShutdown('stuck', () => new Promise(() => undefined));
      void handler.shutDown();
    });
    expect(await fixture.end()).toMatchObject(FAILED);
    expect(fixture.stderr).toContain('shutdown took longer than 300 ms; still running: stuck');
  });
});

describe('at the end of `await using`', () => {
  test('the hooks have run', async () => {
    const steps: string[] = [];
    {
      await using handler = new SignalHandler1(null);
      handler.onShutdown('hook', () => steps.push('hook'));
      steps.push('block');
    }
    steps.push('after');
    expect(steps).toEqual(['block', 'hook', 'after']);
  });

  test('the hooks have run, and the process goes on', async () => {
    const fixture = run(async ({ daemoniker, say }) => {
      const handler = new daemoniker.SignalHandler1(null, { shutdown: true }).start();
      handler.onShutdown('hook', (reason) => say('hook', { reason: (reason as Error).name }));
      await handler[Symbol.asyncDispose]();
      say('disposed');
      // As whatever ends the process while a shutdown runs, this would be 124.
      handler.exitWithin(200);
      setInterval(() => undefined, 1000);
    });
    expect(await fixture.end()).toMatchObject(deathBy('SIGTERM'));
    expect(fixture.said).toEqual([{ event: 'hook', reason: 'AbortError' }, { event: 'disposed' }]);
  });

  test('a signal that has come meanwhile still ends it', async () => {
    const fixture = run(async ({ daemoniker, say, signalMyself }) => {
      setInterval(() => undefined, 1000);
      const handler = new daemoniker.SignalHandler1(null, { shutdown: true }).start();
      handler.onShutdown('hook', () => signalMyself('SIGTERM'));
      process.on('exit', (code) => say('exit', { code }));
      await handler[Symbol.asyncDispose]();
      say('disposed');
    });
    expect(await fixture.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(fixture.said.map(({ event }) => event)).toEqual(['disposed', 'exit']);
  });

  test("a signal that has come meanwhile begins another's with a limit of its own", async () => {
    const fixture = run(
      async ({ daemoniker, say, signalMyself, args }) => {
        const limit = Number(args[0]);
        const other = new daemoniker.SignalHandler1(null, { shutdown: 60_000 }).start();
        other.onShutdown(
          'longer',
          () => new Promise((resolve) => setTimeout(resolve, limit + 500)),
        );
        process.on('exit', () => say('exit'));
        const handler = new daemoniker.SignalHandler1(null, { shutdown: limit });
        handler.onShutdown('hook', () => signalMyself('SIGTERM'));
        await handler[Symbol.asyncDispose]();
        say('disposed');
      },
      [String(LIMIT_MS)],
    );
    expect(await fixture.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(fixture.said.map(({ event }) => event)).toEqual(['disposed', 'exit']);
  });

  test('a signal that has come meanwhile counts as the first of its source: the second ends the process', async () => {
    const fixture = run(
      async ({ daemoniker, say, signalMyself, args }) => {
        const within = Number(args[0]);
        const other = new daemoniker.SignalHandler1(null, { shutdown: within }).start();
        other.onShutdown('stuck', () => {
          setTimeout(() => signalMyself('SIGINT'), 600); // as above, an impatient user
          return new Promise(() => undefined);
        });
        const handler = new daemoniker.SignalHandler1(null, { shutdown: within });
        handler.onShutdown('hook', () => signalMyself('SIGINT'));
        await handler[Symbol.asyncDispose]();
        say('disposed');
      },
      ['60000'],
    );
    const ending = await fixture.end();
    expect(ending).toMatchObject(deathBy('SIGINT'));
    expect(ending.stderr).toMatch(/^daemoniker: SIGINT came again during the shutdown/);
    expect(fixture.said.map(({ event }) => event)).toEqual(['disposed']);
  });

  test('it can be started again, and shut down again', async () => {
    const fixture = run(async ({ daemoniker, say, signalMyself }) => {
      setInterval(() => undefined, 1000);
      const handler = new daemoniker.SignalHandler1(null, { shutdown: true }).start();
      handler.onShutdown('first', () => say('first'));
      const before = handler.abortSignal;
      await handler[Symbol.asyncDispose]();
      handler.start();
      say('started', { aborted: handler.abortSignal.aborted, before: before.aborted });
      handler.onShutdown('second', () => say('second'));
      signalMyself('SIGTERM');
    });
    expect(await fixture.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(fixture.said).toEqual([
      { event: 'first' },
      { event: 'started', aborted: false, before: true },
      { event: 'second' },
    ]);
  });

  test('of several, one inside the other, nothing is limited any more', async () => {
    const fixture = run(async ({ daemoniker, say }) => {
      const [outer, inner] = [1, 2].map(() => new daemoniker.SignalHandler1(null).start());
      outer?.onShutdown('inner', () => inner?.[Symbol.asyncDispose]());
      await outer?.[Symbol.asyncDispose]();
      say('disposed');
      // The process is not ended by anything but this, and not as in a shutdown.
      outer?.exitWithin(200);
      setInterval(() => undefined, 1000);
    });
    const ending = await fixture.end();
    expect(ending).toMatchObject(deathBy('SIGTERM'));
    expect(ending.stderr).toContain('did not exit within 200 ms');
  });

  test('of one inside the shutdown of another, that one stays bounded, and its hook is named', async () => {
    const fixture = run(({ daemoniker, signalMyself }) => {
      const outer = new daemoniker.SignalHandler1(null, { shutdown: 3000 }).start();
      const inner = new daemoniker.SignalHandler1(null);
      outer.onShutdown('outer', async () => {
        await inner[Symbol.asyncDispose]();
        await new Promise(() => undefined);
      });
      signalMyself('SIGTERM');
    });
    const ending = await fixture.end();
    expect(ending).toMatchObject(FAILED);
    expect(ending.stderr).toContain('still running: outer');
  });

  test('in a worker the hooks run as well', async () => {
    const fixture = run(({ say, require }) => {
      const { Worker } = require('node:worker_threads') as typeof import('node:worker_threads');
      const source = `
        const { SignalHandler1 } = require(require('node:worker_threads').workerData);
        const handler = new SignalHandler1(null);
        handler.onShutdown('hook', () => console.log('{"event":"hook"}'));
        handler[Symbol.asyncDispose]();
      `;
      const workerData = require.resolve('../../');
      const worker = new Worker(source, { eval: true, workerData });
      worker.on('exit', (code) => say('exit', { code }));
    });
    expect(await fixture.end()).toMatchObject({ code: 0, stderr: '' });
    expect(fixture.said).toEqual([{ event: 'hook' }, { event: 'exit', code: 0 }]);
  });
});

describe('of two shutdowns at the same time', () => {
  test('neither ends the process before the hooks of both have run', async () => {
    const fixture = run(({ daemoniker, say }) => {
      const [one, other] = [1, 2].map(() => new daemoniker.SignalHandler1(null));
      const takes = async (milliseconds: number, name: string): Promise<void> => {
        await new Promise((resolve) => setTimeout(resolve, milliseconds));
        say(name);
      };
      one?.onShutdown('short', () => takes(1, 'short'));
      other?.onShutdown('long', () => takes(200, 'long'));
      void Promise.all([one?.shutDown(), other?.shutDown()]).then(() => say('both'));
    });
    expect(await fixture.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(fixture.said.map(({ event }) => event)).toEqual(['short', 'long', 'both']);
  });

  test("one that fails first gives the exit code, even if the other's process would go on", async () => {
    const fixture = run(async ({ daemoniker, say }) => {
      const [failing, other] = [1, 2].map(() => new daemoniker.SignalHandler1(null));
      failing?.onShutdown('failing', () => {
        throw new Error('oops');
      });
      other?.onShutdown('other', async () => {
        await failing?.shutDown();
        await new Promise((resolve) => setTimeout(resolve, 100));
        say('other');
      });
      setInterval(() => undefined, 1000);
      await other?.[Symbol.asyncDispose]();
      say('disposed');
    });
    const ending = await fixture.end();
    expect(ending).toMatchObject({ code: 1, signal: null });
    expect(ending.stderr).toContain('shutdown hook "failing" failed: Error: oops');
    expect(fixture.said.map(({ event }) => event)).toEqual(['other', 'disposed']);
  });

  test('the one that is still running is named when it takes too long', async () => {
    const fixture = run(({ daemoniker, say }) => {
      const options = { shutdown: 3000 };
      const [one, other] = [1, 2].map(() => new daemoniker.SignalHandler1(null, options));
      other?.onShutdown('endless', () => new Promise(() => undefined));
      void one?.shutDown();
      void other?.shutDown();
      setTimeout(() => say('lives'), 100);
    });
    const ending = await fixture.end();
    expect(ending).toMatchObject(FAILED);
    expect(ending.stderr).toContain('still running: endless');
    expect(fixture.said).toEqual([{ event: 'lives' }]);
  });
});

describe('errors: true', () => {
  test('of two handlers one reports the error, and the hooks of both run', async () => {
    const fixture = run(({ daemoniker, say }) => {
      for (const name of ['one', 'other']) {
        const handler = new daemoniker.SignalHandler1(null, { shutdown: { errors: true } }).start();
        handler.onShutdown(name, async () => {
          await new Promise(setImmediate);
          say('hook', { name });
        });
      }
      setImmediate(() => {
        throw new Error('oops');
      });
    });
    const ending = await fixture.end();
    expect(ending).toMatchObject({ code: 1, signal: null });
    expect(ending.stderr.match(/Error: oops\n/g)).toHaveLength(1);
    expect(fixture.said).toEqual([
      { event: 'hook', name: 'one' },
      { event: 'hook', name: 'other' },
    ]);
  });

  test("an error in another handler's shutdown does not end that one", async () => {
    const fixture = run(({ daemoniker, say, signalMyself }) => {
      new daemoniker.SignalHandler1(null, { shutdown: { errors: true } }).start();
      const handler = new daemoniker.SignalHandler1(null, { shutdown: true }).start();
      handler.onShutdown('hook', async () => {
        for (const message of ['first', 'second']) {
          setImmediate(() => {
            throw new Error(message);
          });
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        say('hook');
      });
      signalMyself('SIGTERM');
    });
    const ending = await fixture.end();
    expect(ending).toMatchObject({ code: 1, signal: null });
    expect(ending.stderr).toMatch(/Error: first\n[^]*Error: second\n/);
    expect(fixture.said).toEqual([{ event: 'hook' }]);
  });

  test.each([
    ['an uncaught exception', "setImmediate(() => { throw new Error('oops'); });"],
    ['an unhandled rejection', "setImmediate(() => { Promise.reject(new Error('oops')); });"],
  ])('%s is reported and begins the shutdown; the exit code is 1', async (_, code) => {
    const fixture = await begin(
      `handler.onShutdown('hook', (reason) => say('hook', { message: reason.message })); ${code}`,
      { errors: true },
    );
    const ending = await fixture.end();
    expect(ending).toMatchObject({ code: 1, signal: null });
    expect(ending.stderr).toContain('Error: oops\n    at ');
    expect(fixture.said.at(-1)).toEqual({ event: 'hook', message: 'oops' });
  });

  test("an error of an 'exit' listener ends the process as well", async () => {
    const fixture = run(({ daemoniker }) => {
      process.on('exit', () => {
        throw new Error('oops');
      });
      const handler = new daemoniker.SignalHandler1(null, { shutdown: { errors: true } }).start();
      void handler.shutDown();
    });
    const ending = await fixture.end();
    expect(ending).toMatchObject({ code: 1, signal: null });
    expect(ending.stderr).toContain('Error: oops\n    at ');
  });

  test('a signal that is thrown later ends the process by that signal', async () => {
    const fixture = await begin(
      `handler.sigabrt = () => { const signal = handler.received; setImmediate(() => { throw signal; }); };`,
      { errors: true },
    );
    fixture.kill('SIGABRT');
    const ending = await fixture.end();
    expect(ending).toMatchObject(deathBy('SIGABRT'));
    expect(ending.stderr).toMatch(
      /^daemoniker: SIGABRT received from pid .*; ending the process\n$/,
    );
  });

  onUnix.test('a signal that is raised is none', async () => {
    const fixture = await begin("handler.onShutdown('hook', () => say('hook'));", { errors: true });
    fixture.kill('SIGABRT');
    expect(await fixture.end()).toMatchObject(deathBy('SIGABRT'));
    expect(fixture.said).toEqual([{ event: 'ready' }]);
  });
});

test('a hook that is added while it runs is next; after the last one it is too late', async () => {
  const fixture = await begin(`
    const remove = handler.onShutdown('removed', () => say('removed'));
    handler.onShutdown('last', () => say('last'));
    handler.onShutdown('first', () => {
      handler.onShutdown('added', () => say('added'));
      remove();
      say('first');
    });
    process.on('exit', () => {
      try {
        handler.onShutdown('late', () => undefined);
      } catch ({ name, code, message }) {
        say('refused', { name, code, message });
      }
    });
  `);
  fixture.kill('SIGTERM');
  expect(await fixture.end()).toMatchObject({ code: 0, stderr: '' });
  expect(fixture.said.slice(1)).toEqual([
    { event: 'first' },
    { event: 'added' },
    { event: 'last' },
    {
      event: 'refused',
      name: 'SignalError',
      code: 'ERR_SHUTDOWN_OVER',
      message: 'Cannot add the shutdown hook "late": all hooks have already run',
    },
  ]);
});

// The process in front of it gets the signal, passes it on, and waits.
onNodeOnUnix.test('under `node --watch` it runs to its end, once', async () => {
  const program = join(directory, 'daemon.cjs');
  writeFileSync(
    program,
    `const { SignalHandler1 } = require(${JSON.stringify(ROOT)});
    const say = (event) => console.log(JSON.stringify({ event }));
    const handler = new SignalHandler1(null, { shutdown: true }).start();
    handler.onShutdown('slow', () => new Promise((resolve) => {
      say('begins');
      setTimeout(() => { say('done'); resolve(); }, 500);
    }));
    setInterval(() => undefined, 1000);
    say('ready');`,
  );
  const watch = new Fixture([...RUNTIME, '--watch', program]);
  await watch.hears('ready');
  watch.kill('SIGTERM');
  await watch.end();
  expect(watch.said.map(({ event }) => event)).toEqual(['ready', 'begins', 'done']);
});

test('each step is published', async () => {
  const fixture = await begin(`
    const { subscribe } = require('node:diagnostics_channel');
    for (const name of ['begin', 'hook:begin', 'hook:end', 'end']) {
      subscribe('daemoniker:shutdown:' + name, ({ reason, error, ...rest }) =>
        say(name, { ...rest, reason: reason.name, error: error?.message }));
    }
    handler.onShutdown('good', () => undefined);
    handler.onShutdown('bad', () => { throw new Error('no'); });
  `);
  fixture.kill('SIGTERM');
  await fixture.end();
  const step = (event: string, more: object): object => ({
    event,
    pidFile,
    reason: 'SIGTERM',
    ...more,
  });
  expect(fixture.said.slice(1)).toEqual([
    step('begin', {}),
    step('hook:begin', { name: 'bad' }),
    step('hook:end', { name: 'bad', isLate: false, error: 'no' }),
    step('hook:begin', { name: 'good' }),
    step('hook:end', { name: 'good', isLate: false }),
    step('end', { exitCode: 1 }),
  ]);
});

describe('bad input is refused', () => {
  const nothing = (): void => undefined;

  test.each([
    [{ shutdown: -1 }, 'ERR_OUT_OF_RANGE', 'options.shutdown'],
    [{ shutdown: '10' }, 'ERR_INVALID_ARG_TYPE', 'options.shutdown'],
    [{ shutdown: { within: 'long' } }, 'ERR_INVALID_ARG_TYPE', 'options.shutdown.within'],
    [{ shutdown: { within: 0 } }, 'ERR_OUT_OF_RANGE', 'options.shutdown.within'],
    [{ shutdown: { errors: 1 } }, 'ERR_INVALID_ARG_TYPE', 'options.shutdown.errors'],
    [{ shutdown: { signals: 'SIGTERM' } }, 'ERR_INVALID_ARG_TYPE', 'options.shutdown.signals'],
    [{ shutdown: { signals: ['SIGKILL'] } }, 'ERR_INVALID_ARG_VALUE', 'no process can handle it'],
    [{ shutdown: { signals: ['SIGTREM'] } }, 'ERR_INVALID_ARG_VALUE', "did you mean 'SIGTERM'?"],
    [
      { shutdown: { signals: ['SIGTERM'], again: ['SIGINT'] } },
      'ERR_INVALID_ARG_VALUE',
      'options.shutdown.again',
    ],
    [{ shutdown: { whithin: 3 } }, 'ERR_INVALID_ARG_VALUE', 'did you mean within?'],
    [{ shutdown: true, sigterm: () => undefined }, 'ERR_INVALID_ARG_VALUE', 'sigterm'],
    [
      { shutdown: true, signals: { SIGINT: () => undefined } },
      'ERR_INVALID_ARG_VALUE',
      'options.signals.SIGINT',
    ],
    [{ SIGTERM: () => undefined }, 'ERR_INVALID_ARG_VALUE', 'did you mean sigterm?'],
  ])('%j: %s, naming the option', (options, code, named) => {
    const error = caught(() => new SignalHandler1(null, options as object));
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toContain(named);
  });

  test.each([
    [['', nothing], 'ERR_INVALID_ARG_VALUE', 'name'],
    [[1, nothing], 'ERR_INVALID_ARG_TYPE', 'name'],
    [['hook', 'function'], 'ERR_INVALID_ARG_TYPE', 'hook'],
    [['hook', nothing, { timeout: 0 }], 'ERR_OUT_OF_RANGE', 'options.timeout'],
    [['hook', nothing, { timeuot: 1 }], 'ERR_INVALID_ARG_VALUE', 'did you mean timeout?'],
  ])('onShutdown(%j): %s, naming the argument', (args, code, named) => {
    const handler = new SignalHandler1(null);
    const error = caught(() => {
      handler.onShutdown(...(args as [string, () => void]));
    });
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toContain(named);
  });
});
