// Packages that end a process gracefully, or clean up when it ends, do so as without our handler
// when SIGTERM is left out.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { directory } from '../support/each_test';
import { deathBy } from '../support/endings';
import { Fixture } from '../support/fixture';
import { RUNTIME } from '../support/runtime';
import { SAY, write } from './project';

const WHEN = ['without our handler', 'loaded after start()', 'loaded before start()'] as const;
type When = (typeof WHEN)[number];

/** A program that loads a package by `code`, and our handler as `when` says. */
async function begin(when: When, code: string): Promise<Fixture> {
  const start = 'new SignalHandler1(null).start();';
  const program = write(
    'program.mjs',
    `${SAY}
    import { SignalHandler1 } from 'daemoniker';
    ${when === 'loaded after start()' ? start : ''}
    ${code}
    ${when === 'loaded before start()' ? start : ''}
    setTimeout(() => process.exit(9), 120_000);
    say('ready', { listeners: process.listenerCount('SIGTERM') });`,
  );
  const fixture = new Fixture([...RUNTIME, program], { cwd: directory });
  // Without a listener of the package there would be nothing to disturb.
  expect((await fixture.hears('ready'))['listeners']).toBeGreaterThan(0);
  return fixture;
}

test.each(WHEN)("NestJS's shutdown hooks run, and it dies by SIGTERM: %s", async (when) => {
  const program = await begin(
    when,
    `const { Module } = await import('@nestjs/common');
    const { NestFactory } = await import('@nestjs/core');
    class App {
      async onApplicationShutdown(signal) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        say('closes', { signal });
      }
    }
    Module({ providers: [App] })(App);
    const app = await NestFactory.createApplicationContext(App, { logger: false });
    app.enableShutdownHooks();`,
  );
  program.kill('SIGTERM');
  expect(await program.hears('closes')).toMatchObject({ signal: 'SIGTERM' });
  expect(await program.end()).toMatchObject(deathBy('SIGTERM'));
  expect(program.said.filter(({ event }) => event === 'closes')).toHaveLength(1);
});

test.each(WHEN)('ora shows the cursor again, and it dies by SIGTERM: %s', async (when) => {
  const program = await begin(
    when,
    `process.stderr.isTTY = true; // it hides the cursor on a terminal only
    Object.assign(process.stderr, { clearLine() {}, cursorTo() {}, moveCursor() {} });
    const { default: ora } = await import('ora');
    ora({ text: 'working', isEnabled: true }).start(); // whatever CI and TERM say`,
  );
  program.kill('SIGTERM');
  const ending = await program.end();
  expect(ending).toMatchObject(deathBy('SIGTERM'));
  expect(ending.stderr).toContain('working');
  expect(ending.stderr).toContain('\u001B[?25h');
});

test.each(WHEN)('proper-lockfile gives its lock back, and it dies by SIGTERM: %s', async (when) => {
  const program = await begin(
    when,
    `const { default: lockfile } = await import('proper-lockfile');
    await lockfile.lock('program.mjs');`,
  );
  const lock = join(directory, 'program.mjs.lock');
  expect(existsSync(lock)).toBe(true);
  program.kill('SIGTERM');
  expect(await program.end()).toMatchObject(deathBy('SIGTERM'));
  expect(existsSync(lock)).toBe(false);
});
