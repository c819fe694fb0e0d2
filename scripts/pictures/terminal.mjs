// A daemon that is stuck, stopped from another terminal: its source, and what both terminals show.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support/run.mjs';
import { Drawing, widthOf } from './drawing.mjs';

const COLUMNS = 64;
const FONT = { size: 15, family: 'mono' };
const LINE = 22;
const BAR = 30;
const PADDING = 16;
const GAP = 14;
const GUTTER = widthOf('9  ', FONT);
const WIDTH = 2 * PADDING + widthOf(' '.repeat(COLUMNS), FONT) + GUTTER;

/** `recording`: see recording.mjs. */
export function drawTerminal(mode, { daemon, stop, exitCode }) {
  const source = readFileSync(join(ROOT, 'examples/demo/blocked.mjs'), 'utf8')
    .trimEnd()
    .split('\n');
  const stuck = Number(/blocked\.mjs:(\d+)/.exec(daemon.join('\n'))[1]);
  // When each appears, in seconds. The daemon gets 500 ms.
  const output = (at, lines) => lines.flatMap(wrap).map((text) => ({ text, at }));
  const typed = (at, text) => ({ text: `$ ${text}`, at, isTyped: true });
  const panes = [
    { title: 'blocked.mjs', lines: source.map((text) => ({ text })), isSource: true },
    {
      title: 'terminal 1',
      lines: [
        typed(0.3, 'node blocked.mjs'),
        ...output(3, daemon),
        typed(3.6, 'echo $?'),
        ...output(4.2, [exitCode]),
      ],
    },
    {
      title: 'terminal 2',
      lines: [typed(1.3, 'npx daemoniker stop blocked.pid'), ...output(3.05, stop)],
    },
  ];
  const height = (pane) => BAR + pane.lines.length * LINE + PADDING;
  const drawing = new Drawing(mode, {
    width: WIDTH,
    height: panes.reduce((sum, pane) => sum + height(pane) + GAP, 2 - GAP),
    title: 'A daemon that is stuck in while (true), stopped from another terminal',
    description: [
      `The daemon, blocked.mjs, never returns to its event loop because of line ${stuck}.`,
      `Its terminal says, after "npx daemoniker stop blocked.pid" in another one: ${daemon.join(' ').replaceAll(/ +/g, ' ')}.`,
      `Its exit code is ${exitCode}. The other terminal says: ${stop.join(' ')}.`,
    ].join(' '),
  });
  const { colours } = drawing;
  const animations = new Map();

  let top = 1;
  for (const pane of panes) {
    drawing.box(1, top, WIDTH - 2, height(pane), { radius: 8 });
    drawing.text(PADDING, top + 21, pane.title, {
      size: 13,
      colour: colours.muted,
      on: colours.panel,
    });
    pane.lines.forEach((line, index) =>
      drawLine(pane, line, index, top + BAR + (index + 1) * LINE - 6),
    );
    top += height(pane) + GAP;
  }
  drawing.style(
    `${KEYFRAMES}\n@media (prefers-reduced-motion: no-preference) {\n${[...animations.values()].join('\n')}\n}`,
  );
  return String(drawing);

  function drawLine({ isSource = false }, { text, at, isTyped = false }, index, y) {
    const font = { ...FONT, on: colours.panel };
    if (isSource) {
      drawing.text(PADDING, y, String(index + 1), { ...font, colour: colours.muted });
    }
    if (text === '') return;
    const colour =
      isSource && index + 1 === stuck ? colours.red : colourOf(text, { isTyped, stuck }, colours);
    const x = isSource ? PADDING + GUTTER : PADDING;
    if (isSource) return drawing.text(x, y, text, { ...font, colour });
    const { name, css } = animationOf(text, at, isTyped);
    animations.set(name, css);
    drawing.text(x, y, text, { ...font, colour, className: name });
  }
}

function colourOf(text, { isTyped, stuck }, colours) {
  if (isTyped) return colours.blue;
  if (text.includes(`blocked.mjs:${stuck}:`)) return colours.red;
  return text.includes('(node:internal/') ? colours.muted : colours.text;
}

/** As a terminal does it. */
function wrap(text) {
  return text.match(new RegExp(`.{1,${COLUMNS}}`, 'g'));
}

/** Its class. Without motion, or without styles, everything is there from the beginning. */
function animationOf(text, at, isTyped) {
  const [how, seconds] = isTyped
    ? [`type steps(${text.length})`, text.length / 35]
    : ['show', 0.01];
  const name = `at${String(at).replace('.', '-')}`;
  return { name, css: `.${name} { animation: ${how} ${seconds.toFixed(2)}s ${at}s both; }` };
}

const KEYFRAMES = `@keyframes type { from { clip-path: inset(0 100% 0 0); } }
@keyframes show { from { visibility: hidden; } }`;
