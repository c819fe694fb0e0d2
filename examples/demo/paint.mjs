// Colours, on a terminal that has them and where NO_COLOR does not forbid them.
import { styleText } from 'node:util';

const hasColours = process.stdout.hasColors?.() ?? false;

export function paint(style, text) {
  return hasColours ? styleText(style, text) : text;
}
