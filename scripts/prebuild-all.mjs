// Cross-builds the addon for every platform on one Linux machine, into prebuilds/, and checks each
// binary. `npm run prebuild:all -- linux` builds only the targets whose names start so;
// `npm run prebuild:check` checks what is there already, such as what hosted CI built natively.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './prebuild/build.mjs';
import { TARGETS } from './prebuild/targets.mjs';
import { check, headers, readGyp } from './prebuild/toolchain.mjs';
import { recordResults } from './support/results.mjs';
import { ROOT } from './support/run.mjs';

const checkOnly = process.argv.includes('--check-only');
const wanted = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const targets = TARGETS.filter(
  ({ name }) => wanted.length === 0 || wanted.some((prefix) => name.startsWith(prefix)),
);
const { js_native_api_symbols, node_api_symbols } = headers.symbols.v8;
const expectation = {
  macosFloor: (await readGyp('mac')).xcode_settings.MACOSX_DEPLOYMENT_TARGET,
  nodeApi: [...js_native_api_symbols, ...node_api_symbols],
  root: ROOT,
};

let failed = 0;
const results = {};
for (const target of targets) {
  const file = join(ROOT, 'prebuilds', target.file);
  try {
    if (!checkOnly) {
      rmSync(file, { force: true });
      await build(target, file);
    }
    const { problems, facts } = await check(file, { ...expectation, ...target });
    if (problems.length > 0) throw new Error(problems.join('\n'));
    results[target.name] = { file: target.file, facts };
  } catch (error) {
    failed += 1;
    results[target.name] = { file: target.file, problem: error.message };
    console.error(`${target.name}: ${error.message}`);
  }
}
recordResults('binaries', results);
const sizes = Object.values(results).flatMap(({ facts }) => (facts ? [facts.bytes] : []));
console.log(
  `${targets.length - failed} passed, ${failed} failed: binaries ${checkOnly ? '' : 'built and '}checked` +
    (sizes.length > 0 ? `, the largest ${Math.ceil(Math.max(...sizes) / 1024)} KB` : ''),
);
process.exit(failed > 0 ? 1 : 0);
