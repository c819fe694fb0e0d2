// A bar chart of medians, as SVG: a name, a bar and a figure a row.
const ROW = 30;
const NAMES = 260;
const BARS = 420;
const WIDTH = NAMES + BARS + 80;

/** `rows`: `[{ name, p50 }]`, in microseconds. */
export function toChart(title, rows) {
  const longest = Math.max(...rows.map(({ p50 }) => p50));
  const height = 50 + rows.length * ROW;
  const bars = rows.map(({ name, p50 }, index) => {
    const y = 44 + index * ROW;
    const length = Math.max(1, (p50 / longest) * BARS).toFixed(1);
    const plain = escape(name.replaceAll('`', ''));
    const colour = plain === 'daemoniker' ? '#0969da' : '#8c959f';
    return [
      `<text x="${NAMES - 10}" y="${y + 15}" text-anchor="end">${plain}</text>`,
      `<rect x="${NAMES}" y="${y}" width="${length}" height="${ROW - 8}" rx="3" fill="${colour}"/>`,
      `<text x="${NAMES + Number(length) + 8}" y="${y + 15}">${p50.toFixed(0)} µs</text>`,
    ].join('\n');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13" fill="#1f2328">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="16" y="26" font-size="15" font-weight="bold">${escape(title)}</text>
${bars.join('\n')}
</svg>
`;
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
