// What forever sees of a program that it stops, in its own words.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { directory } from '../support/each_test';
import { Fixture } from '../support/fixture';
import { eventually } from '../support/processes';
import { daemon, gracefully, isGone, runs, saidLines } from '../support/supervised';
import { command } from './project';

const forever = (...words: readonly string[]): Fixture =>
  new Fixture([...command('forever'), ...words], {
    cwd: directory,
    env: { ...process.env, FOREVER_ROOT: directory },
  });

test('forever with `--killSignal=SIGTERM`: `stop` is one shutdown, and it is not started again', async () => {
  const [program = ''] = daemon().slice(-1);
  const log = join(directory, 'forever.log');
  const start = ['start', '--killSignal=SIGTERM', '-l', log, '--uid', 'mine', program];
  expect(await forever(...start).end()).toMatchObject({ code: 0 });
  await runs();
  expect(await forever('stop', 'mine').end()).toMatchObject({ code: 0 });
  await isGone();
  expect(saidLines()).toEqual(gracefully('SIGTERM'));
  await eventually('its verdict', () => readFileSync(log, 'utf8').includes('exited with code: 0'));
});
