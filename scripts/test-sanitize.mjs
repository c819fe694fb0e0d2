// The addon under sanitizers. Linux, with GCC or clang and its sanitizer libraries.
//
// 1. Everything below JavaScript, with real signals and threads (test/native/stress.cc), under
//    ThreadSanitizer and under AddressSanitizer with UndefinedBehaviorSanitizer. A Node under
//    ThreadSanitizer would be needed for more; the reports about a plain one are about Node.
// 2. Two mistakes planted in copies of the sources, which the sanitizers must notice.
// 3. The end-to-end tests on an addon with AddressSanitizer and UndefinedBehaviorSanitizer: all but those that
//    test/support/sanitizer-limits.json names. `-- delivery` picks some, and
//    `-- --native` leaves them all out.
//
// Nothing is suppressed. Leaks are not looked for: Node frees little when it ends, and never-freed
// statics are intended (native/no_destroy.h); test/e2e/leaks.test.ts measures growth.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COMPILER, compile, gyp } from './support/compile.mjs';
import { ROOT, run, tryRun } from './support/run.mjs';
import { linkVariant, testVariant } from './support/variant.mjs';

const LIMITS = JSON.parse(
  readFileSync(join(ROOT, 'test', 'support', 'sanitizer-limits.json'), 'utf8'),
);
const OUTPUT = join(ROOT, 'build', 'sanitize');
const MEMORY = 'address,undefined';
const FLAGS = {
  thread: ['-Wno-tsan'], // GCC: it does not know atomic_thread_fence(); all it orders is atomic
  [MEMORY]: ['-fno-sanitize-recover=all'],
};
const OPTIONS = {
  TSAN_OPTIONS: 'exitcode=66:report_signal_unsafe=1',
  ASAN_OPTIONS: 'detect_leaks=0:detect_stack_use_after_return=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
};

/** What `stress` does, and how it ends. */
const SCENARIOS = {
  storm: { status: 0 },
  restart: { status: 0 },
  chained: { status: 0 },
  teardown: { status: 0 },
  claims: { status: 0 },
  waits: { status: 0 },
  statuses: { status: 0 },
  pending: { status: 0 },
  condemned: { status: 0 },
  names: { status: 0 },
  environments: { status: 0 },
  deadline: { signal: 'SIGTERM' },
  'exit-deadline': { signal: 'SIGINT' },
  'exit-limits': { signal: 'SIGTERM' },
  shutdowns: { status: 124 },
};

const PLANTS = [
  {
    sanitizer: 'thread',
    file: 'native/pid_file_claims.cc',
    find: 'int PidFileClaims::Report(int claim, FileReport* report) {\n  std::lock_guard<std::mutex> lock(mutex_);',
    replace: 'int PidFileClaims::Report(int claim, FileReport* report) {',
    scenario: 'claims',
    found: /ThreadSanitizer: data race/,
  },
  {
    sanitizer: MEMORY,
    file: 'native/posix/pid_file.cc',
    find: 'pread(fd, buffer, sizeof buffer, 0)',
    // What is read stays right: another thread's check of it would end the process first.
    replace:
      'pread(fd, buffer + sizeof buffer, 1, 0) < 0 ? -1 : pread(fd, buffer, sizeof buffer, 0)',
    scenario: 'claims',
    found: /AddressSanitizer: stack-buffer-overflow/,
  },
];

const wanted = process.argv.slice(2);
let passed = 0;
let failed = 0;
rmSync(OUTPUT, { recursive: true, force: true });
if (wanted.length === 0 || wanted[0] === '--native') {
  const objects = {};
  for (const sanitizer of ['thread', MEMORY]) {
    objects[sanitizer] = await compileStress(sanitizer);
    const stress = await linkStress(sanitizer, sanitizer, objects[sanitizer]);
    for (const scenario of Object.keys(SCENARIOS)) {
      const problem = await tryScenario(stress, scenario);
      report(problem === null, `${scenario} under ${sanitizer}`, problem);
    }
  }
  for (const plant of PLANTS) await mustNotice(plant, objects[plant.sanitizer]);
}
if (wanted[0] !== '--native') await testAddon();
console.log(`${passed} passed, ${failed} failed: sanitizers`);
process.exit(failed > 0 ? 1 : 0);

function report(holds, what, problem) {
  if (holds) passed += 1;
  else failed += 1;
  console.log(`${holds ? 'clean' : 'FAILED'}: ${what}`);
  if (!holds) console.error(problem);
}

function directory(...names) {
  const path = join(OUTPUT, ...names);
  mkdirSync(path, { recursive: true });
  return path;
}

function flagsFor(sanitizer) {
  return ['-O1', '-g', '-fno-omit-frame-pointer', `-fsanitize=${sanitizer}`, ...FLAGS[sanitizer]];
}

function compileStress(sanitizer) {
  // Without the surface for JavaScript.
  const sources = gyp.sources.filter((source) => source !== 'native/addon.cc');
  const drivers = ['test/native/host.cc', 'test/native/stress.cc'];
  return compile([...sources, ...drivers], directory(sanitizer), flagsFor(sanitizer));
}

