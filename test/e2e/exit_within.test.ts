import { setTimeout as timePasses } from 'node:timers/promises';
import { SIGINT, SIGTERM, SignalHandler1, send } from '../../';
import { pidFile } from '../support/each_test';
import { deathBy } from '../support/endings';
import { Fixture, start } from '../support/fixture';
import { onLinux, onNode, onNodeOnUnix } from '../support/platform';

async function begin(code: string): Promise<Fixture> {
  const fixture = start('blocked', [pidFile, '{}', code]);
  await fixture.hears('begins');
  return fixture;
}

test.each([
  ['whether the loop is free', 'handler.exitWithin(200); liveOn()'],
  ['or blocked', 'handler.exitWithin(200); stuckForEver()'],
  [
    "or the process hangs in an 'exit' listener",
    "process.on('exit', stuckForEver); handler.exitWithin(200); process.exit(0)",
  ],
  ['also after stop()', 'handler.exitWithin(200); handler.stop(); liveOn()'],
  ['also when the handler never ran', 'handler.stop(); handler.exitWithin(200); liveOn()'],
  [
    'and a second call shortens it',
    'handler.exitWithin(3600000); handler.exitWithin(200); liveOn()',
  ],
  [
    'and a second call for longer changes nothing',
    'handler.exitWithin(200); handler.exitWithin(3600000); liveOn()',
  ],
  [
    'and { extend: true } replaces it by a shorter one as well',
    'handler.exitWithin(3600000); handler.exitWithin(200, { extend: true }); liveOn()',
  ],
])('the process is terminated by SIGTERM in time, %s', async (_, code) => {
  const begun = performance.now();
  const fixture = await begin(code);
  const { code: exitCode, signal, stderr } = await fixture.end();
  expect({ code: exitCode, signal }).toEqual(deathBy('SIGTERM'));
  expect(performance.now() - begun).toBeGreaterThanOrEqual(199);
  // What is open only if the loop is free, the runtime tells, and it does so in time.
  expect(stderr).toMatch(
    /^daemoniker: the process did not exit within 200 ms; terminating it with SIGTERM(; still open: .+)?$/m,
  );
});

/** The last lines of a process that exits too late. Once more if a busy machine answers too late. */
async function lastLines(code: string, expected: RegExp): Promise<string> {
  let stderr = '';
  for (let round = 0; round < 5 && !expected.test(stderr); round++) {
    const fixture = await begin(code);
    ({ stderr } = await fixture.end());
  }
  return stderr;
}

const LATE = 'daemoniker: the process did not exit within 200 ms; terminating it with SIGTERM';

onNode('an exit that is late', () => {
  test.each([
    ['a server', "require('node:net').createServer().listen(0);", 'TCPServerWrap'],
    ['timers', 'setTimeout(liveOn, 60000); liveOn();', 'Timeout \\(2\\)'],
    [
      'but not its own stdout and stderr, which keep nothing alive',
      'console.log(); void process.stderr; liveOn();',
      'Timeout',
    ],
    ['a UDP socket', "require('node:dgram').createSocket('udp4').bind(0);", 'UDPWrap'],
    ['stdin that is read', 'console.log(); process.stdin.resume();', 'PipeWrap'],
  ])('though the loop is free names what is open: %s', async (_, open, named) => {
    const line = new RegExp(`^${LATE}; still open: ${named}\n$`);
    expect(await lastLines(`${open} handler.exitWithin(200);`, line)).toMatch(line);
  });

  onNodeOnUnix.test('because the loop is blocked shows where, and not what is open', async () => {
    const lines = new RegExp(`^${LATE}\n {4}at stuckForEver \\(.*blocked\\.cjs:\\d+:\\d+\\)\n`);
    const code =
      "require('node:net').createServer().listen(0); handler.exitWithin(200); stuckForEver()";
    expect(await lastLines(code, lines)).toMatch(lines);
  });
});

test('it is terminated by the signal received last', async () => {
  const fixture = await begin(`
    handler.sigterm = () => say('term');
    handler.sigint = () => { handler.exitWithin(100); };
    liveOn();
    say('set');
  `);
  await fixture.hears('set');
  send(pidFile, SIGTERM);
  await fixture.hears('term');
  send(pidFile, SIGINT);
  expect(await fixture.end()).toMatchObject(deathBy('SIGINT'));
});

