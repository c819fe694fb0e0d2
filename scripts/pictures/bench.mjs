// The first table of bench/README.md as bars.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support/run.mjs';
import { Drawing } from './drawing.mjs';

const WIDTH = 720;
const NAMES = 248; // where they end
const AXIS = { from: 316, to: WIDTH - 24 };
const TOP = 70;
const ROW = 34;

/** `{ machine, rows: [{ name, p50 }] }`, as `npm run bench` has written them. */
export function readFigures(readme = readFileSync(join(ROOT, 'bench', 'README.md'), 'utf8')) {
  const [, section] = readme.split('\n## From kill(2) to the handler');
  const table = /^\|(?:.*\n\|)+.*/m.exec(section)[0].split('\n').slice(2);
  const rows = table.map((line) => {
    const [, name, p50] = line.split('|').map((cell) => cell.trim().replaceAll('`', ''));
    return { name, p50: Number(/^(\d+) µs$/.exec(p50)[1]) };
  });
  return { machine: /^Machine: (.*)\.$/m.exec(readme)[1], rows };
}

export function drawBench(mode, { machine, rows } = readFigures()) {
  const height = TOP + rows.length * ROW + 100;
  const longest = Math.max(...rows.map(({ p50 }) => p50));
  const tick = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((one) => longest / one <= 7);
  const most = Math.ceil(longest / tick) * tick;
  const drawing = new Drawing(mode, {
    width: WIDTH,
    height,
    title: 'From kill(2) to the signal handler: medians, lower is better',
    description: `${rows.map(({ name, p50 }) => `${name}: ${p50} µs`).join('; ')}. Measured on ${machine}.`,
  });
  const { colours } = drawing;
  const at = (p50) => AXIS.from + (p50 / most) * (AXIS.to - AXIS.from);
  const bottom = TOP + rows.length * ROW;

  drawing.text(16, 28, 'From kill(2) to the signal handler', { size: 17, bold: true });
  drawing.text(16, 49, 'Medians, with an idle event loop and the CPUs awake. Lower is better.', {
    size: 13,
    colour: colours.muted,
  });
  for (let value = 0; value <= most; value += tick) {
    drawing.add('path', { d: `M${at(value)} ${TOP}V${bottom + 6}`, stroke: colours.border });
    drawing.text(at(value), bottom + 22, String(value), {
      size: 12,
      colour: colours.muted,
      anchor: 'middle',
    });
  }
  drawing.text((AXIS.from + AXIS.to) / 2, bottom + 42, 'microseconds', {
    size: 12,
    colour: colours.muted,
    anchor: 'middle',
  });
  for (const [index, { name, p50 }] of rows.entries()) {
    const y = TOP + index * ROW + 5;
    const isOurs = name === 'daemoniker';
    const font = { size: 13, anchor: 'end', bold: isOurs };
    drawing.text(NAMES, y + 17, name, { ...font, max: NAMES - 10 });
    drawing.text(AXIS.from - 12, y + 17, `${p50} µs`, font);
    const fill = isOurs ? colours.blue : colours.line;
    drawing.add('rect', {
      x: AXIS.from,
      y,
      width: at(p50) - AXIS.from,
      height: ROW - 10,
      rx: 3,
      fill,
    });
  }
  drawing.add('path', {
    d: `M${AXIS.from} ${TOP}V${bottom + 6}`,
    stroke: colours.line,
    'stroke-width': 1.5,
  });
  const facts = machine.split(', ');
  [facts.slice(0, 2), facts.slice(2)].forEach((line, index) => {
    const font = { size: 12, colour: colours.muted, max: WIDTH - 32 };
    drawing.text(16, bottom + 72 + index * 17, line.join(', '), font);
  });
  return String(drawing);
}
