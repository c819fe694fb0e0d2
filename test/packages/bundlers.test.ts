// Bundlers and tracers: what they make of a daemon runs away from the project and takes SIGTERM; where the
// addon is left out, the error names what to do. docs/troubleshooting.md has the table.
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { directory } from '../support/each_test';
import { Fixture } from '../support/fixture';
import { onLinux } from '../support/platform';
import { ROOT } from '../support/runtime';

const PACKAGES = join(__dirname, 'node_modules');
const PREBUILD = `prebuilds/${process.platform}-${process.arch}/daemoniker.node`;
const LOADER = 'node_modules/node-gyp-build';

const env = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(DAEMONIKER_|PREBUILDS_ONLY$|NODE_PATH$)/.test(name),
  ),
);

/** The package as npm installs it. */
function install(modules: string): void {
  const ours = join(modules, 'daemoniker');
  mkdirSync(dirname(join(ours, PREBUILD)), { recursive: true });
  for (const part of ['package.json', 'dist']) {
    cpSync(join(ROOT, part), join(ours, part), { recursive: true });
  }
  copyFileSync(join(ROOT, 'build', 'Release', 'daemoniker.node'), join(ours, PREBUILD));
  cpSync(join(ROOT, LOADER), join(modules, 'node-gyp-build'), { recursive: true });
}

let project: string;
let place: string;

beforeEach(() => {
  project = join(directory, 'project');
  place = join(directory, 'elsewhere', 'app');
  mkdirSync(place, { recursive: true });
  install(join(project, 'node_modules'));
  write('package.json', JSON.stringify({ dependencies: { daemoniker: '*' } }));
  const body = `
    const say = (event) => console.log(JSON.stringify({ event }));
    const handler = new SignalHandler1(null, { shutdown: true }).start();
    handler.onShutdown('last', () => say(handler.received.name));
    setTimeout(() => process.exit(9), 120_000);
    say('ready');`;
  write('daemon.mjs', `import { SignalHandler1 } from 'daemoniker';${body}`);
  write('daemon.cjs', `const { SignalHandler1 } = require('daemoniker');${body}`);
});

function write(name: string, content: string): void {
  writeFileSync(join(project, name), content);
}

