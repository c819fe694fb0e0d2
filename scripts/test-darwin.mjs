// What macOS does differently, on Linux: the addon with native/darwin/siginfo.cc and end.cc in place of
// Linux' own, given what XNU would give them (test/native/xnu), and the tests that this can change,
// which take the kernel for XNU (test/support/platform.ts). `-- test/e2e/coalescing` runs others.
//
// What it cannot show: that XNU keeps one sender for all signals of a process, and the rest of
// native/darwin, which needs its system calls.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { compile, gyp } from './support/compile.mjs';
import { ROOT } from './support/run.mjs';
import { linkVariant, testVariant } from './support/variant.mjs';

// The files with a test about a sender, an origin, abort(3) or the end of the process.
const FILES = [
  'abort',
  'any_signal',
  'delivery',
  'environments',
  'handlers',
  'limits',
  'coalescing',
  'raising',
  'restoration',
  'sender',
  'several_handlers',
  'signal_forms',
  'terminal',
].map((name) => `test/e2e/${name}.test.ts`);

const OUTPUT = join(ROOT, 'build', 'darwin');
const OBJECTS = join(OUTPUT, 'objects');
const RENAMED = [
  '-DReadSiginfo=ReadSiginfoOfXnu',
  '-DIsAbortOfThisProcess=IsAbortOfThisProcessOnXnu',
  `-I${join(ROOT, 'test', 'native', 'xnu')}`,
];

rmSync(OUTPUT, { recursive: true, force: true });
mkdirSync(OBJECTS, { recursive: true });
const common = gyp.sources
  .filter((source) => !['native/linux/siginfo.cc', 'native/linux/end.cc'].includes(source))
  .concat('native/darwin/end.cc');
const objects = [
  ...(await compile(common, OBJECTS, [])).values(),
  ...(await compile(['native/darwin/siginfo.cc'], OBJECTS, RENAMED)).values(),
  ...(await compile(['test/native/xnu/siginfo.cc'], OBJECTS, RENAMED.slice(2))).values(),
];
const runtime = ['-static-libstdc++', '-static-libgcc', '-Wl,-z,nodelete,-z,now'];
const variant = await linkVariant(objects, OUTPUT, runtime);
const wanted = process.argv.slice(2);
const { passed, failed } = await testVariant(variant, wanted.length > 0 ? wanted : FILES, {
  DAEMONIKER_TEST_KERNEL: 'xnu',
});
console.log(`${passed} passed, ${failed} failed: as on macOS`);
process.exit(failed > 0 ? 1 : 0);
