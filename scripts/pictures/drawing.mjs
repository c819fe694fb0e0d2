// A drawing in SVG, in the colours of GitHub's light or dark pages. It throws at text that does not fit
// or cannot be read, so a picture that was made has neither.

const PALETTES = {
  light: {
    page: '#ffffff',
    panel: '#f6f8fa',
    border: '#d1d9e0',
    line: '#818b98',
    text: '#1f2328',
    muted: '#59636e',
    blue: '#0969da',
    green: '#1a7f37',
    red: '#cf222e',
    faint: { blue: '#ddf4ff', green: '#dafbe1', red: '#ffebe9' },
  },
  dark: {
    page: '#0d1117',
    panel: '#151b23',
    border: '#3d444d',
    line: '#656c76',
    text: '#f0f6fc',
    muted: '#9198a1',
    blue: '#58a6ff',
    green: '#3fb950',
    red: '#ff7b72',
    faint: { blue: '#10233f', green: '#12261e', red: '#25171c' },
  },
};
export const MODES = Object.keys(PALETTES);

const FAMILIES = {
  sans: "-apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif",
  mono: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace",
};
// Of a letter, as a part of the size. Monospaced text is stretched to it; of other text it is the mean in
// a wide font (DejaVu Sans).
const LETTER = { mono: 0.6, sans: 0.55, bold: 0.61 };
const LEAST_CONTRAST = 4.5; // WCAG 2.2, 1.4.3

export class Drawing {
  #elements = [];
  #styles = '';

  constructor(mode, { width, height, title, description }) {
    this.colours = PALETTES[mode];
    Object.assign(this, { width, height, title, description });
  }

  /** `on`: the colour behind it. `max`: how wide it may be. `className`: for an animation. */
  text(x, y, text, options = {}) {
    const {
      size = 14,
      family = 'sans',
      colour = this.colours.text,
      on = this.colours.page,
    } = options;
    const { anchor = 'start', bold = false, max, className } = options;
    const width = round(widthOf(text, { size, family, bold }));
    const left = { start: x, middle: x - width / 2, end: x - width }[anchor];
    if (width > (max ?? Infinity) || left < 0 || left + width > this.width) {
      throw new Error(`"${text}" does not fit: it is ${width} wide`);
    }
    if (contrast(colour, on) < LEAST_CONTRAST) {
      throw new Error(`"${text}" cannot be read: ${colour} on ${on}`);
    }
    this.add('text', {
      x,
      y,
      class:
        [family === 'mono' ? 'mono' : undefined, className].filter(Boolean).join(' ') || undefined,
      'font-size': size,
      'font-weight': bold ? 600 : undefined,
      fill: colour,
      'text-anchor': anchor === 'start' ? undefined : anchor,
      'xml:space': /^ | {2}/.test(text) ? 'preserve' : undefined,
      ...(family === 'mono' ? { textLength: width, lengthAdjust: 'spacingAndGlyphs' } : {}),
      content: escape(text),
    });
  }

  box(x, y, width, height, options = {}) {
    const { fill = this.colours.panel, stroke = this.colours.border, radius = 6, dashed } = options;
    const dashes = dashed ? '5 4' : undefined;
    this.add('rect', { x, y, width, height, rx: radius, fill, stroke, 'stroke-dasharray': dashes });
  }

  /** Along these points, `[x, y]`, to an arrow-head at the last. */
  arrow(points, { colour = this.colours.line, dashed = false } = {}) {
    const path = points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${x} ${y}`).join('');
    const [[fromX, fromY], [x, y]] = points.slice(-2);
    const [dx, dy] = [Math.sign(x - fromX), Math.sign(y - fromY)];
    const wing = (side) => `${x - 7 * dx + 4.5 * side * dy} ${y - 7 * dy + 4.5 * side * dx}`;
    const dashes = dashed ? '5 4' : undefined;
    this.add('path', {
      d: path,
      fill: 'none',
      stroke: colour,
      'stroke-width': 1.5,
      'stroke-dasharray': dashes,
    });
    this.add('path', { d: `M${x} ${y}L${wing(1)}L${wing(-1)}Z`, fill: colour });
  }

  add(name, { content, ...attributes }) {
    const written = Object.entries(attributes)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => ` ${key}="${typeof value === 'number' ? round(value) : value}"`);
    this.#elements.push(
      `<${name}${written.join('')}${content === undefined ? '/>' : `>${content}</${name}>`}`,
    );
  }

  style(css) {
    this.#styles += `${css}\n`;
  }

  toString() {
    const { width, height, title, description } = this;
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title desc">
<title id="title">${escape(title)}</title>
<desc id="desc">${escape(description)}</desc>
<style>
text { font-family: ${FAMILIES.sans}; }
.mono { font-family: ${FAMILIES.mono}; }
${this.#styles}</style>
${this.#elements.join('\n')}
</svg>
`;
  }
}

export function widthOf(text, { size, family, bold = false }) {
  return text.length * size * LETTER[bold && family === 'sans' ? 'bold' : family];
}

/** https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio */
function contrast(one, other) {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour) {
  const [red, green, blue] = [1, 3, 5]
    .map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

function round(number) {
  return Math.round(number * 100) / 100;
}
