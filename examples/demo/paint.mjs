// Colours, on a terminal that has them and where NO_COLOR does not forbid them.
import * as util from 'node:util';

// Node.js 18 has no styleText().
const hasColours = util.styleText !== undefined && process.stdout.hasColors?.() === true;

export function paint(style, text) {
  return hasColours ? util.styleText(style, text) : text;
}