async function linkStress(name, sanitizer, objects) {
  const unused = join(directory(name), 'unused_node_api.o');
  await run('cc', ['-c', join(ROOT, 'test/native/unused_node_api.c'), '-o', unused]);
  const stress = join(directory(name), 'stress');
  const libraries = ['-Wl,--gc-sections', '-pthread', '-ldl'];
  const all = [...objects.values(), unused, ...libraries];
  await run(COMPILER, [`-fsanitize=${sanitizer}`, ...all, '-o', stress]);
  return stress;
}

/** What went wrong, or null. */
async function tryScenario(stress, scenario) {
  // ThreadSanitizer of GCC 12 knows no address space with 32 random bits (vm.mmap_rnd_bits).
  let stacks = '';
  const { status, signal, stdout, stderr } = await tryRun(
    'setarch',
    ['--addr-no-randomize', stress, scenario],
    {
      env: { ...process.env, ...OPTIONS },
      groupTimeout: 120_000,
      beforeKill: (pid) => (stacks = stacksOf(pid)),
    },
  );
  const expected = SCENARIOS[scenario];
  const asExpected =
    expected.signal === undefined ? status === expected.status : signal === expected.signal;
  const reported = /Sanitizer|runtime error/.test(stderr);
  if (asExpected && !reported) return null;
  return `ended with ${signal ?? `status ${status}`}\n${stdout}${stderr}${stacks}`;
}

/** Where each thread is: by gdb, or, where there is none, what the kernel knows. */
function stacksOf(pid) {
  const gdb = ['-p', String(pid), '-batch', '-ex', 'thread apply all bt 20'];
  const { status, stdout } = spawnSync('gdb', gdb, { encoding: 'utf8', timeout: 60_000 });
  if (status === 0) return stdout;
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks)
    .map((id) => {
      const [stat, waits] = ['stat', 'wchan'].map((name) =>
        readFileSync(join(tasks, id, name), 'utf8').trim(),
      );
      return `thread ${stat.split(' ').slice(0, 3).join(' ')} in ${waits}\n`;
    })
    .join('');
}

async function mustNotice({ sanitizer, file, find, replace, scenario, found }, objects) {
  const root = directory('planted', sanitizer);
  cpSync(join(ROOT, 'native'), join(root, 'native'), { recursive: true });
  const before = readFileSync(join(root, file), 'utf8');
  if (before.split(find).length !== 2) throw new Error(`${file} does not say once: ${find}`);
  writeFileSync(join(root, file), before.replace(find, replace));
  const planted = await compile([file], root, flagsFor(sanitizer), root);
  const all = new Map([...objects, ...planted]);
  const stress = await linkStress(join('planted', sanitizer), sanitizer, all);
  const problem = await tryScenario(stress, scenario);
  const noticed = problem !== null && found.test(problem);
  report(noticed, `${sanitizer} notices a mistake in ${file}`, `not noticed\n${problem}`);
}

async function testAddon() {
  const objects = await compile(gyp.sources, directory('addon', 'objects'), flagsFor(MEMORY));
  // Not GCC's own runtime statically, as the addon otherwise has it: the sanitizers replace parts.
  const flags = [`-fsanitize=${MEMORY}`, '-Wl,-z,nodelete,-z,now'];
  const variant = await linkVariant(objects.values(), directory('addon'), flags);

  const { stdout } = await run(COMPILER, ['-print-file-name=libasan.so']);
  // Not below the root, whose path may have a character in it that ends an option of a sanitizer's.
  const reports = mkdtempSync(join(tmpdir(), 'daemoniker-sanitize-'));
  // Also of processes of another user, which some tests start.
  chmodSync(reports, 0o777);
  const env = {
    ...process.env,
    // Before everything else in each process that loads the addon.
    LD_PRELOAD: stdout.trim(),
    ASAN_OPTIONS: `${OPTIONS.ASAN_OPTIONS}:log_path=${join(reports, 'address')}`,
    UBSAN_OPTIONS: `${OPTIONS.UBSAN_OPTIONS}:log_path=${join(reports, 'undefined')}`,
  };
  const left = Object.keys(LIMITS.files).map((file) => `/${file.replaceAll('.', '\\.')}$`);
  const names = Object.keys(LIMITS.tests).map((name) =>
    name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'),
  );
  const excluded = [
    ...left.flatMap((pattern) => ['--testPathIgnorePatterns', pattern]),
    ...(names.length > 0 ? ['--testNamePattern', `^(?!(?:${names.join('|')})$)`] : []),
  ];
  const which = wanted.length > 0 ? wanted : ['test/e2e'];
  const tests = await testVariant(variant, [...which, ...excluded], env);
  passed += tests.passed;
  failed += tests.failed;
  const said = readdirSync(reports).map((file) => readFileSync(join(reports, file), 'utf8'));
  rmSync(reports, { recursive: true });
  report(said.length === 0, 'the addon in all these processes', said.join('\n'));
}
