// Fails if the signal handler can reach a function that signal-safety(7) does not allow: walks the
// call graph of the compiled sources from the handler through our own functions, and compares what
// it leaves them for with scripts/signal-safety/allowed.mjs. Once optimized as the addon is, save that
// functions stay apart, and once not at all, where nothing has been left out. macOS's sources are
// compiled to LLVM's intermediate representation and walked there. Then it proves that it would
// notice: each of several mistakes is planted in a copy of the sources and must be found.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { compilerFlags } from './prebuild/build.mjs';
import { TARGETS } from './prebuild/targets.mjs';
import { readGyp, zig } from './prebuild/toolchain.mjs';
import * as elf from './signal-safety/elf_call_graph.mjs';
import * as ir from './signal-safety/ir_call_graph.mjs';
import { ALLOWED, ALLOWED_PATTERNS, MAY_CALL_POINTERS } from './signal-safety/allowed.mjs';
import { compile, gyp } from './support/compile.mjs';
import { ROOT, mapLimited, run } from './support/run.mjs';

const HANDLER = 'daemoniker::signal_source::(anonymous namespace)::Handle(';

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

/** A mistake in one line of the handler's way, and what must be said about it. */
const PLANTS = [
  {
    platform: PLATFORMS.linux,
    file: 'native/linux/wakeup.cc',
    find: 'const uint64_t one = 1;',
    replace: 'const uint64_t one = 1; std::printf("notified\\n");',
    include: '<cstdio>',
    found: /printf|puts/,
  },
  {
    platform: PLATFORMS.linux,
    file: 'native/pending_signals.h',
    find: 'Slot& slot = slots_[arrival.signum];',
    replace: 'Slot& slot = slots_[arrival.signum]; std::free(std::malloc(1));',
    include: '<cstdlib>',
    found: /malloc/,
  },
  {
    platform: PLATFORMS.linux,
    file: 'native/dispatcher.cc',
    find: 'pending.Record(arrival);',
    replace: 'static std::mutex mutex; std::lock_guard lock(mutex); pending.Record(arrival);',
    include: '<mutex>',
    found: /pthread_mutex_lock|__gthread/,
  },
  {
    platform: PLATFORMS.linux,
    file: 'native/posix/clock.cc',
    find: 'struct timespec now;',
    replace: 'static NoDestroy<int> calls; ++*calls; struct timespec now;',
    include: '"no_destroy.h"',
    found: /__cxa_guard_acquire/,
  },
  {
    platform: PLATFORMS.linux,
    file: 'native/linux/siginfo.cc',
    find: 'arrival->sender_pid = info.si_pid;',
    replace: 'arrival->sender_pid = *new pid_t(info.si_pid);',
    include: '<new>',
    found: /_Znwm|operator new/,
  },
  {
    platform: PLATFORMS.linux,
    file: 'native/posix/signal_source.cc',
    find: 'RecordArrival(arrival);',
    replace: 'void (*volatile record)(const Arrival&) = RecordArrival; record(arrival);',
    include: '"arrival.h"',
    found: /through a pointer/,
  },
  {
    platform: PLATFORMS.macos,
    file: 'native/darwin/wakeup.cc',
    find: 'if (notified_.exchange(true)) return;',
    replace: 'if (notified_.exchange(true)) return; std::free(std::malloc(1));',
    include: '<cstdlib>',
    found: /malloc/,
  },
  {
    platform: PLATFORMS.macos,
    file: 'native/darwin/siginfo.cc',
    find: 'arrival->origin = Origin::kKernel;',
    replace: 'arrival->origin = Origin::kKernel; std::printf("from the kernel\\n");',
    include: '<cstdio>',
    found: /printf|puts/,
  },
  {
    platform: PLATFORMS.macos,
    file: 'native/posix/signal_source.cc',
    find: 'RecordArrival(arrival);',
    replace: 'void (*volatile record)(const Arrival&) = RecordArrival; record(arrival);',
    include: '"arrival.h"',
    found: /through a pointer/,
  },
];

