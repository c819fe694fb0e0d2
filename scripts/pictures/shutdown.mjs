// How a graceful shutdown ends: each row is one, from the signal on the left to the exit on the right.
import { Drawing } from './drawing.mjs';

const WIDTH = 720;
const ROW = 148;
const LEFT = 20;
const END = 516; // of the time
const ENDING = { x: 534, width: WIDTH - 534 - LEFT };
const BAR = 34;

export function drawShutdown(mode) {
  const drawing = new Drawing(mode, {
    width: WIDTH,
    height: 4 * ROW,
    title: 'Four ways in which a graceful shutdown ends',
    description: [
      'SIGTERM or one Ctrl-C: the hooks run, the last added first, and the process exits with code 0.',
      'Ctrl-C again after more than half a second: the process ends at once, by SIGINT, 130 in a shell;',
      'stderr names the hook that was running.',
      'A hook hangs: when the limit has passed, the process ends with exit code 124; stderr names the hook.',
      'The event loop is blocked, so the shutdown never begins: exit code 124; stderr has the stack.',
    ].join(' '),
  });
  const { colours } = drawing;
  const base = { size: 13, family: 'mono' };

  row(0, 'Ctrl-C once, or SIGTERM', {
    signals: [[0, 'SIGINT or SIGTERM']],
    bars: [
      [0, 0.5, 'http', 'green'],
      [0.5, 1, 'database', 'green'],
    ],
    ending: ['exit code 0', 'all hooks have run', 'green'],
    says: [
      'The hooks run one after the other, the last added first.',
      'SIGTERM again changes nothing, nor does Ctrl-C again within 0.5 s.',
    ],
  });
  row(1, 'Ctrl-C again, after more than 0.5 s', {
    signals: [
      [0, 'SIGINT'],
      [1, 'SIGINT again'],
    ],
    bars: [
      [0, 0.4, 'http', 'green'],
      [0.4, 1, 'database …', 'blue'],
    ],
    ending: ['ended by SIGINT', 'at once; 130 in a shell', 'blue'],
    stderr: [
      'daemoniker: SIGINT came again during the shutdown;',
      'still running: database (1.4 s)',
    ],
  });
  row(2, 'A hook hangs: { shutdown: 10_000 }', {
    signals: [
      [0, 'SIGTERM'],
      [1, '10 s'],
    ],
    bars: [
      [0, 0.28, 'http', 'green'],
      [0.28, 1, 'database …', 'red'],
    ],
    ending: ['exit code 124', 'the limit has passed', 'red'],
    stderr: ['daemoniker: shutdown took longer than 10 s;', 'still running: database (7.2 s)'],
  });
  row(3, 'The event loop is blocked: while (true)', {
    signals: [
      [0, 'SIGTERM'],
      [1, '10 s'],
    ],
    bars: [[0, 1, 'no hook can run', 'red']],
    ending: ['exit code 124', 'the stack is on stderr', 'red'],
    stderr: [
      'daemoniker: shutdown took longer than 10 s;',
      'it has not begun, because the event loop is blocked',
    ],
  });
  return String(drawing);

  function row(index, heading, { signals, bars, ending, says = [], stderr = [] }) {
    const top = index * ROW + 8;
    const bar = top + 50;
    const at = (share) => LEFT + share * (END - LEFT);
    drawing.text(LEFT, top + 14, heading, { size: 15, bold: true, max: END });
    for (const [share, name] of signals) {
      const anchor = share === 0 ? 'start' : 'end';
      drawing.text(at(share), top + 38, name, { ...base, colour: colours.muted, anchor });
      drawing.add('path', {
        d: `M${at(share)} ${top + 43}V${bar + BAR + 4}`,
        stroke: colours.line,
        'stroke-width': 2,
      });
    }
    for (const [from, to, name, colour] of bars) {
      const [x, width] = [at(from) + 3, at(to) - at(from) - 6];
      const fill = colours.faint[colour];
      drawing.box(x, bar, width, BAR, { fill, stroke: colours[colour], radius: 5 });
      drawing.text(x + width / 2, bar + 22, name, {
        ...base,
        on: fill,
        anchor: 'middle',
        max: width - 8,
      });
    }
    const [what, why, colour] = ending;
    const middle = ENDING.x + ENDING.width / 2;
    const inside = { anchor: 'middle', max: ENDING.width - 8 };
    drawing.box(ENDING.x, bar - 9, ENDING.width, BAR + 18, { stroke: colours[colour], radius: 8 });
    drawing.text(middle, bar + 12, what, {
      ...inside,
      on: colours.panel,
      bold: true,
      colour: colours[colour],
    });
    drawing.text(middle, bar + 31, why, {
      ...inside,
      on: colours.panel,
      size: 12,
      colour: colours.muted,
    });
    const note = { size: 13, colour: colours.muted, max: WIDTH - 2 * LEFT };
    says.forEach((line, at) => drawing.text(LEFT, bar + 56 + at * 18, line, note));
    if (stderr.length > 0) drawing.text(LEFT, bar + 56, 'stderr', { ...note, size: 12 });
    stderr.forEach((line, at) =>
      drawing.text(LEFT + 52, bar + 56 + at * 18, line, { ...base, colour: colours.muted }),
    );
  }
}
