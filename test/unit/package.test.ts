// package.json, as npm's page and its provenance statement show it, and the check before a release.
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { textOf } from '../support/markdown';
import { onUnix } from '../support/platform';
import { ROOT } from '../support/runtime';

interface Manifest {
  readonly repository: { readonly type: string; readonly url: string };
  readonly homepage: string;
  readonly bugs: { readonly url: string };
  readonly funding: { readonly url: string };
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>;
}
const manifest = JSON.parse(textOf('package.json')) as Manifest;
const [, repository = ''] =
  /^git\+https:\/\/github\.com\/([\w.-]+\/[\w.-]+)\.git$/.exec(manifest.repository.url) ?? [];

test('package.json names one repository, in the form that provenance needs', () => {
  expect(repository).not.toBe('');
  expect(manifest).toMatchObject({
    repository: { type: 'git' },
    homepage: `https://github.com/${repository}#readme`,
    bugs: { url: `https://github.com/${repository}/issues` },
    funding: { url: `https://github.com/sponsors/${repository.split('/')[0]}` },
  });
});

test('the types of Node.js, which the published types refer to, are an optional peer', () => {
  const types = readdirSync(join(ROOT, 'dist')).filter((name) => /\.d\.m?ts$/.test(name));
  const text = types.map((name) => readFileSync(join(ROOT, 'dist', name), 'utf8')).join('\n');
  expect(text).toMatch(/\bNodeJS\.|'node:/);
  expect(manifest.peerDependencies).toEqual({ '@types/node': '>=18' });
  expect(manifest.peerDependenciesMeta).toEqual({ '@types/node': { optional: true } });
});

onUnix('the release workflow', () => {
  const NAME = 'package.json names this repository';
  const check = (here: string): { status: number | null; stdout: string } => {
    const [, step = ''] = textOf('.github/workflows/release.yml').split(`- name: ${NAME}\n`);
    const [, script = ''] = /^ +run: \|\n((?: {10}.*\n)+)/.exec(step) ?? [];
    expect(script).not.toBe('');
    // As the hosted runner starts it.
    const { status, stdout } = spawnSync('bash', ['-e', '-c', script], {
      cwd: ROOT,
      env: { ...process.env, GITHUB_REPOSITORY: here },
      encoding: 'utf8',
    });
    return { status, stdout };
  };

  test('goes on in the repository that package.json names', () => {
    expect(check(repository)).toEqual({ status: 0, stdout: '' });
  });

  test('refuses to publish from another one, and says what to change', () => {
    const { status, stdout } = check('somebody/fork');
    expect(status).toBe(1);
    expect(stdout).toMatch(/^::error file=package\.json::/);
    expect(stdout).toContain(manifest.repository.url);
    expect(stdout).toContain('Set it to git+https://github.com/somebody/fork.git');
  });
});
