// Prints the table of platforms and runtimes, made of what `npm run prebuild:all`,
// `npm run test:runtimes` and `npm run test:windows` last found out, and keeps it in
// docs/platforms.md. With --check it only says whether the file is up to date.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TARGETS } from './prebuild/targets.mjs';
import { RUNTIMES, WINDOWS_RUNTIMES } from './runtimes/runtimes.mjs';
import { readResults } from './support/results.mjs';
import { ROOT } from './support/run.mjs';

const DOCUMENT = join(ROOT, 'docs', 'platforms.md');
const BEGIN = '<!-- begin: written by npm run platforms -->';
const END = '<!-- end: written by npm run platforms -->';

const binaries = readResults('binaries');
const runtimes = readResults('runtimes');
const { limits } = JSON.parse(
  readFileSync(join(ROOT, 'test', 'support', 'known-limits.json'), 'utf8'),
);

const ran = [...RUNTIMES, ...WINDOWS_RUNTIMES].map(({ name, binary, how }) => ({
  ...runtimes[name],
  name,
  binary,
  how,
}));

const rows = [];
let bad = 0;
for (const { name, file } of TARGETS) {
  const binary = binaries[name];
  const checked =
    binary === undefined ? 'not built' : binary.problem ? 'fails the check' : 'checked';
  if (checked !== 'checked') bad += 1;
  const on = ran.filter((result) => result.binary === name);
  for (const result of on) {
    rows.push([name, result.name, result.how, outcome(result), size(binary)]);
  }
  if (on.length === 0) {
    rows.push([name, '', 'format checked only', checked, size(binary)]);
  } else if (checked !== 'checked') {
    rows.push([name, '', `prebuilds/${file}`, checked, '']);
  }
}

function outcome({ passed, limits: known = [], problems }) {
  if (passed === undefined) {
    bad += 1;
    return 'not run';
  }
  if (problems > 0) {
    bad += 1;
    return 'fails';
  }
  return known.length === 0 ? 'passes' : 'passes but for known limits';
}

function size(binary) {
  return binary?.facts === undefined ? '' : `${Math.ceil(binary.facts.bytes / 1024)} KB`;
}

const heads = ['binary', 'runtime', 'how verified', 'result'];
const table = [heads, heads.map(() => '---'), ...rows.map((row) => row.slice(0, 4))];
const limitRows = limits.map(({ runtimes: names, because, source, tests }) => [
  names.join(', '),
  `${because} (${source})`,
  tests.join('; '),
]);
const generated = [
  markdown(table),
  '',
  'What a runtime cannot do, whatever this package does. Each is a test that is known to fail there; ' +
    'the run fails when one starts to pass:',
  '',
  markdown([['runtimes', 'because', 'tests'], ['---', '---', '---'], ...limitRows]),
].join('\n');

const before = existsSync(DOCUMENT) ? readFileSync(DOCUMENT, 'utf8') : `${BEGIN}\n${END}\n`;
const [head, rest] = before.split(BEGIN);
const tail = rest?.split(END)[1];
if (tail === undefined) throw new Error(`docs/platforms.md has lost its marks, ${BEGIN}`);
const after = `${head}${BEGIN}\n\n${generated}\n\n${END}${tail}`;

console.log(text([[...heads, 'size'], ...rows]));
if (process.argv.includes('--check')) {
  if (after !== before) {
    console.error('docs/platforms.md says something else: npm run platforms writes it again.');
    bad += 1;
  }
} else {
  writeFileSync(DOCUMENT, after);
}
console.log(`${rows.length - Math.min(bad, rows.length)} passed, ${bad} failed: rows of the table`);
process.exit(bad > 0 ? 1 : 0);

function markdown(lines) {
  const widths = lines[0].map((_, i) =>
    Math.max(...lines.map((cells) => (cells[i] === '---' ? 3 : cells[i].length))),
  );
  return lines
    .map((cells) => {
      const padded = cells.map((cell, i) =>
        cell === '---' ? '-'.repeat(widths[i]) : cell.padEnd(widths[i]),
      );
      return `| ${padded.join(' | ')} |`;
    })
    .join('\n');
}

function text(lines) {
  const widths = lines[0].map((_, i) => Math.max(...lines.map((cells) => cells[i].length)));
  return lines
    .map((cells) =>
      cells
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
