// Fails if the signal handler can reach a function that signal-safety(7) does not allow, or the
// watcher one that allocates, locks or the like: walks the call graph of the compiled sources from
// each of them through our own functions, and compares what it leaves them for with
// scripts/signal-safety/allowed.mjs. Once optimized as the addon is, save that functions stay apart,
// and once not at all, where nothing has been left out. macOS's sources are compiled to LLVM's
// intermediate representation and walked there. Fails as well if the addon's symbols are looked up
// only when they are first used, because the loader would do that in the handler, and lock and
// allocate. Then it proves that it would notice: each of several mistakes is planted in a copy of the
// sources and must be found.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { compilerFlags } from './prebuild/build.mjs';
import { TARGETS } from './prebuild/targets.mjs';
import { readGyp, zig } from './prebuild/toolchain.mjs';
import * as elf from './signal-safety/elf_call_graph.mjs';
import * as ir from './signal-safety/ir_call_graph.mjs';
import { HANDLER, WATCHER } from './signal-safety/allowed.mjs';
import { COMPILER, compile, gyp } from './support/compile.mjs';
import { ROOT, mapLimited, run } from './support/run.mjs';

/** Where the walks begin, and what they may reach. */
const LAWS = {
  handler: { starts: [/^daemoniker::handler::Handle\([^)]*\)$/], allowed: HANDLER },
  watcher: {
    starts: [
      /^daemoniker::\(anonymous namespace\)::RunThread\([^)]*\)$/,
      /^daemoniker::watcher::\(anonymous namespace\)::Run\([^)]*\)$/,
    ],
    allowed: WATCHER,
  },
};

const macos = TARGETS.find(({ name }) => name === 'darwin-arm64');
const macosGyp = await readGyp(macos.gypOs);

const PLATFORMS = {
  linux: {
    sources: gyp.sources,
    optimizations: ['-Os', '-O0'],
    compile(sources, directory, optimization, root) {
      // A switch through a table of addresses would look like a call through a pointer.
      const apart = ['-fno-inline', '-fno-ipa-sra', '-fno-jump-tables'];
      return compile(sources, directory, [optimization, '-g0', ...apart], root);
    },
    readCallGraph: elf.readCallGraph,
  },
  macos: {
    sources: macosGyp.sources,
    optimizations: ['-O0'],
    async compile(sources, directory, optimization, root) {
      const flags = await compilerFlags(macos, macosGyp);
      // Else zig adds checks of its own.
      const plain = [optimization, '-g0', '-fno-sanitize=all', '-S', '-emit-llvm'];
      const files = await mapLimited(sources, 2, async (source) => {
        const file = join(directory, `${source.replaceAll('/', '_')}.ll`);
        // Relative: zig does not find a file with a quotation mark in its path.
        const place = relative(ROOT, root);
        const include = `-I${join(place, 'native')}`;
        await zig('c++', include, ...flags, ...plain, join(place, source), '-o', file);
        return [source, file];
      });
      return new Map(files);
    },
    readCallGraph: ir.readCallGraph,
  },
};

/**
 * A mistake in one line that the handler or the watcher comes to, and what must be said about it. One
 * in a header is compiled in one of the sources that include it.
 */
