// npm run pictures: draws the pictures of the documents, docs/pictures/*.svg, in light and dark.
// npm run pictures:check: fails, naming the picture, when one is not what would be drawn now, or when
// the demonstration prints something else than the terminal in the picture shows.
//
// `node scripts/pictures.mjs [--check] <directory>`: the same elsewhere.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { drawBench } from './pictures/bench.mjs';
import { MODES } from './pictures/drawing.mjs';
import { isSame, record } from './pictures/recording.mjs';
import { drawShutdown } from './pictures/shutdown.mjs';
import { drawSignalPath } from './pictures/signal_path.mjs';
import { drawTerminal } from './pictures/terminal.mjs';
import { ROOT } from './support/run.mjs';

const { values, positionals } = parseArgs({
  options: { check: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const [directory = join(ROOT, 'docs', 'pictures')] = positionals;
const recordingFile = join(ROOT, 'scripts', 'pictures', 'recording.json');

const problems = [];
let recording = JSON.parse(read(recordingFile) || 'null');
const now = record();
if (recording === null || !isSame(recording, now)) {
  if (values.check) problems.push('terminal-*.svg: the demonstration prints something else now');
  else {
    recording = now;
    writeFileSync(recordingFile, `${JSON.stringify(recording, null, 2)}\n`);
  }
}

const pictures = {
  terminal: (mode) => drawTerminal(mode, recording ?? now),
  shutdown: drawShutdown,
  'signal-path': drawSignalPath,
  bench: drawBench,
};
if (!values.check) mkdirSync(directory, { recursive: true });
for (const [name, draw] of Object.entries(pictures)) {
  for (const mode of MODES) {
    const file = `${name}-${mode}.svg`;
    const svg = draw(mode);
    if (!values.check) writeFileSync(join(directory, file), svg);
    else if (read(join(directory, file)) !== svg) problems.push(`${file} is out of date`);
  }
}

for (const problem of problems) console.error(problem);
if (problems.length > 0) {
  console.error('Run "npm run pictures".');
  process.exitCode = 1;
} else if (values.check) {
  console.log('all pictures are up to date');
}

function read(path) {
  try {
    return readFileSync(path, 'utf8').replaceAll('\r\n', '\n');
  } catch {
    return '';
  }
}
