// What is prebuilt: the folder and file names are those that node-gyp-build looks for and that
// `prebuildify --napi --name daemoniker --tag-libc` gives.
const GLIBC_FLOOR = '2.28';
const MACOS = (settings) => settings.MACOSX_DEPLOYMENT_TARGET;

const linux = (arch, cpu, libc) => ({
  name: `linux-${arch}-${libc}`,
  file: `linux-${arch}/daemoniker.${libc}.node`,
  gypOs: 'linux',
  arch,
  libc,
  glibcFloor: libc === 'glibc' ? GLIBC_FLOOR : null,
  triple: () => `${cpu}-linux-${libc === 'glibc' ? `gnu.${GLIBC_FLOOR}` : 'musl'}`,
});

const darwin = (arch, cpu) => ({
  name: `darwin-${arch}`,
  file: `darwin-${arch}/daemoniker.node`,
  gypOs: 'mac',
  arch,
  triple: (settings) => `${cpu}-macos.${MACOS(settings)}`,
});

const win32 = (arch, cpu) => ({
  name: `win32-${arch}`,
  file: `win32-${arch}/daemoniker.node`,
  gypOs: 'win',
  arch,
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