const PLANTS = [
  {
    platform: PLATFORMS.linux,
    law: LAWS.handler,
    file: 'native/linux/wakeup.cc',
    find: 'if (notified_.exchange(1) != 0) return;',
    replace: 'if (notified_.exchange(1) != 0) return; std::printf("notified\\n");',
    include: '<cstdio>',
    found: /printf|puts/,
  },
  {
    platform: PLATFORMS.linux,
    law: LAWS.handler,
    file: 'native/pending.h',
    source: 'native/posix/handler.cc',
    find: 'Slot& slot = slots_[arrival.signum];',
    replace: 'Slot& slot = slots_[arrival.signum]; std::free(std::malloc(1));',
    include: '<cstdlib>',
    found: /malloc/,
  },
  {
    platform: PLATFORMS.linux,
    law: LAWS.handler,
    file: 'native/watcher.cc',
    find: 'void Notify() noexcept { wakeup.Notify(); }',
    replace:
      'void Notify() noexcept { static std::mutex mutex; std::lock_guard lock(mutex); wakeup.Notify(); }',
    include: '<mutex>',
    found: /pthread_mutex_lock/,
  },
  {
    platform: PLATFORMS.linux,
    law: LAWS.handler,
    file: 'native/messenger.cc',
    find: 'void Notify() noexcept { wakeup.Notify(); }',
    replace: 'void Notify() noexcept { wakeup.Notify(); wakeup.Wait(kPatience); }',
    include: '"wakeup.h"',
    found: /Wakeup::Wait\(.*\n.*syscall/,
  },
  {
    platform: PLATFORMS.linux,
    law: LAWS.handler,
    file: 'native/posix/clock.cc',
    find: 'struct timespec now;',
    replace: 'static NoDestroy<int> calls; ++*calls; struct timespec now;',
    include: '"no_destroy.h"',
    found: /__cxa_guard_acquire/,
  },
  {
    platform: PLATFORMS.linux,
    law: LAWS.handler,
    file: 'native/linux/siginfo.cc',
    find: 'arrival->sender_pid = info.si_pid;',
    replace: 'arrival->sender_pid = *new pid_t(info.si_pid);',
    include: '<new>',
    found: /_Znwm|operator new/,
  },
  {
    platform: PLATFORMS.linux,
    law: LAWS.handler,
    file: 'native/linux/siginfo.cc',
    find: 'char executable[512];',
    replace:
      'constexpr size_t kSize = 512; auto* executable = static_cast<char*>(std::malloc(kSize));',
    include: '<cstdlib>',
    found: /ReadSenderName\(.*\n.*malloc/,
  },
  {
    platform: PLATFORMS.linux,
    law: LAWS.handler,
    file: 'native/linux/siginfo.cc',
    find: 'Copy(comm, name);',
    replace: 'if (std::FILE* file = std::fopen("/proc/self/comm", "r")) std::fclose(file);',
    include: '<cstdio>',
    found: /ReadSenderName\(.*\n.*fopen/,
  },
  {
    platform: PLATFORMS.linux,
    law: LAWS.handler,
    file: 'native/linux/siginfo.cc',
    find: 'Copy(comm, name);',
    replace: 'std::snprintf(name, sizeof name, "%ls", L"name");',
    include: '<cstdio>',
    found: /ReadSenderName\(.*\n.*snprintf/,
  },
  ...[
    [
      'syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC)',
      'open(path, O_RDONLY | O_CLOEXEC)',
    ],
    ['syscall(SYS_read, fd, text, size - 1)', 'read(static_cast<int>(fd), text, size - 1)'],
    ['syscall(SYS_close, fd)', 'close(static_cast<int>(fd))'],
  ].map(([find, replace]) => ({
    platform: PLATFORMS.linux,
    law: LAWS.handler,
    file: 'native/linux/proc.h',
    source: 'native/linux/siginfo.cc',
    find,
    replace,
    include: '<fcntl.h>',
    found: /proc::Read\(.*\n.*→ (?:open|read|close),/,
  })),
  {
    platform: PLATFORMS.linux,
    law: LAWS.handler,
    file: 'native/linux/proc.h',
    source: 'native/linux/siginfo.cc',
    find: 'syscall(SYS_readlinkat, AT_FDCWD, path, text, size - 1)',
    replace: 'readlink(path, text, size - 1)',
    include: '<fcntl.h>',
    found: /proc::ReadLink\(.*\n.*→ readlink,/,
  },
  {
    platform: PLATFORMS.linux,
    law: LAWS.watcher,
    file: 'native/posix/thread.cc',
    find: 'static_cast<Thread*>(thread)->Run();',
    replace: 'static_cast<Thread*>(thread)->Run(); delete static_cast<int*>(thread);',
    include: '<new>',
    found: /RunThread\(.*\n.*_ZdlPv/,
  },
  {
    platform: PLATFORMS.linux,
    law: LAWS.watcher,
    file: 'native/watcher.cc',
    find: 'const SignalLimit& limit = signal_limits[signum];',
    replace: 'const SignalLimit& limit = signal_limits[signum]; delete new int(signum);',
    include: '<new>',
    found: /_Znwm|operator new/,
  },
  {
    platform: PLATFORMS.linux,
    law: LAWS.watcher,
    file: 'native/watcher.cc',
    find: 'messenger::Explain(line, detail);',
    replace:
      'Thread other; other.Start([](void*) { messenger::Explain(line, messenger::Detail::kStack); }, nullptr);',
    include: '"thread.h"',
    found: /pthread_create/,
  },
  {
    platform: PLATFORMS.linux,
    law: LAWS.watcher,
    file: 'native/messenger.cc',
    find: 'explanation.line = line;',
    replace: 'explanation.line = line; CallEventLoop();',
    include: '<mutex>',
    found: /CallEventLoop\(\)[^]*napi_call_threadsafe_function/,
  },
  {
    platform: PLATFORMS.linux,
    law: LAWS.watcher,
    file: 'native/pid_file_claims.cc',
    find: 'void PidFileClaims::RemoveAtOnce() {',
    replace: 'void PidFileClaims::RemoveAtOnce() { mutex_.lock(); mutex_.unlock();',
    include: '<mutex>',
    found: /pthread_mutex_lock/,
  },
  {
    platform: PLATFORMS.linux,
    law: LAWS.watcher,
    file: 'native/posix/end.cc',
    find: 'const TtyReset reset = tty_reset.load();',
    replace: 'PrepareTerminalReset(); const TtyReset reset = tty_reset.load();',
    include: '<dlfcn.h>',
    found: /dlsym/,
  },
  {
    platform: PLATFORMS.linux,
    law: LAWS.watcher,
    file: 'native/linux/main_thread.cc',
    find: 'struct timespec used;',
    replace:
      'if (std::FILE* file = std::fopen("/proc/stat", "r")) std::fclose(file); struct timespec used;',
    include: '<cstdio>',
    found: /LookAtIt\(\)\n.*fopen/,
  },
  {
    platform: PLATFORMS.macos,
    law: LAWS.handler,
    file: 'native/darwin/wakeup.cc',
    find: 'if (notified_.exchange(1) == 0)',
    replace: 'std::free(std::malloc(1)); if (notified_.exchange(1) == 0)',
    include: '<cstdlib>',
    found: /malloc/,
  },
  {
    platform: PLATFORMS.macos,
    law: LAWS.handler,
    file: 'native/darwin/siginfo.cc',
    find: 'arrival->origin = Origin::kKernel;',
    replace: 'arrival->origin = Origin::kKernel; std::printf("from the kernel\\n");',
    include: '<cstdio>',
    found: /printf|puts/,
  },
  {
    platform: PLATFORMS.macos,
    law: LAWS.handler,
    file: 'native/darwin/siginfo.cc',
    find: 'struct proc_bsdshortinfo info;',
    replace: 'struct proc_bsdshortinfo info; proc_name(static_cast<int>(pid), name, sizeof name);',
    include: '<libproc.h>',
    found: /ReadSenderName\(.*\n.*proc_name/,
  },
  {
    platform: PLATFORMS.macos,
    law: LAWS.watcher,
    file: 'native/darwin/main_thread.cc',
    find: 'thread_basic_info_data_t info;',
    replace: 'thread_basic_info_data_t info; delete new int(0);',
    include: '<new>',
    found: /_Znwm|operator new/,
  },
  ...[PLATFORMS.linux, PLATFORMS.macos].map((platform) => ({
    platform,
    law: LAWS.handler,
    file: 'native/posix/handler.cc',
    find: 'messenger::Notify();',
    replace: 'void (*volatile notify)() = messenger::Notify; notify();',
    include: '"messenger.h"',
    found: /through a pointer/,
  })),
];

const BUILT = [
  'build/Release/daemoniker.node',
  ...TARGETS.filter(({ gypOs }) => gypOs === 'linux').map(({ file }) => `prebuilds/${file}`),
];

const scratch = mkdtempSync(join(tmpdir(), 'daemoniker-signal-safety-'));
let passed = 0;
let failed = 0;
try {
  /** By platform, compiled last: without optimization. */
  const unbroken = new Map();
  for (const [name, platform] of Object.entries(PLATFORMS)) {
    for (const optimization of platform.optimizations) {
      const compiled = await compileAll(platform, ROOT, optimization, platform.sources);
      unbroken.set(platform, compiled);
      for (const [part, law] of Object.entries(LAWS)) {
        const { problems, functions, used } = await examine(platform, compiled, law);
        report(
          problems,
          `${name}, ${optimization}: the ${part} reaches ${functions} of our functions, and ` +
            [...used].sort().join(', '),
        );
      }
    }
  }
  report(otherHandlers(), 'no other function is installed as a signal handler');
  await examineBinding(unbroken.get(PLATFORMS.linux));
  for (const plant of PLANTS) await mustNotice(plant, unbroken.get(plant.platform));
} finally {
  rmSync(scratch, { recursive: true });
}
console.log(`${passed} passed, ${failed} failed: checks of signal safety`);
process.exit(failed > 0 ? 1 : 0);

function report(problems, success) {
  if (problems.length === 0) {
    passed += 1;
    console.log(success);
  } else {
    failed += 1;
    for (const problem of problems) console.error(problem);
  }
}

/** What the compiler made, by the sources. */
function compileAll(platform, root, optimization, sources) {
  const directory = mkdtempSync(join(scratch, 'compiled-'));
  return platform.compile(sources, directory, optimization, root);
}

async function examine(platform, compiled, { starts, allowed }) {
  const nodes = await platform.readCallGraph([...compiled.values()]);
  const names = await demangle([...nodes.values()].map(({ name }) => name));
  const nameOf = (name) => names.get(name) ?? name;
  const ways = new Map();
  for (const start of starts) {
    const found = [...nodes].filter(([, { name }]) => start.test(nameOf(name)));
    if (found.length !== 1) throw new Error(`${found.length} functions are ${start}`);
    const [[key, { name }]] = found;
    ways.set(key, [nameOf(name)]);
  }

  const problems = [];
  const used = new Set();
  let functions = 0;
  for (const [key, way] of ways) {
    const { name, references, callsPointers } = nodes.get(key);
    const caller = nameOf(name);
    if (!name.startsWith('.')) functions += 1;
    if (callsPointers && !allowed.mayCallPointers.some(({ pattern }) => pattern.test(caller))) {
      problems.push(`${way.join('\n  → ')}\n  calls through a pointer`);
    }
    for (const reference of references) {
      if (nodes.has(reference)) {
        const next = nameOf(nodes.get(reference).name);
        if (!ways.has(reference)) ways.set(reference, [...way, next]);
      } else if (isAllowed(reference, caller, allowed)) {
        used.add(reference);
      } else {
        problems.push(`${way.join('\n  → ')}\n  → ${reference}, which is not allowed here`);
      }
    }
  }
  return { problems, functions, used };
}

function isAllowed(name, caller, { functions, patterns }) {
  if (!Object.hasOwn(functions, name)) return patterns.some(({ pattern }) => pattern.test(name));
  const { by } = functions[name];
  return by === undefined || by.some((pattern) => pattern.test(caller));
}

async function demangle(names) {
  const file = join(scratch, 'names');
  writeFileSync(file, names.join('\n'));
  const { stdout } = await run('sh', ['-c', 'c++filt < "$0"', file]);
  const demangled = stdout.split('\n');
  return new Map(names.map((name, index) => [name, demangled[index]]));
}

/** The walk begins at one handler: nothing else may be installed as one. */
function otherHandlers() {
  const installed =
    /(?:sa_sigaction|sa_handler) = (?!handler::Handle;|SIG_DFL;|SIG_IGN;).*|\bsignal\(\w+,.*/g;
  const sources = new Set(Object.values(PLATFORMS).flatMap((platform) => platform.sources));
  return [...sources].flatMap((source) =>
    (readFileSync(join(ROOT, source), 'utf8').match(installed) ?? []).map(
      (line) => `${source}: ${line} installs a handler that is not examined`,
    ),
  );
}

/** The addon as it is linked here, and those that have been built. */
async function examineBinding(objects) {
  const link = async (ldflags) => {
    const addon = join(scratch, 'daemoniker.node');
    await run(COMPILER, [...objects.values(), '-shared', '-pthread', ...ldflags, '-o', addon]);
    return addon;
  };
  const late = 'symbols are looked up only when they are first used, which may be in the handler';
  const asIs = await isBoundWhenLoaded(await link(gyp.ldflags));
  report(asIs ? [] : [`linked as binding.gyp says: ${late}`], 'bound when loaded: binding.gyp');
  for (const built of BUILT.filter((file) => existsSync(join(ROOT, file)))) {
    const isBound = await isBoundWhenLoaded(join(ROOT, built));
    report(isBound ? [] : [`${built}: ${late}`], `bound when loaded: ${built}`);
  }
  // Some linkers do it unasked.
  const lazy = gyp.ldflags.map((flag) => flag.replace('-z,now', '-z,lazy'));
  report(
    (await isBoundWhenLoaded(await link(lazy))) ? ['not noticed: -z lazy in binding.gyp'] : [],
    'noticed when planted: -z lazy in binding.gyp',
  );
}

/** ld(1), -z now; the dynamic section as `readelf --dynamic` shows it. */
async function isBoundWhenLoaded(addon) {
  const { stdout } = await run('readelf', ['--wide', '--dynamic', addon]);
  return /\((?:FLAGS\) +.*\bBIND_NOW\b|FLAGS_1\) +.*\bNOW\b|BIND_NOW\))/.test(stdout);
}

async function mustNotice(plant, unbroken) {
  const { platform, law, file, source = file, find, replace, include, found } = plant;
  const root = mkdtempSync(join(scratch, 'planted-'));
  mkdirSync(join(root, 'native'));
  cpSync(join(ROOT, 'native'), join(root, 'native'), { recursive: true });
  const before = readFileSync(join(root, file), 'utf8');
  if (before.split(find).length < 2) throw new Error(`${file} does not say: ${find}`);
  const planted = before
    .replace(find, replace)
    .replace('#include', `#include ${include}\n#include`);
  writeFileSync(join(root, file), planted);
  const mistaken = await compileAll(platform, root, '-O0', [source]);
  const { problems } = await examine(platform, new Map([...unbroken, ...mistaken]), law);
  const noticed = problems.some((problem) => found.test(problem));
  report(
    noticed ? [] : [`not noticed: ${file}: ${replace}\n${problems.join('\n')}`],
    `noticed when planted: ${file}: ${replace}`,
  );
}
