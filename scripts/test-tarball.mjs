// What users get: packs the package with all its binaries, looks at what is inside, and installs it
// into empty projects that have no compiler, with lifecycle scripts on and off.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { formatMessage } from 'publint/utils';
import { publint } from 'publint';
import { TARGETS } from './prebuild/targets.mjs';
import { ROOT, run, tryRun } from './support/run.mjs';

const MAX_BYTES = 1.5 * 1024 * 1024;
const require = createRequire(import.meta.url);

const failures = [];
let checks = 0;
function expect(holds, otherwise) {
  checks += 1;
  if (!holds) failures.push(otherwise);
}

const scratch = mkdtempSync(join(tmpdir(), 'daemoniker-tarball-'));
try {
  const { tarball, packed } = await pack();
  inspect(packed);
  await lint(tarball);
  const path = pathWithoutCompiler();
  await install('scripts-off', tarball, path, ['--ignore-scripts=true']);
  await install('scripts-on', tarball, path, ['--ignore-scripts=false', '--foreground-scripts']);
  const kilobytes = Math.ceil(packed.size / 1024);
  for (const failure of failures) console.error(`- ${failure}`);
  console.log(
    `${checks - failures.length} passed, ${failures.length} failed: ` +
      `checks of the tarball, ${packed.entryCount} files, ${kilobytes} KB`,
  );
} finally {
  rmSync(scratch, { recursive: true });
}
process.exit(failures.length > 0 ? 1 : 0);

async function pack() {
  const { stdout } = await run('npm', [
    'pack',
    '--json',
    '--ignore-scripts',
    '--pack-destination',
    scratch,
  ]);
  const answer = JSON.parse(stdout);
  const packed = Array.isArray(answer) ? answer[0] : Object.values(answer)[0];
  return { tarball: join(scratch, packed.filename), packed };
}

function inspect(packed) {
  const inside = packed.files.map((file) => file.path);
  expect(packed.size <= MAX_BYTES, `the tarball has ${packed.size} bytes`);
  const needed = [
    ...['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md'],
    ...['dist/index.js', 'dist/index.mjs', 'dist/addon.js', 'dist/index.d.ts', 'dist/index.d.mts'],
    ...TARGETS.map(({ file }) => `prebuilds/${file}`),
  ];
  for (const file of needed) expect(inside.includes(file), `${file} is not in the tarball`);
  const useful =
    /^(package\.json|[A-Z]+(\.md)?|dist\/[\w/]+\.(js|mjs|cjs|d\.ts|d\.mts)|docs\/[\w/-]+\.(md|svg)|prebuilds\/.+\.node)$/;
  for (const file of inside) expect(useful.test(file), `nobody needs ${file} in the tarball`);
  const scripts = Object.keys(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).scripts);
  // prepublishOnly runs where it is published, never where it is installed.
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) {
    expect(!scripts.includes(script), `the package has a script "${script}"`);
  }
}

async function lint(tarball) {
  const { buffer, byteOffset, byteLength } = readFileSync(tarball);
  const bytes = buffer.slice(byteOffset, byteOffset + byteLength);
  const { messages, pkg } = await publint({ pack: { tarball: bytes } });
  for (const message of messages) expect(false, `publint: ${formatMessage(message, pkg)}`);
  expect(true);

  const cli = join(
    dirname(require.resolve('@arethetypeswrong/cli/package.json')),
    'dist',
    'index.js',
  );
  const { status, stdout, stderr } = await tryRun(process.execPath, [cli, '--no-color', tarball]);
  expect(status === 0, `arethetypeswrong:\n${stdout}${stderr}`);
}

/** A PATH with node, npm and a shell, and nothing that could build anything. */
function pathWithoutCompiler() {
  const directory = join(scratch, 'bin');
  mkdirSync(directory);
  const find = (command) =>
    process.env.PATH.split(':')
      .map((entry) => join(entry, command))
      .find((file) => existsSync(file));
  symlinkSync(process.execPath, join(directory, 'node'));
  for (const command of ['npm', 'sh', 'env']) {
    symlinkSync(realpathSync(find(command)), join(directory, command));
  }
  return directory;
}