test.each([
  ['that is over in time leaves no trace', 'handler.exitWithin(30000); process.exit(5)'],
  [
    'is prolonged by a later call with { extend: true }',
    'handler.exitWithin(500); handler.exitWithin(30000, { extend: true }); blockFor(800); process.exit(5)',
  ],
  [
    'has no limit after null',
    'handler.exitWithin(500); handler.exitWithin(null); blockFor(800); process.exit(5)',
  ],
  [
    'has no limit after null and stop()',
    'handler.exitWithin(500); handler.stop(); handler.exitWithin(null); blockFor(800); process.exit(5)',
  ],
  ['is not kept from ending by it', 'handler.exitWithin(3600000); process.exitCode = 5'],
])('a shutdown %s', async (_, code) => {
  const fixture = await begin(code);
  expect(await fixture.end()).toMatchObject({ code: 5, signal: null, stderr: '' });
});

test('signals are still handled while it runs, also after stop() and start()', async () => {
  const fixture = await begin(
    'handler.exitWithin(60000); handler.stop(); handler.start(); liveOn(); say("started")',
  );
  await fixture.hears('started');
  send(pidFile, SIGTERM);
  await fixture.hears('handled');
  fixture.child.kill('SIGKILL');
  await fixture.end();
});

// The watcher of the second one is another thread, which must not take the time between the two
// for one in which the process was stopped.
onLinux.test('a second one starts over when the process was stopped past its end', async () => {
  const fixture = await begin(`
    handler.stop();
    handler.exitWithin(5000);
    setTimeout(() => {
      handler.exitWithin(null);
      setTimeout(() => { handler.exitWithin(3000); liveOn(); say('armed'); }, 300);
    }, 110);
  `);
  await fixture.hears('armed');
  fixture.child.kill('SIGSTOP');
  await timePasses(3500); // what the test is about: its end passes
  const continued = performance.now();
  fixture.child.kill('SIGCONT');
  expect(await fixture.end()).toMatchObject(deathBy('SIGTERM'));
  expect(performance.now() - continued).toBeGreaterThan(2900);
});

onNode.test.each(['handler.start()', 'handler.exitWithin(3600000)'])(
  'it may be called by an async_hooks hook in the middle of %s',
  async (call) => {
    const fixture = await begin(`
    handler.stop();
    let isIn = false;
    const init = (id, type) => {
      if (isIn || type !== 'daemoniker') return;
      isIn = true;
      handler.exitWithin(200);
    };
    const hook = require('node:async_hooks').createHook({ init }).enable();
    ${call};
    hook.disable();
    say('called', { isIn });
    liveOn();
  `);
    expect(await fixture.hears('called')).toMatchObject({ isIn: true });
    expect(await fixture.end()).toMatchObject(deathBy('SIGTERM'));
  },
);

test('what makes no sense is refused', () => {
  const handler = new SignalHandler1(null);
  for (const value of [0, -1, NaN, Infinity, 2 ** 31]) {
    expect(() => handler.exitWithin(value)).toThrow(RangeError);
  }
  for (const value of ['100', undefined, {}]) {
    expect(() => handler.exitWithin(value as unknown as number)).toThrow(TypeError);
  }
  for (const options of [true, { extend: 'yes' }, { prolong: true }]) {
    expect(() => handler.exitWithin(100, options as object)).toThrow(TypeError);
  }
});

test('a worker cannot limit the process', async () => {
  const fixture = start('script', [
    `
      const { Worker } = require('node:worker_threads');
      const { once } = require('node:events');
      const code = \`
        const { SignalHandler1 } = require(\${JSON.stringify(require.resolve('../../'))});
        let code;
        try { new SignalHandler1(null).exitWithin(100); } catch (error) { code = error.code; }
        require('node:worker_threads').parentPort.postMessage(code);
      \`;
      const worker = new Worker(code, { eval: true });
      return (await once(worker, 'message'))[0];
    `,
  ]);
  expect(await fixture.hears('returned')).toMatchObject({ value: 'ERR_NOT_MAIN_THREAD' });
});
