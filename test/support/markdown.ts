// The Markdown files of this repository, and the code in them.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './runtime';

export interface CodeBlock {
  /** Relative to the root of the repository. */
  readonly file: string;
  /** Of its first line of code. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
  /** The file that a comment in its first line names. */
  readonly name: string | undefined;
  /** The heading that it stands below. */
  readonly heading: string;
}

/** What users and contributors read, relative to the root. */
export function documents(): string[] {
  const folders = [
    '.',
    'bench',
    'docs',
    'docs/api',
    'examples',
    '.github',
    '.github/ISSUE_TEMPLATE',
  ];
  return folders
    .filter((folder) => existsSync(join(ROOT, folder)))
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder))
        .filter((name) => name.endsWith('.md'))
        .map((name) => join(folder, name)),
    );
}

export function textOf(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8').replaceAll('\r\n', '\n');
}

export function codeBlocks(file: string): CodeBlock[] {
  const lines = textOf(file).split('\n');
  const blocks: CodeBlock[] = [];
  let heading = '';
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] as string;
    if (/^#+ /.test(line)) heading = line;
    const fence = /^(\s*)```(\w*)/.exec(line);
    if (fence === null) continue;
    const [, indent = '', language = ''] = fence;
    const end = lines.indexOf(`${indent}\`\`\``, at + 1);
    const code = lines
      .slice(at + 1, end)
      .map((text) => (text.startsWith(indent) ? text.slice(indent.length) : text))
      .join('\n');
    const [, name] = /^(?:\/\/|#|rem) ([\w-]+(?:\.[\w-]+)+|Dockerfile)(?![\w/])/.exec(code) ?? [];
    blocks.push({ file, line: at + 2, language, code, name, heading });
    at = end;
  }
  return blocks;
}