async function install(name, tarball, path, flags) {
  const project = join(scratch, name);
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "name": "empty", "private": true }\n');
  // Not the npm_* variables of the npm that may be running this.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([key]) => !/^(npm_|PREBUILDS_ONLY|NODE_PATH)/i.test(key)),
  );
  const options = { cwd: project, env: { ...env, PATH: path } };
  for (const tool of ['cc', 'c++', 'g++', 'clang', 'make', 'python3']) {
    const { status } = await tryRun('/bin/sh', ['-c', `command -v ${tool}`], options);
    expect(status !== 0, `${name}: ${tool} is in the PATH of the test`);
  }
  const npm = ['install', '--no-audit', '--no-fund', ...flags, tarball];
  const installed = await tryRun(join(path, 'npm'), npm, options);
  expect(installed.status === 0, `${name}: ${installed.stdout}${installed.stderr}`);
  if (installed.status !== 0) return;

  const modules = join(project, 'node_modules');
  const lock = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8'));
  for (const [package_, { hasInstallScript }] of Object.entries(lock.packages)) {
    expect(!hasInstallScript, `${name}: ${package_} has an install script`);
  }
  expect(!existsSync(join(modules, 'daemoniker', 'build')), `${name}: something was built`);
  expect(!/gyp/.test(installed.stdout), `${name}: node-gyp ran:\n${installed.stdout}`);

  const program = `
    const handler = new SignalHandler1(null, {
      sigterm: (signum) => {
        handler.stop();
        clearInterval(alive);
        const maps = readFileSync('/proc/self/maps', 'utf8');
        const loaded = new Set(maps.match(/\\/\\S+daemoniker[^/]*\\.node/g));
        console.log(JSON.stringify({ signum, loaded: [...loaded] }));
      },
    }).start();
    const alive = setInterval(() => {}, 1000);
    process.kill(process.pid, 'SIGTERM');
  `;
  const ways = {
    'require.cjs': `const { SignalHandler1 } = require('daemoniker'); const { readFileSync } = require('fs');`,
    'import.mjs': `import { SignalHandler1 } from 'daemoniker'; import { readFileSync } from 'node:fs';`,
  };
  const expected = join(modules, 'daemoniker', 'prebuilds', `linux-${process.arch}`);
  for (const [file, head] of Object.entries(ways)) {
    writeFileSync(join(project, file), head + program);
    const { status, stdout, stderr } = await tryRun(join(path, 'node'), [file], options);
    expect(status === 0, `${name}, ${file}: status ${status}\n${stdout}${stderr}`);
    if (status !== 0) continue;
    const { signum, loaded } = JSON.parse(stdout);
    expect(signum === 15, `${name}, ${file}: the handler got ${signum}`);
    expect(
      loaded.length === 1 && loaded[0].startsWith(realpathSync(expected)),
      `${name}, ${file}: loaded ${loaded.join(', ')}`,
    );
  }
  writeFileSync(
    join(project, 'both.mjs'),
    `import * as esm from 'daemoniker'; import { createRequire } from 'node:module';
     const cjs = createRequire(import.meta.url)('daemoniker');
     process.exit(esm.SIGINT === cjs.SIGINT && esm.SignalHandler1 === cjs.SignalHandler1 ? 0 : 1);`,
  );
  const { status } = await tryRun(join(path, 'node'), ['both.mjs'], options);
  expect(status === 0, `${name}: require() and import give different classes`);
  await followReadme(name, path, options);
}

/** What a new user does: copies the server of the README's first screen, and stops it as it says. */
async function followReadme(name, path, options) {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const [, server] = /```js\n(.*?)```/s.exec(readme);
  const [, stop] = /npx daemoniker (stop [\w.]+)/.exec(readme);
  const listening = "0, () => console.log('port', server.address().port)";
  writeFileSync(join(options.cwd, 'server.mjs'), server.replace('8080', listening));
  const child = spawn(join(path, 'node'), ['server.mjs'], options);
  const ended = once(child, 'exit');
  let output = '';
  const port = await new Promise((resolve) => {
    child.on('exit', resolve);
    child.stderr.on('data', (text) => (output += text));
    child.stdout.on('data', (text) => {
      output += text;
      const said = /port (\d+)/.exec(output);
      if (said) resolve(said[1]);
    });
  });
  const answer = await fetch(`http://localhost:${port}`).then((response) => response.text());
  expect(answer === 'hello\n', `${name}: the README's server answers ${answer}`);
  const command = join(options.cwd, 'node_modules', '.bin', 'daemoniker');
  const { status, stderr } = await tryRun(command, stop.split(' '), options);
  expect(status === 0, `${name}: daemoniker ${stop}: ${stderr}`);
  const [code] = await ended;
  expect(code === 0, `${name}: the README's server ended with ${code}: ${output}`);
  expect(
    output.includes('SIGTERM received from pid'),
    `${name}: the README's server said: ${output}`,
  );
}
