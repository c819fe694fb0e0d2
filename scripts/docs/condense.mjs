// Makes the Markdown that typedoc writes shorter, without losing what it says: lists in place of tables,
// and nothing that the signature above has said already.

export function condense(markdown) {
  const text = markdown
    // The signature names the type, which stands before the description, or after it (of a function).
    .replace(
      /^(#+ Returns\n\n)(.*)\n(?:\n(?!#|\*\*\*|>)(.+(?:\n.+)*)\n)?/gm,
      (_, heading, first, second) =>
        second === undefined ? '' : `${heading}${second.startsWith('() =>') ? first : second}\n`,
    )
    .replace(/^#+ (Get|Call) Signature\n\n/gm, '')
    .replace(/^#+ Constructor\n\n/gm, '')
    .replace(/^#+ Extended by\n\n(?:- .*\n)+\n/gm, '')
    .replace(/^#+ (?:Overrides|Inherited from)\n\n.*\n\n/gm, '')
    .replace(/^#+ Extends\n\n- (.*)\n/gm, 'Extends $1.\n')
    .replace(/^(?:\|.*\n)+/gm, toList)
    .replace(/^#+ (Parameters|Returns|Throws)\n\n/gm, '**$1**\n\n')
    .replace(/^\*\*Throws\*\*\n\n(?:(?!#|>|\*\*[PR]).*\n)*/gm, toThrows)
    .replace(/^\*\*\*\n\n/gm, '')
    .replace(/\n{3,}/g, '\n\n');
  const targets = new Set([...text.matchAll(/\]\(#([\w-]+)\)/g)].map(([, target]) => target));
  return text.replace(/<a id="([\w-]+)"><\/a> /g, (anchor, id) => (targets.has(id) ? anchor : ''));
}

/** One item for each of them that follow one another. */
function toThrows(text) {
  const all = text.split('**Throws**\n\n').filter((one) => one !== '');
  const [only] = all;
  if (all.length === 1) return `**Throws** ${only}`;
  return `**Throws**\n\n${all.map((one) => `- ${one.trim()}\n`).join('')}\n`;
}

/** One item for each row. */
function toList(table) {
  const [columns, , ...rows] = table.trim().split('\n').map(toCells);
  const at = (name) => columns.indexOf(name);
  return rows
    .map((cells) => {
      const [name, type] = cells;
      const initial = cells[at('Default value')] ?? '`undefined`';
      const description = cells[at('Description')] ?? '';
      const otherwise =
        initial === '`undefined`' ? '' : ` Default: ${initial.replace(/^`([^`]* [^`]*)`$/, '$1')}.`;
      const text = `${description.replace(/^[-‐]$/, '')}${otherwise}`.trim();
      return `- ${name}: ${type.replaceAll('\\|', '|')}${text === '' ? '' : `. ${text}`}\n`;
    })
    .join('');
}

function toCells(row) {
  return row
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());
}
