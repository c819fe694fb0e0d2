// Why the addon does not load, and what its user can do about it.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { machine } from 'node:os';
import { join, sep } from 'node:path';

/** What of Node.js is not in every version that this package is for. */
interface NewerProcess {
  readonly permission?: { has(scope: string, reference?: string): boolean };
  getBuiltinModule?(id: 'node:sea'): { isSea(): boolean } | undefined;
}

interface Situation {
  readonly cause: Error & { readonly code?: unknown; readonly resource?: unknown };
  /** The folder of this package; `null` where a bundler has left no `__dirname`. */
  readonly folder: string | null;
  /** The binary that was chosen, or `null`. */
  readonly file: string | null;
  /** `null` where there is no choice, or where it is not known. */
  readonly libc: Libc | null;
}

interface Libc {
  readonly name: 'glibc' | 'musl';
  readonly version: string;
}

const newer = process as NewerProcess;
const { env, arch, platform } = process;

/** The error of an addon that does not load, with the code `ERR_ADDON_NOT_LOADED`. */
export function addonError(thrown: unknown): Error {
  const cause = thrown instanceof Error ? thrown : new Error(String(thrown));
  const folder = typeof __dirname === 'string' ? join(__dirname, '..') : null;
  const libc = findLibc();
  const file = folder === null ? null : findFile(folder);
  const name = ['electron', 'deno', 'bun'].find((other) => other in process.versions) ?? 'node';
  const runtime = [
    `${name} ${process.versions[name] ?? ''}`,
    ...(libc === null ? [] : [`${libc.name} ${libc.version}`.trim()]),
  ];
  const wanted = file ?? (folder === null ? null : join(folder, 'prebuilds', prebuildName(libc)));
  const message = [
    `The addon of daemoniker does not load on ${platform}-${arch} ` + `(${runtime.join(', ')}).`,
    `${explain({ cause, folder, file, libc })}.`,
    ...(wanted === null ? [] : [`The file: ${wanted}.`]),
    // In one line, for logs.
    `The reason: ${cause.message.trim().replaceAll(/\s*\n\s*/g, ', ')}`,
  ].join(' ');
  return Object.assign(new Error(message, { cause }), { code: 'ERR_ADDON_NOT_LOADED' });
}

function explain({ cause, folder, file, libc }: Situation): string {
  if (cause.name === 'NotCapable') return 'Deno needs --allow-read, --allow-env and --allow-ffi';
  if (cause.code === 'ERR_DLOPEN_DISABLED') {
    return newer.permission === undefined
      ? 'Node.js runs with --no-addons, perhaps from NODE_OPTIONS: remove it'
      : 'Node.js runs with --permission: add --allow-addons';
  }
  if (cause.code === 'ERR_ACCESS_DENIED') return `Add --allow-fs-read=${String(cause.resource)}`;
  if (newer.getBuiltinModule?.('node:sea')?.isSea() === true) {
    return (
      "In a single executable application, install 'daemoniker' in a node_modules folder beside the " +
      "executable and load it with createRequire(process.execPath)('daemoniker')"
    );
  }
  if (folder !== null && newer.permission?.has('fs.read', folder) === false) {
    return `Node.js runs with --permission: add --allow-fs-read=${folder}${sep}*`;
  }
  const isUnpacked = file !== null && existsSync(file.replace(/\.asar([\\/])/, '.asar.unpacked$1'));
  if (folder !== null && /\.asar([\\/]|$)/.test(folder) && !isUnpacked) {
    return "It is packed into an asar archive: unpack it, with asarUnpack: ['**/*.node']";
  }
  if (folder === null || !isThisPackage(folder)) {
    return "It is bundled: mark 'daemoniker' as external in your bundler, and install it where the bundle runs";
  }
  for (const [name, value] of [
    ['npm_config_arch', arch],
    ['npm_config_platform', platform],
    ['DAEMONIKER_PREBUILD', undefined],
  ] as const) {
    if (env[name] !== undefined && env[name] !== '' && env[name] !== value) {
      return `The environment variable ${name} is '${env[name]}', so another binary was looked for: unset it`;
    }
  }
  return file === null ? explainMissing(folder, libc) : explainBroken(file, libc, cause.message);
}

function explainMissing(folder: string, libc: Libc | null): string {
  const there = list(join(folder, 'prebuilds')).filter((name) => /^\w+-\w+$/.test(name));
  if (there.length === 0) {
    return (
      "The folder 'prebuilds' is missing: install the package again, and make sure that what copies or " +
      'prunes node_modules keeps that folder'
    );
  }
  if (there.includes(`${platform}-${arch}`)) return wrongLibc(libc) ?? REINSTALL;
  const natural = { x86_64: 'x64', amd64: 'x64', aarch64: 'arm64', arm64: 'arm64' }[
    machine().toLowerCase()
  ];
  if (natural !== undefined && natural !== arch && there.includes(`${platform}-${natural}`)) {
    return (
      `This Node.js is built for ${arch}, and the machine is ${natural}: install Node.js for ${natural}. ` +
      'A 32-bit system has no binary: clone the repository and run "npm run setup" in it'
    );
  }
  return 'There is no binary for this platform. To build one, run "npm run setup" in a clone of the repository';
}

function explainBroken(file: string, libc: Libc | null, reason: string): string {
  if (/[\\/]build[\\/](Release|Debug)[\\/]/.test(file)) {
    return "It is in the folder 'build', made by or for another system: delete that folder, or build the addon again";
  }
  const [, needed] = /\bGLIBC_([\d.]+)/.exec(reason) ?? [];
  if (libc?.name === 'glibc' && needed !== undefined) return `It needs glibc ${needed} or newer`;
  return wrongLibc(libc) ?? REINSTALL;
}

const REINSTALL = 'Install the package again on this machine, for example by "npm ci"';

/** `null`: the loader has looked for the right one. */
function wrongLibc(libc: Libc | null): string | null {
  // As node-gyp-build does it, which does not know another musl than Alpine's.
  const chosen = env['LIBC'] || (existsSync('/etc/alpine-release') ? 'musl' : 'glibc');
  if (libc === null || libc.name === chosen) return null;
  const cure = `set the environment variable LIBC to '${libc.name}'`;
  return env['LIBC']
    ? `LIBC is '${env['LIBC']}', but this Node.js runs on ${libc.name}: ${cure}, or unset it`
    : `This Node.js runs on ${libc.name}, but ${chosen} was assumed: ${cure}`;
}

function prebuildName(libc: Libc | null): string {
  const name = libc === null ? 'daemoniker.node' : `daemoniker.${libc.name}.node`;
  return join(`${platform}-${arch}`, name);
}

function findFile(folder: string): string | null {
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    const loader = require('node-gyp-build') as { path(folder: string): string };
    return loader.path(folder);
  } catch {
    return null;
  }
}

function findLibc(): Libc | null {
  if (platform !== 'linux' || 'bun' in process.versions || 'deno' in process.versions) return null;
  let version: string | undefined;
  try {
    const { header } = process.report.getReport() as unknown as {
      header: { glibcVersionRuntime?: string };
    };
    version = header.glibcVersionRuntime;
  } catch {
    return null;
  }
  return version === undefined ? { name: 'musl', version: '' } : { name: 'glibc', version };
}

function isThisPackage(folder: string): boolean {
  try {
    const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      name: unknown;
    };
    return name === 'daemoniker';
  } catch {
    return false;
  }
}

function list(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
