// Somebody presses Ctrl-C.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as timePasses } from 'node:timers/promises';
import { directory } from '../support/each_test';
import { deathBy } from '../support/endings';
import { onNode, onWindows } from '../support/platform';
import { run } from '../support/program';
import { ROOT, RUNTIME } from '../support/runtime';
import { inTerminal, pressCtrlC, withTerminal } from '../support/terminal';

/** What the user thinks long enough not to be taken for a relay's second copy. */
const IMPATIENT_MS = 600;

/** Writes a daemon with a shutdown and this hook; its path. */
function daemonWith(hook: string): string {
  const path = join(directory, 'daemon.cjs');
  writeFileSync(
    path,
    `const say = (event, more) =>
      require('node:fs').writeSync(1, JSON.stringify({ event, ...more }) + '\\n');
    const { SignalHandler1 } = require(${JSON.stringify(ROOT)});
    const handler = new SignalHandler1(null, { shutdown: 60_000 }).start();
    handler.onShutdown('hook', ${hook});
    process.on('exit', (code) => say('exit', { code }));
    setInterval(() => undefined, 1000);
    say('ready');`,
  );
  return path;
}

const TAKES_TIME = `() => new Promise((resolve) => {
  say('begins');
  setTimeout(() => { say('done'); resolve(); }, 300);
})`;

withTerminal('in a terminal', () => {
  test('Ctrl-C is one graceful shutdown', async () => {
    const terminal = inTerminal([...RUNTIME, daemonWith(TAKES_TIME)], directory);
    await terminal.hears('ready');
    pressCtrlC(terminal);
    expect(await terminal.end()).toMatchObject({ code: 0, signal: null });
    expect(terminal.said.map(({ event }) => event)).toEqual(['ready', 'begins', 'done', 'exit']);
  });

  // npm gets the terminal's SIGINT as well, and passes it on. It starts a shell; dash, when its command
  // has exited well after a Ctrl-C, is nevertheless terminated by SIGINT.
  onNode.test.each(['', 'exec '])(
    'Ctrl-C is one graceful shutdown under `npm start` of `%snode daemon.js`',
    async (exec) => {
      const command = [...RUNTIME, daemonWith(TAKES_TIME)].map((word) => `"${word}"`).join(' ');
      writeFileSync(
        join(directory, 'package.json'),
        JSON.stringify({ scripts: { start: exec + command } }),
      );
      const terminal = inTerminal(['npm', 'start'], directory);
      await terminal.hears('ready');
      pressCtrlC(terminal);
      const { code, signal } = await terminal.end();
      if (exec !== '') expect({ code, signal }).toEqual({ code: 0, signal: null });
      expect(terminal.said.slice(1)).toEqual([
        { event: 'begins' },
        { event: 'done' },
        { event: 'exit', code: 0 },
      ]);
    },
  );

  test.each([
    ['waits', `() => { say('begins'); return new Promise(() => undefined); }`],
    ['blocks the event loop', `() => { say('begins'); for (;;); }`],
  ])('Ctrl-C again ends it while a hook %s, and says what was running', async (_, hook) => {
    const terminal = inTerminal([...RUNTIME, daemonWith(hook)], directory);
    await terminal.hears('ready');
    pressCtrlC(terminal);
    await terminal.hears('begins');
    await timePasses(IMPATIENT_MS); // what the test is about
    pressCtrlC(terminal);
    const { code, signal, stdout } = await terminal.end();
    expect({ code, signal }).toEqual(deathBy('SIGINT'));
    expect(stdout).toContain('SIGINT came again during the shutdown; still running: hook');
  });
});

onWindows.test('Ctrl-C again ends it in a console', async () => {
  const program = run(({ daemoniker, say }) => {
    const handler = new daemoniker.SignalHandler1(null, { shutdown: 60_000 }).start();
    handler.onShutdown('hook', () => {
      say('begins');
      for (;;);
    });
    setInterval(() => undefined, 1000);
    say('ready');
  });
  await program.hears('ready');
  program.interrupt();
  await program.hears('begins');
  await timePasses(IMPATIENT_MS); // what the test is about
  program.interrupt();
  const ending = await program.end();
  expect(ending).toMatchObject(deathBy('SIGINT'));
  expect(ending.stderr).toContain('SIGINT came again during the shutdown; still running: hook');
});
