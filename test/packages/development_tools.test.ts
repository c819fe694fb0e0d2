// Tools that start a program again when its source changes: one stop is one shutdown, to its end,
// though the signal arrives once from the terminal and once from the tool.
import { directory } from '../support/each_test';
import { Fixture } from '../support/fixture';
import { RUNTIME } from '../support/runtime';
import { commandLine } from '../support/shell';
import { SAY, command, write } from './project';

/** A daemon whose shutdown takes a while. */
function daemon(options = '{ shutdown: true }'): string {
  return write(
    'daemon.mjs',
    `${SAY}
    import { SignalHandler1 } from 'daemoniker';
    const handler = new SignalHandler1('daemon.pid', ${options}).start();
    handler.onShutdown('slow', async (reason) => {
      say('begins', { signal: reason.name });
      await new Promise((resolve) => setTimeout(resolve, 300));
      say('done');
    });
    process.on('exit', (code) => say('exits', { code }));
    setTimeout(() => process.exit(9), 120_000);
    say('ready');`,
  );
}

const run = (command: readonly string[]): Fixture =>
  // In a process group of its own, as a shell does it: Ctrl-C goes to all of the group.
  new Fixture(command, { cwd: directory, detached: true });

function shutdownBy(signal: NodeJS.Signals): object[] {
  return [
    { event: 'ready' },
    { event: 'begins', signal },
    { event: 'done' },
    { event: 'exits', code: 0 },
  ];
}

/**
 * tsx waits 30 ms for whether the program has the signal, then passes it on, and kills a program that has
 * not answered after another 30 ms. A busy machine may take longer.
 */
function patiently(tsx: readonly string[]): string[] {
  const preload = write(
    'patient.cjs',
    `const { setTimeout } = globalThis;
    let waits = 0;
    globalThis.setTimeout = (callback, delay, ...rest) =>
      setTimeout(callback, delay === 30 && ++waits > 1 ? 30_000 : delay, ...rest);`,
  );
  return [...RUNTIME, '--require', preload, ...tsx.slice(RUNTIME.length)];
}

interface Tool {
  readonly name: string;
  readonly command: () => string[];
  /** The tool's own exit code after Ctrl-C and SIGTERM, and after SIGTERM with the default handler. */
  readonly codes: { readonly interrupt: number; readonly sigterm: number; readonly raised: number };
}

const TOOLS: readonly Tool[] = [
  {
    name: 'tsx',
    command: () => patiently(command('tsx')),
    codes: { interrupt: 0, sigterm: 0, raised: 143 },
  },
  {
    name: 'tsx watch',
    command: () => [...patiently(command('tsx')), 'watch'],
    codes: { interrupt: 0, sigterm: 0, raised: 143 },
  },
  {
    name: 'nodemon',
    command: () => command('nodemon'),
    codes: { interrupt: 130, sigterm: 143, raised: 143 },
  },
  {
    name: 'concurrently',
    command: () => {
      const words = [...command('concurrently'), '--raw', '--passthrough-arguments'];
      return [...words, `${commandLine(RUNTIME)} {1}`, '--'];
    },
    codes: { interrupt: 0, sigterm: 1, raised: 1 },
  },
  {
    name: 'node --watch',
    command: () => [...RUNTIME, '--watch'],
    codes: { interrupt: 0, sigterm: 0, raised: 0 },
  },
];

describe.each(TOOLS)('under $name', ({ command, codes }) => {
  test('SIGTERM is one shutdown, to its end', async () => {
    const program = run([...command(), daemon()]);
    await program.hears('ready');
    program.kill('SIGTERM');
    expect(await program.end()).toMatchObject({ code: codes.sigterm, signal: null });
    expect(program.said).toEqual(shutdownBy('SIGTERM'));
  });

  test('Ctrl-C in a terminal is one shutdown, to its end', async () => {
    const program = run([...command(), daemon()]);
    await program.hears('ready');
    process.kill(-program.pid, 'SIGINT');
    expect(await program.end()).toMatchObject({ code: codes.interrupt, signal: null });
    expect(program.said).toEqual(shutdownBy('SIGINT'));
  });

  test('SIGTERM with the default handler ends it, and is no error', async () => {
    const program = run([...command(), daemon('{}')]);
    await program.hears('ready');
    program.kill('SIGTERM');
    const ending = await program.end();
    expect(ending).toMatchObject({ code: codes.raised, signal: null });
    expect(ending.stderr).not.toContain('Error');
    expect(program.said).toEqual([{ event: 'ready' }, { event: 'exits', code: 143 }]);
  });
});

test.each([
  [
    'SIGUSR2 as one of `signals`',
    'SIGUSR2',
    [],
    "{ shutdown: { signals: ['SIGINT', 'SIGTERM', 'SIGUSR2'] } }",
  ],
  ['`--signal SIGTERM`', 'SIGTERM', ['--signal', 'SIGTERM'], '{ shutdown: true }'],
] as const)('nodemon restarts by one shutdown, with %s', async (_, signal, flags, options) => {
  const program = run([...command('nodemon'), ...flags, daemon(options)]);
  await program.hears('ready');
  program.tell('rs');
  // The second one gets the PID file, so the first has let go of it.
  await program.until('the second start', () => program.said.length > 4);
  await program.hears('ready');
  program.kill('SIGTERM');
  await program.end();
  expect(program.said).toEqual([...shutdownBy(signal), ...shutdownBy('SIGTERM')]);
});