const scratch = mkdtempSync(join(tmpdir(), 'daemoniker-signal-safety-'));
let passed = 0;
let failed = 0;
try {
  /** By platform, compiled without optimization. */
  const unbroken = new Map();
  for (const [name, platform] of Object.entries(PLATFORMS)) {
    for (const optimization of platform.optimizations) {
      const compiled = await compileAll(platform, ROOT, optimization, platform.sources);
      unbroken.set(platform, compiled);
      const { problems, functions, used } = await examine(platform, compiled);
      report(
        problems,
        `${name}, ${optimization}: the handler reaches ${functions} functions of ours, and ` +
          [...used].sort().join(', '),
      );
    }
  }
  report(otherHandlers(), 'no other function is installed as a signal handler');
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

async function examine(platform, compiled) {
  const nodes = await platform.readCallGraph([...compiled.values()]);
  const names = await demangle([...nodes.values()].map(({ name }) => name));
  const nameOf = (name) => names.get(name) ?? name;
  const starts = [...nodes].filter(([, { name }]) => nameOf(name).startsWith(HANDLER));
  if (starts.length !== 1) throw new Error(`${starts.length} functions are ${HANDLER}…)`);

  const problems = [];
  const used = new Set();
  let functions = 0;
  const [[start]] = starts;
  const ways = new Map([[start, [nameOf(nodes.get(start).name)]]]);
  for (const [key, way] of ways) {
    const { name, references, callsPointers } = nodes.get(key);
    if (!name.startsWith('.')) functions += 1;
    if (callsPointers && !MAY_CALL_POINTERS.some(({ pattern }) => pattern.test(nameOf(name)))) {
      problems.push(`${way.join('\n  → ')}\n  calls through a pointer`);
    }
    for (const reference of references) {
      if (nodes.has(reference)) {
        const next = nameOf(nodes.get(reference).name);
        if (!ways.has(reference)) ways.set(reference, [...way, next]);
      } else if (isAllowed(reference)) {
        used.add(reference);
      } else {
        problems.push(`${way.join('\n  → ')}\n  → ${reference}, which is not async-signal-safe`);
      }
    }
  }
  return { problems, functions, used };
}

function isAllowed(name) {
  return Object.hasOwn(ALLOWED, name) || ALLOWED_PATTERNS.some(({ pattern }) => pattern.test(name));
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
    /(?:sa_sigaction|sa_handler) = (?!Handle;|SIG_DFL;|SIG_IGN;).*|\bsignal\(\w+,.*/g;
  const sources = new Set(Object.values(PLATFORMS).flatMap((platform) => platform.sources));
  return [...sources].flatMap((source) =>
    (readFileSync(join(ROOT, source), 'utf8').match(installed) ?? []).map(
      (line) => `${source}: ${line} installs a handler that is not examined`,
    ),
  );
}

async function mustNotice({ platform, file, find, replace, include, found }, unbroken) {
  const root = mkdtempSync(join(scratch, 'planted-'));
  mkdirSync(join(root, 'native'));
  cpSync(join(ROOT, 'native'), join(root, 'native'), { recursive: true });
  const before = readFileSync(join(root, file), 'utf8');
  if (before.split(find).length < 2) throw new Error(`${file} does not say: ${find}`);
  const planted = before
    .replace(find, replace)
    .replace('#include', `#include ${include}\n#include`);
  writeFileSync(join(root, file), planted);
  const sources = file.endsWith('.h') ? ['native/dispatcher.cc'] : [file];
  const mistaken = await compileAll(platform, root, '-O0', sources);
  const { problems } = await examine(platform, new Map([...unbroken, ...mistaken]));
  const noticed = problems.some((problem) => found.test(problem));
  report(
    noticed ? [] : [`not noticed: ${file}: ${replace}\n${problems.join('\n')}`],
    `noticed when planted: ${file}: ${replace}`,
  );
}
