// What is prebuilt: the folder and file names are those that node-gyp-build looks for and that
// `prebuildify --napi --name daemoniker --tag-libc` gives.
const MAX_BYTES = 256 * 1024;
const GLIBC_FLOOR = '2.28';
const MACOS = (settings) => settings.MACOSX_DEPLOYMENT_TARGET;

const linux = (arch, cpu, libc) => ({
  name: `linux-${arch}-${libc}`,
  file: `linux-${arch}/daemoniker.${libc}.node`,
  gypOs: 'linux',
  arch,
  maxBytes: MAX_BYTES,
  libc,
  glibcFloor: libc === 'glibc' ? GLIBC_FLOOR : null,
  triple: () => `${cpu}-linux-${libc === 'glibc' ? `gnu.${GLIBC_FLOOR}` : 'musl'}`,
});

const darwin = (arch, cpu) => ({
  name: `darwin-${arch}`,
  file: `darwin-${arch}/daemoniker.node`,
  gypOs: 'mac',
  arch,
  maxBytes: MAX_BYTES,
  triple: (settings) => `${cpu}-macos.${MACOS(settings)}`,
});

// Microsoft's C and C++ runtime is part of it (node-gyp: /MT), so that nobody has to install one.
const WITH_RUNTIME = 512 * 1024;

const win32 = (arch, cpu) => ({
  name: `win32-${arch}`,
  file: `win32-${arch}/daemoniker.node`,
  gypOs: 'win',
  arch,
  maxBytes: WITH_RUNTIME,
  triple: () => `${cpu}-windows-gnu`,
});

export const TARGETS = [
  linux('x64', 'x86_64', 'glibc'),
  linux('arm64', 'aarch64', 'glibc'),
  linux('x64', 'x86_64', 'musl'),
  linux('arm64', 'aarch64', 'musl'),
  darwin('x64', 'x86_64'),
  darwin('arm64', 'aarch64'),
  win32('x64', 'x86_64'),
  win32('arm64', 'aarch64'),
];
