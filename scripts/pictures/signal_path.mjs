// The path of a signal through the files: docs/how-it-works.md.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support/run.mjs';
import { Drawing } from './drawing.mjs';

const WIDTH = 760;
const LANE_X = 12;
const INNER = 30;

export function drawSignalPath(mode) {
  const drawing = new Drawing(mode, {
    width: WIDTH,
    height: 690,
    title: 'The path of a signal, from the operating system to your handler',
    description: [
      'A signal, or on Windows a console event, an end of the session or a message in a pipe, runs native code',
      'on any thread: native/posix/handler.cc or native/win32/dispositions.cc. It records the arrival in',
      'native/pending.h, wakes the messenger thread, reads the name of the sender, and wakes the watcher thread if',
      'the signal has a limit. The messenger, native/messenger.cc, calls a thread-safe function. On the event loop',
      'lib/registry.ts takes the earliest pending arrival and gives it to lib/signal_handler.ts, which calls your',
      'handler. Meanwhile the watcher, native/watcher.cc, compares what is pending with the limits. If a limit',
      'passes, it lets the messenger say why on stderr, and ends the process through native/end.h.',
    ].join(' '),
  });
  const { colours } = drawing;

  lane(10, 92, 'operating system');
  box(INNER, 40, 340, ['signal'], ['Linux, macOS: kill(2), the terminal, a timer'], {
    isFile: false,
  });
  box(
    390,
    40,
    340,
    ['console event, end of session, pipe'],
    ['Windows: send() writes to the pipe'],
    { isFile: false },
  );

  lane(130, 92, 'any thread');
  box(INNER, 160, 340, ['native/posix/handler.cc'], ['async-signal-safe calls only']);
  box(390, 160, 340, ['native/win32/dispositions.cc'], ['the same for the sources on Windows']);
  arrow([
    [200, 92],
    [200, 160],
  ]);
  arrow([
    [560, 92],
    [560, 160],
  ]);

  lane(284, 112, 'native thread', 248);
  lane(284, 112, 'native thread', 248, 500);
  box(INNER, 314, 216, ['native/messenger.cc'], ['calls a thread-safe', 'function (Node-API)']);
  box(272, 314, 216, ['native/pending.h'], ['one slot for each signal:', 'who, when, how often'], {
    radius: 0,
  });
  box(514, 314, 216, ['native/watcher.cc'], ['compares what is pending', 'with its limits'], {
    colour: 'red',
  });
  arrow(
    [
      [104, 222],
      [104, 314],
    ],
    ['wakes', 'the messenger'],
    248,
  );
  arrow(
    [
      [290, 222],
      [290, 314],
    ],
    ['records the arrival,', 'and who sent it'],
    248,
  );
  arrow(
    [
      [560, 222],
      [560, 314],
    ],
    ['wakes the watcher,', 'if there is a limit'],
    248,
  );
  arrow([
    [488, 349],
    [514, 349],
  ]);

  lane(440, 236, 'event loop, main thread', 476);
  box(
    INNER,
    470,
    440,
    ['lib/registry.ts'],
    ['the earliest pending arrival, to the newest running handler'],
  );
  box(
    INNER,
    546,
    440,
    ['lib/signal_handler.ts'],
    ['SignalHandler1; lib/shutdown.ts runs the hooks'],
  );
  box(INNER, 622, 440, ['your handler'], [], { colour: 'green', isFile: false });
  arrow(
    [
      [104, 384],
      [104, 470],
    ],
    ['something is pending'],
    422,
  );
  arrow(
    [
      [290, 384],
      [290, 470],
    ],
    ['one arrival at a time'],
    422,
  );
  arrow([
    [250, 522],
    [250, 546],
  ]);
  arrow([
    [250, 598],
    [250, 622],
  ]);

  const end = [
    'ends the process, even if',
    'the event loop is blocked;',
    'the messenger has 100 ms',
    'to say why on stderr',
  ];
  box(514, 470, 216, ['native/end.h'], end, { colour: 'red' });
  arrow(
    [
      [560, 384],
      [560, 470],
    ],
    ['a limit has passed'],
    422,
    'red',
  );
  return String(drawing);

  function lane(y, height, name, width = WIDTH - 2 * LANE_X, x = LANE_X) {
    drawing.box(x, y, width, height, { fill: 'none', dashed: true, radius: 10 });
    drawing.text(x + width - 18, y + 20, name, {
      size: 12,
      colour: colours.muted,
      bold: true,
      anchor: 'end',
    });
  }

  /** A name and what it does. A file must exist. */
  function box(x, y, width, [name], notes, { colour, isFile = true, radius = 6 } = {}) {
    if (isFile && !existsSync(join(ROOT, name))) throw new Error(`there is no ${name}`);
    const height = 34 + notes.length * 18;
    drawing.box(x, y, width, height, { stroke: colours[colour] ?? colours.line, radius });
    const inside = { on: colours.panel, anchor: 'middle', max: width - 12 };
    const family = isFile ? 'mono' : 'sans';
    drawing.text(x + width / 2, y + 22, name, { ...inside, size: 13, family, bold: true });
    notes.forEach((note, index) => {
      const font = { ...inside, size: 12.5, colour: colours.muted };
      drawing.text(x + width / 2, y + 41 + index * 18, note, font);
    });
  }

  /** `lines` beside it, the first at the height `y`. */
  function arrow(points, lines = [], y = 0, colour = undefined) {
    drawing.arrow(points, { colour: colours[colour] });
    lines.forEach((line, index) => {
      const font = { size: 12.5, colour: colours[colour ?? 'muted'] };
      drawing.text(points[0][0] + 9, y + index * 18, line, font);
    });
  }
}
