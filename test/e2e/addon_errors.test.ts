// An addon that does not load: the error says what to do about it.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { directory } from '../support/each_test';
import { Fixture } from '../support/fixture';
import { only, onNode, onNodeOnLinux, onUnix } from '../support/platform';
import { FIXTURES, NAME, ROOT, RUNTIME, VERSION } from '../support/runtime';

const PARTS = ['package.json', 'dist', 'node_modules/node-gyp-build'];

/** Installs the package without its binaries. */
function install(place = 'node_modules/daemoniker'): string {
  const folder = join(directory, place);
  for (const part of PARTS) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  return folder;
}

/** Puts a file where the loader finds it; it is no addon. */
function putBinary(folder: string, path: string): string {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, 'no addon');
  return file;
}

const PREBUILD = `prebuilds/${process.platform}-${process.arch}/daemoniker.node`;

interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** The error of loading what is at `path`, in a process in which `before` ran first. */
async function refusal(path: string, before = '', flags: readonly string[] = []): Promise<Refusal> {
  const say = JSON.stringify(join(FIXTURES, 'say.cjs'));
  const program = join(directory, 'program.cjs');
  writeFileSync(
    program,
    `const { say } = require(${say});
    delete process.env.DAEMONIKER_PREBUILD;
    delete process.env.PREBUILDS_ONLY;
    ${before}
    (async () => {
      if (${path.endsWith('.mjs')}) await import(${JSON.stringify(pathToFileURL(path).href)});
      else require(${JSON.stringify(path)});
      say('loaded');
    })().catch(({ code, message }) => say('refused', { code, message }));`,
  );
  const run = new Fixture([...RUNTIME, ...flags, program]);
  return (await run.hears('refused')) as unknown as Refusal;
}

test('names the platform, the runtime, the file and the reason', async () => {
  const folder = install();
  const file = putBinary(folder, PREBUILD);
  const { code, message } = await refusal(folder);
  expect(code).toBe('ERR_ADDON_NOT_LOADED');
  expect(message).toContain(` does not load on ${process.platform}-${process.arch} (`);
  expect(message).toContain(VERSION);
  expect(message).toContain('. Install the package again on this machine');
  expect(message).toContain(`. The file: ${file}. The reason: `);
  expect(message).not.toContain('\n');
});

onNodeOnLinux.test('names the C library', async () => {
  const { message } = await refusal(install());
  expect(message).toMatch(/^[^)]*, (glibc \d+\.\d+|musl)\)\. /);
});

test("without the folder 'prebuilds' it is to be installed again", async () => {
  const { message } = await refusal(install());
  expect(message).toContain("The folder 'prebuilds' is missing: install the package again");
});

test('where there are binaries for other platforms only, one has to be built', async () => {
  const folder = install();
  putBinary(folder, 'prebuilds/plan9-x64/daemoniker.node');
  const { message } = await refusal(folder);
  expect(message).toContain(
    'There is no binary for this platform. To build one, run "npm run setup"',
  );
});

onNode.test(
  'a Node.js that is built for another architecture than the machine is named',
  async () => {
    const folder = install();
    putBinary(folder, PREBUILD);
    const { message } = await refusal(
      folder,
      "Object.defineProperty(process, 'arch', { value: 'ia32' }); require('node:os').arch = () => 'ia32';",
    );
    const { arch } = process;
    expect(message).toContain(
      `built for ia32, and the machine is ${arch}: install Node.js for ${arch}`,
    );
  },
);

test("what was built on another system is to be deleted, or the folder 'build' made again", async () => {
  const folder = install();
  putBinary(folder, 'build/Release/daemoniker.node');
  const { message } = await refusal(folder);
  expect(message).toContain(
    "in the folder 'build', made by or for another system: delete that folder",
  );
});

test.each([
  ['npm_config_arch', 'mips'],
  ['npm_config_platform', 'plan9'],
  ['DAEMONIKER_PREBUILD', '/nowhere'],
])('%s that leads to another binary is to be unset', async (name, value) => {
  const folder = install();
  putBinary(folder, PREBUILD);
  const { message } = await refusal(folder, `process.env.${name} = '${value}';`);
  expect(message).toContain(`The environment variable ${name} is '${value}'`);
  expect(message).toContain(': unset it.');
});

