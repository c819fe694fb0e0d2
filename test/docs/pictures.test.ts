// The pictures in the documents are what `npm run pictures` draws, from what the demonstration prints.
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeDirectory, temporaryDirectory } from '../support/directory';
import { onNodeOnUnix } from '../support/platform';
import { ROOT } from '../support/runtime';

const PICTURES = join(ROOT, 'docs', 'pictures');

function pictures(...args: string[]): { status: number | null; output: string } {
  const script = join(ROOT, 'scripts', 'pictures.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

// On Windows stderr has no stack.
onNodeOnUnix('the pictures', () => {
  test('are up to date', () => {
    expect(pictures('--check')).toEqual({ status: 0, output: 'all pictures are up to date\n' });
  });

  test('have a title and a description, and load and run nothing', () => {
    for (const file of readdirSync(PICTURES)) {
      const svg = readFileSync(join(PICTURES, file), 'utf8');
      expect(svg).toMatch(
        /^<svg [^>]*role="img" aria-labelledby="title desc">\n<title id="title">./,
      );
      expect(svg).toContain('<desc id="desc">');
      expect(svg).not.toMatch(/<script|href|url\(|@import|\bon\w+=/);
      expect(svg.length).toBeLessThan(40_000);
    }
  });

  test('are named when they are not up to date', () => {
    const directory = temporaryDirectory();
    cpSync(PICTURES, directory, { recursive: true });
    rmSync(join(directory, 'bench-light.svg'));
    const file = join(directory, 'shutdown-dark.svg');
    writeFileSync(file, readFileSync(file, 'utf8').replace('exit code 124', 'exit code 0'));
    const { status, output } = pictures('--check', directory);
    removeDirectory(directory);
    expect(status).toBe(1);
    expect(output).toBe(
      'shutdown-dark.svg is out of date\nbench-light.svg is out of date\nRun "npm run pictures".\n',
    );
  });
});
