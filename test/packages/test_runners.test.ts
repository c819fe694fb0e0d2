// The test of a shutdown that docs/shutdown.md shows, run as it stands; and it can fail.
import { join } from 'node:path';
import { directory } from '../support/each_test';
import { Fixture, type Ending } from '../support/fixture';
import { codeBlocks } from '../support/markdown';
import { ROOT, RUNTIME } from '../support/runtime';
import { command, write } from './project';

const block = codeBlocks('docs/shutdown.md').find(({ code }) => code.includes('@jest/globals'));
const code = block?.code ?? '';

const HOOK = "handler.onShutdown('database', () => (isOpen = false));";

// Jest's own flag for ES modules: https://jestjs.io/docs/ecmascript-modules
const jestCommand = (): string[] => [
  ...RUNTIME,
  '--experimental-vm-modules',
  join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js'),
];
const vitestCommand = (): string[] => [...command('vitest'), 'run'];

async function runTest(runner: readonly string[], name: string, text: string): Promise<Ending> {
  write('package.json', '{ "private": true }');
  write(name, text);
  return new Fixture(runner, { cwd: directory, env: { ...process.env, NO_COLOR: '1' } }).end();
}

describe.each([
  ['Jest', jestCommand, code],
  ['Vitest', vitestCommand, code.replace(/'@jest\/globals'.*/, "'vitest';")],
] as const)('with %s, the test in docs/shutdown.md', (_, runner, text) => {
  test('passes', async () => {
    const { code, stdout, stderr } = await runTest(runner(), 'database.test.mjs', text);
    expect(`${stdout}${stderr}`).toMatch(/Tests:? +1 passed/);
    expect(code).toBe(0);
  });

  test('fails if the hook is missing', async () => {
    expect(text).toContain(HOOK);
    const broken = text.replace(HOOK, '');
    const { code, stdout, stderr } = await runTest(runner(), 'database.test.mjs', broken);
    expect(`${stdout}${stderr}`).toMatch(/Tests:? +1 failed/);
    expect(`${stdout}${stderr}`).toMatch(/expected true to be false|Received: true/);
    expect(code).toBe(1);
  });
});