onNodeOnLinux('the wrong C library', () => {
  const IS_GLIBC = "typeof process.report.getReport().header.glibcVersionRuntime === 'string'";

  test('in LIBC is to be unset', async () => {
    const folder = install();
    for (const libc of ['glibc', 'musl']) {
      putBinary(folder, PREBUILD.replace('.node', `.${libc}.node`));
    }
    const { message } = await refusal(folder, `process.env.LIBC = ${IS_GLIBC} ? 'musl' : 'glibc';`);
    expect(message).toMatch(
      /LIBC is '(\w+)', but this Node\.js runs on (?!\1)(\w+): .* LIBC to '\2', or unset it\. The file: .*\.\1\.node\./,
    );
  });

  // Which the loader takes for a sign of musl.
  test('that /etc/alpine-release, or that there is none, stands for, is to be set right', async () => {
    const folder = install();
    const { message } = await refusal(
      folder,
      `const isGlibc = ${IS_GLIBC};
      delete process.env.LIBC;
      const fs = require('node:fs');
      const { existsSync } = fs;
      fs.existsSync = (path) => (path === '/etc/alpine-release' ? isGlibc : existsSync(path));
      fs.mkdirSync(${JSON.stringify(join(folder, dirname(PREBUILD)))}, { recursive: true });`,
    );
    expect(message).toMatch(
      /runs on (\w+), but (?!\1)\w+ was assumed: set the environment variable LIBC to '\1'\./,
    );
  });
});

onNode('Node.js that runs', () => {
  test('with --no-addons is to run without', async () => {
    const folder = install();
    putBinary(folder, PREBUILD);
    const { message } = await refusal(folder, '', ['--no-addons']);
    expect(message).toContain('runs with --no-addons, perhaps from NODE_OPTIONS: remove it.');
  });

  const [major = 0] = VERSION.split('.').map(Number);
  only('Node 20 or newer', NAME === 'node' && major >= 20)('with --permission', () => {
    const PERMISSION = major < 24 ? '--experimental-permission' : '--permission';

    test('needs --allow-addons', async () => {
      const folder = install();
      putBinary(folder, PREBUILD);
      const { message } = await refusal(folder, '', [PERMISSION, '--allow-fs-read=*']);
      expect(message).toContain('runs with --permission: add --allow-addons.');
    });

    const readable = (...folders: readonly string[]): string[] =>
      [join(directory, 'program.cjs'), join(FIXTURES, '*'), ...folders].map(
        (path) => `--allow-fs-read=${path}`,
      );
    const within = (folder: string): string[] => [
      ...PARTS.map((part) => join(folder, part, part.endsWith('.json') ? '' : '*')),
      join(directory, 'package.json'),
      join(ROOT, 'package.json'),
    ];

    onNodeOnLinux.test('needs --allow-fs-read of what tells the C library', async () => {
      const folder = install();
      const flags = [PERMISSION, '--allow-addons', ...readable(join(folder, '*'))];
      const { message } = await refusal(folder, 'delete process.env.LIBC;', flags);
      expect(message).toContain('. Add --allow-fs-read=/etc/alpine-release.');
    });

    // node.exe 20.18 cannot even begin to load it.
    onNodeOnLinux.test('needs --allow-fs-read of the package', async () => {
      const folder = install();
      putBinary(folder, PREBUILD);
      const paths = [...within(folder), '/etc/alpine-release'];
      const flags = [PERMISSION, '--allow-addons', ...readable(...paths)];
      const { message } = await refusal(folder, '', flags);
      expect(message).toContain(`add --allow-fs-read=${join(folder, '*')}.`);
    });
  });
});

only('Deno only', NAME === 'deno').test('without permissions it names those it needs', async () => {
  const folder = install();
  putBinary(folder, PREBUILD);
  const program = join(directory, 'program.cjs');
  writeFileSync(program, `require(${JSON.stringify(folder)})`);
  const flags = ['run', '--no-prompt', '--allow-read', '--allow-env'];
  const { stderr } = await new Fixture([RUNTIME[0] as string, ...flags, program]).end();
  expect(stderr).toContain('. Deno needs --allow-read, --allow-env and --allow-ffi.');
});

test('in an asar archive it is to be unpacked', async () => {
  // Electron shows an archive as a folder.
  const { message } = await refusal(install('app.asar/node_modules/daemoniker'));
  expect(message).toContain(
    "packed into an asar archive: unpack it, with asarUnpack: ['**/*.node'].",
  );
});

// A bundle is the same on every system.
onUnix.test.each(['cjs', 'esm'])('in a bundle (%s) it is to be made external', async (format) => {
  const bundle = join(directory, 'bundle', format === 'esm' ? 'main.mjs' : 'main.js');
  const entry = join(directory, 'entry.js');
  writeFileSync(entry, `module.exports = require(${JSON.stringify(ROOT)});`);
  const banner =
    "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
  // In a process of its own: esbuild does not work in Jest's sandbox.
  const options = {
    ...{ entryPoints: [entry], outfile: bundle, bundle: true, platform: 'node', format },
    ...(format === 'esm' ? { banner: { js: banner } } : {}),
  };
  const script = `require('esbuild').buildSync(${JSON.stringify(options)})`;
  const { status, stderr } = spawnSync(process.execPath, ['-e', script], { cwd: ROOT });
  expect({ status, stderr: String(stderr) }).toMatchObject({ status: 0 });
  const { code, message } = await refusal(bundle);
  expect(code).toBe('ERR_ADDON_NOT_LOADED');
  expect(message).toContain("It is bundled: mark 'daemoniker' as external in your bundler");
});
