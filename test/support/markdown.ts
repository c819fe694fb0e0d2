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
  for (let at = 0; at < lines.length; at++) {
    const fence = /^(\s*)```(\w*)/.exec(lines[at] as string);
    if (fence === null) continue;
    const end = lines.indexOf(`${fence[1]}\`\`\``, at + 1);
    const code = lines.slice(at + 1, end).join('\n');
    blocks.push({ file, line: at + 2, language: fence[2] as string, code });
    at = end;
  }
  return blocks;
}