function tool(script: string, ...args: readonly string[]): void {
  const words = [resolve(PACKAGES, script), ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, words, {
    cwd: project,
    env,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${script} failed:\n${stdout}${stderr}`);
}

/** Takes what was made to where nothing else is. */
function deploy(output = 'out'): void {
  renameSync(join(project, output), join(place, output));
  renameSync(project, `${project}-gone`);
}

async function expectShutdown(command: readonly string[]): Promise<void> {
  const daemon = new Fixture(command, { env });
  await daemon.hears('ready');
  daemon.kill('SIGTERM');
  expect(await daemon.end()).toMatchObject({ code: 0, signal: null });
  expect(daemon.said.map(({ event }) => event)).toEqual(['ready', 'SIGTERM']);
}

interface Bundler {
  readonly name: string;
  readonly build: (external: boolean) => void;
  readonly output: string;
}

const BUNDLERS: readonly Bundler[] = [
  {
    name: 'webpack',
    build: (external) => {
      const externals = external ? "{ daemoniker: 'commonjs daemoniker' }" : '{}';
      write(
        'webpack.config.cjs',
        `module.exports = { target: 'node', mode: 'development', devtool: false, entry: './daemon.cjs',
          externals: ${externals}, output: { path: __dirname + '/out' } };`,
      );
      tool('webpack-cli/bin/cli.js', '--config', 'webpack.config.cjs');
    },
    output: 'out/main.js',
  },
  ...['es', 'cjs'].map((format) => ({
    name: `rollup (${format})`,
    build: (external: boolean) => {
      write(
        'rollup.config.cjs',
        `const { createRequire } = require('node:module');
        const load = createRequire(${JSON.stringify(join(PACKAGES, 'any.js'))});
        module.exports = {
          input: 'daemon.mjs',
          external: ${external ? "['daemoniker']" : '[]'},
          plugins: [load('@rollup/plugin-node-resolve')(), load('@rollup/plugin-commonjs')()],
          output: { file: 'out/main.${format === 'es' ? 'mjs' : 'cjs'}', format: '${format}' },
        };`,
      );
      tool('rollup/dist/bin/rollup', '--config', 'rollup.config.cjs', '--silent');
    },
    output: format === 'es' ? 'out/main.mjs' : 'out/main.cjs',
  })),
  {
    name: 'esbuild',
    build: (external) => {
      const flags = ['--bundle', '--platform=node', '--outfile=out/main.js'];
      tool(
        'esbuild/bin/esbuild',
        'daemon.mjs',
        ...flags,
        ...(external ? ['--external:daemoniker'] : []),
      );
    },
    output: 'out/main.js',
  },
  {
    name: 'Vite (SSR)',
    build: (external) => {
      write(
        'vite.config.mjs',
        `export default { ssr: { noExternal: ${external ? '[]' : "['daemoniker']"} } };`,
      );
      tool(
        'vite/bin/vite.js',
        'build',
        '--ssr',
        'daemon.mjs',
        '--outDir',
        'out',
        '--logLevel',
        'error',
      );
    },
    output: 'out/daemon.mjs',
  },
  {
    name: 'tsup',
    build: (external) => {
      if (!external) write('package.json', '{}');
      tool('tsup/dist/cli-default.js', 'daemon.mjs', '--out-dir', 'out', '--silent');
    },
    output: 'out/daemon.js',
  },
];

// The addon that was built here.
onLinux('a daemon that is bundled', () => {
  describe.each(BUNDLERS)('by $name', ({ build, output }) => {
    test('runs and shuts down, with this package external and installed', async () => {
      build(true);
      deploy();
      install(join(place, 'node_modules'));
      await expectShutdown([process.execPath, join(place, output)]);
    });

    test('has an error that says to make this package external, if it is not', async () => {
      build(false);
      deploy();
      const { code, stderr } = await new Fixture([process.execPath, join(place, output)], {
        env,
      }).end();
      expect(code).toBe(1);
      expect(stderr).toContain("It is bundled: mark 'daemoniker' as external in your bundler");
    });
  });

  test('by ncc takes the addon along', async () => {
    tool('@vercel/ncc/dist/ncc/cli.js', 'build', 'daemon.cjs', '--out', 'out', '--no-cache');
    deploy();
    await expectShutdown([process.execPath, join(place, 'out', 'index.cjs')]);
  });

  test('traced by nft takes the addon along', async () => {
    write(
      'trace.cjs',
      `const { nodeFileTrace } = require(${JSON.stringify(join(PACKAGES, '@vercel/nft'))});
      const { cpSync } = require('node:fs');
      nodeFileTrace(['daemon.mjs']).then(({ fileList }) => {
        for (const file of fileList) cpSync(file, 'out/' + file);
      });`,
    );
    tool(join(project, 'trace.cjs'));
    deploy();
    await expectShutdown([process.execPath, join(place, 'out', 'daemon.mjs')]);
  });

  describe('as a single executable application', () => {
    const MARK = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

    function makeExecutable(): void {
      write(
        'sea.json',
        JSON.stringify({ main: 'main.js', output: 'blob', disableExperimentalSEAWarning: true }),
      );
      const { status } = spawnSync(process.execPath, ['--experimental-sea-config', 'sea.json'], {
        cwd: project,
        env,
      });
      expect(status).toBe(0);
      mkdirSync(join(project, 'out'));
      copyFileSync(process.execPath, join(project, 'out', 'daemon'));
      const flags = ['out/daemon', 'NODE_SEA_BLOB', 'blob', '--sentinel-fuse', MARK];
      tool('postject/dist/cli.js', ...flags);
    }

    test('runs and shuts down, with this package in a folder beside it', async () => {
      const load = "require('node:module').createRequire(process.execPath)('daemoniker')";
      write(
        'main.js',
        readFileSync(join(project, 'daemon.cjs'), 'utf8').replace("require('daemoniker')", load),
      );
      makeExecutable();
      deploy();
      install(join(place, 'out', 'node_modules'));
      await expectShutdown([join(place, 'out', 'daemon')]);
    });

    test('has an error that says so, with this package bundled', async () => {
      tool('esbuild/bin/esbuild', 'daemon.cjs', '--bundle', '--platform=node', '--outfile=main.js');
      makeExecutable();
      deploy();
      const { code, stderr } = await new Fixture([join(place, 'out', 'daemon')], { env }).end();
      expect(code).toBe(1);
      expect(stderr).toContain("createRequire(process.execPath)('daemoniker')");
    });
  });
});
