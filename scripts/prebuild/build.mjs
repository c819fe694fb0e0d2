// One binary for one target, out of what binding.gyp says.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT, mapLimited } from '../support/run.mjs';
import { headers, includeHeaders, readGyp, signMachO, zig } from './toolchain.mjs';

// What the C++ runtime that zig links statically anyway makes pointless.
const NOT_FOR_ZIG = new Set(['-static-libstdc++', '-static-libgcc']);

const XCODE_FLAGS = {
  CLANG_CXX_LANGUAGE_STANDARD: (value) => [`-std=${value}`],
  CLANG_CXX_LIBRARY: () => [],
  DEAD_CODE_STRIPPING: () => [],
  GCC_ENABLE_CPP_EXCEPTIONS: (value) => (value === 'NO' ? ['-fno-exceptions'] : []),
  GCC_ENABLE_CPP_RTTI: (value) => (value === 'NO' ? ['-fno-rtti'] : []),
  GCC_OPTIMIZATION_LEVEL: (value) => [`-O${value}`],
  GCC_SYMBOLS_PRIVATE_EXTERN: (value) => (value === 'YES' ? ['-fvisibility=hidden'] : []),
  MACOSX_DEPLOYMENT_TARGET: () => [],
  OTHER_CFLAGS: (value) => value,
  OTHER_CPLUSPLUSFLAGS: (value) => value,
  WARNING_CFLAGS: (value) => value,
};

export async function build(target, output) {
  const gyp = await readGyp(target.gypOs);
  if (target.gypOs === 'win' && !gyp.sources.some((source) => source.startsWith('native/win32/'))) {
    throw new Error(
      'binding.gyp names no sources in native/win32: nothing to build for Windows yet',
    );
  }
  const triple = tripleOf(target, gyp);
  // Linked there and then copied: linkers leave import libraries and the like beside their output.
  const objects = join(ROOT, 'build', 'prebuild', target.name);
  mkdirSync(objects, { recursive: true });
  const linked = join(objects, 'daemoniker.node');

  const flags = [
    ...(await compilerFlags(target, gyp)),
    ...['-g0', '-Werror', '-ffunction-sections', '-fdata-sections'],
  ];
  const compile = async (source) => {
    const object = join(objects, `${source.replaceAll('/', '_')}.o`);
    await zig('c++', ...flags, '-c', source, '-o', object);
    return object;
  };
  const objectFiles = await mapLimited(gyp.sources, 2, compile);

  if (target.gypOs === 'linux') {
    const ldflags = gyp.ldflags.filter((flag) => !NOT_FOR_ZIG.has(flag));
    const shared = ['-shared', '-s', '-Wl,-soname,daemoniker.node'];
    await zig('c++', '-target', triple, ...shared, ...objectFiles, ...ldflags, '-o', linked);
  } else if (target.gypOs === 'mac') {
    await linkMachO(triple, objectFiles, objects, linked);
  } else {
    const imports = await hostImports(triple, objectFiles, objects);
    const libraries = (gyp.libraries ?? []).map((name) => `-l${name.replace(/^-l|\.lib$/gi, '')}`);
    const shared = ['-shared', '-s', '-Wl,--gc-sections'];
    const all = [...objectFiles, imports, ...libraries];
    await zig('c++', '-target', triple, ...shared, ...all, '-o', linked);
  }
  mkdirSync(dirname(output), { recursive: true });
  copyFileSync(linked, output);
}

const tripleOf = (target, gyp) => target.triple(gyp.xcode_settings ?? {});

/** What every source needs to be compiled for a target at all. */
export async function compilerFlags(target, gyp) {
  return [
    ...['-target', tripleOf(target, gyp)],
    ...(target.gypOs === 'win' ? [] : ['-fPIC']),
    ...(await dialect(target, gyp)),
    ...[...gyp.include_dirs, includeHeaders].map((directory) => `-I${directory}`),
    // zig predefines some, such as _WIN32_WINNT.
    ...gyp.defines.flatMap((define) => [`-U${define.split('=')[0]}`, `-D${define}`]),
    // See hostImports().
    ...(target.gypOs === 'win' ? ['-DNAPI_EXTERN=__declspec(dllimport)'] : []),
  ];
}

/** The dialect and the warnings. Those for MSVC mean nothing to zig: Windows takes those of Linux. */
async function dialect(target, gyp) {
  if (target.gypOs === 'mac') {
    return Object.entries(gyp.xcode_settings).flatMap(([key, value]) => {
      if (XCODE_FLAGS[key] === undefined)
        throw new Error(`scripts/prebuild: what does ${key} mean?`);
      return XCODE_FLAGS[key](value);
    });
  }
  const { cflags, cflags_cc } = target.gypOs === 'linux' ? gyp : await readGyp('linux');
  return [...cflags, ...cflags_cc].filter(
    (flag) => target.gypOs !== 'win' || !/visibility/.test(flag),
  );
}

/**
 * Through `zig build-lib` because that, given entitlements, makes room for a signature on x64 as
 * well; then the signature is replaced by a plain ad-hoc one, as Apple's linker makes it.
 */
async function linkMachO(triple, objectFiles, objects, output) {
  const entitlements = join(objects, 'none.plist');
  writeFileSync(entitlements, '<plist version="1.0"><dict/></plist>\n');
  await zig(
    ...['build-lib', '-dynamic', '-target', triple, '-O', 'ReleaseSmall', '-fstrip'],
    ...['-fallow-shlib-undefined', '-dead_strip', '-install_name', '@rpath/daemoniker.node'],
    ...['--entitlements', entitlements, '-lc++', ...objectFiles, `-femit-bin=${output}`],
  );
  await signMachO(output, 'daemoniker.node');
}

/**
 * Binds the Node-API functions when the addon is loaded, to whatever program loads it. An import of
 * node.exe by name would fail under a renamed node.exe, Electron or Bun; MSVC builds have node-gyp's
 * delay-load hook for that, but zig's linker knows no delay-load.
 */
async function hostImports(triple, objectFiles, objects) {
  const { js_native_api_symbols, node_api_symbols } = headers.symbols.v8;
  const used = new Set();
  for (const file of objectFiles) {
    for (const [, name] of readFileSync(file, 'latin1').matchAll(
      /__imp_((?:napi|node_api)_\w+)/g,
    )) {
      used.add(name);
    }
  }
  const known = new Set([...js_native_api_symbols, ...node_api_symbols]);
  const names = [...used].filter((name) => known.has(name)).sort();
  const source = join(objects, 'host_imports.c');
  writeFileSync(
    source,
    `#include <windows.h>

${names.map((name) => `FARPROC __imp_${name};`).join('\n')}

static const struct {
  FARPROC* slot;
  const char* name;
} imports[] = {
${names.map((name) => `    {&__imp_${name}, "${name}"},`).join('\n')}
};

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID reserved) {
  (void)self;
  (void)reserved;
  if (reason != DLL_PROCESS_ATTACH) return TRUE;
  HMODULE program = GetModuleHandleW(NULL);
  HMODULE library = GetModuleHandleW(L"libnode.dll");
  for (size_t i = 0; i < sizeof imports / sizeof *imports; ++i) {
    FARPROC function = GetProcAddress(program, imports[i].name);
    if (function == NULL && library != NULL) function = GetProcAddress(library, imports[i].name);
    if (function == NULL) return FALSE;
    *imports[i].slot = function;
  }
  return TRUE;
}
`,
  );
  const object = `${source}.o`;
  await zig(
    'cc',
    '-target',
    triple,
    '-Os',
    '-g0',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-c',
    source,
    '-o',
    object,
  );
  return object;
}
