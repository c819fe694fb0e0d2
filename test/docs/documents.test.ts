// What the documents show can be copied: programs type-check, commands exist, links lead somewhere.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import * as ts from 'typescript';
import { removeDirectory, temporaryDirectory } from '../support/directory';
import { codeBlocks, documents, textOf, type CodeBlock } from '../support/markdown';
import { onUnix, withTools } from '../support/platform';
import { ROOT } from '../support/runtime';

// The documents are the same everywhere; so once is enough.
onUnix('the documents', () => {
  const blocks = documents().flatMap(codeBlocks);
  const programs = blocks
    .filter(({ language }) => ['js', 'ts'].includes(language))
    // What a channel of node:diagnostics_channel carries has no type.
    .filter(({ name }) => name !== 'watch.mjs');
  const shell = blocks.filter(({ language }) => ['sh', 'bat'].includes(language));

  test('show programs that type-check against the built package, under `strict`', () => {
    expect(programs.length).toBeGreaterThan(10);
    expect(typeErrors(programs)).toEqual([]);
  });

  test('show uses of the command line that it understands', () => {
    const uses = shell.flatMap(({ code }) =>
      [...code.matchAll(/(?:npx|exec) daemoniker ([^#\n&|;]*)/g)].map(([, words]) => words ?? ''),
    );
    expect(uses.length).toBeGreaterThan(3);
    const directory = temporaryDirectory();
    const misunderstood = uses.filter((words) => {
      const args = [join(ROOT, 'dist', 'cli.js'), ...words.trim().split(/\s+/)];
      return spawnSync(process.execPath, args, { cwd: directory }).status === 2;
    });
    removeDirectory(directory);
    expect(misunderstood).toEqual([]);
  });

  test('show configuration files that have names and parse', () => {
    const languages = ['ini', 'conf', 'yaml', 'dockerfile', 'python'];
    const unnamed = blocks.filter(
      ({ language, name }) => languages.includes(language) && name === undefined,
    );
    expect(unnamed).toEqual([]);
    const prettier = join(ROOT, 'node_modules', 'prettier', 'bin', 'prettier.cjs');
    for (const { language, code } of blocks) {
      if (language !== 'json' && language !== 'yaml') continue;
      const parsed = spawnSync(process.execPath, [prettier, '--parser', language], { input: code });
      expect({ code, error: String(parsed.stderr) }).toEqual({ code, error: '' });
      expect(parsed.status).toBe(0);
    }
  });

  test('name for each supervisor the test that runs it, or say that none does', () => {
    const [, table = ''] = textOf('docs/supervisors.md').split('## Each one');
    const rows = (table.split('\n## ')[0] ?? '')
      .split('\n')
      .filter((line) => /^\| (?!-|supervisor )/.test(line))
      .map((line) => line.split('|').map((cell) => cell.trim()))
      .map((cells) => ({ name: cells[1] ?? '', run: cells.at(-2) ?? '' }));
    expect(rows.length).toBeGreaterThan(30);
    const unproven = rows.filter(({ name, run }) => {
      const [, test] = /`(\w+)`$/.exec(run) ?? [];
      if (test === undefined) return !/^not run: ./.test(run);
      const file = ['e2e', 'unit', 'packages']
        .map((folder) => `test/${folder}/${test}.test.ts`)
        .find((path) => existsSync(join(ROOT, path)));
      // These two have the names of the rows.
      const isNamed = !test.startsWith('supervisors') || textOf(file ?? '').includes(`'${name}'`);
      return file === undefined || !isNamed;
    });
    expect(unproven).toEqual([]);
  });

  test('name npm scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = documents().flatMap((file) =>
      [...textOf(file).matchAll(/npm (?:run (?:--?\w+ )*)?([a-z]+(?::[\w-]+)*)/g)]
        .filter(
          ([use, name]) => use.startsWith('npm run') || ['start', 'test'].includes(name ?? ''),
        )
        .map(([, name]) => ({ file, name })),
    );
    expect(named.filter(({ name }) => scripts[name as string] === undefined)).toEqual([]);
  });

  test('link to files, and to headings in them, that exist', () => {
    const dead = documents().flatMap((file) =>
      [...withoutCode(textOf(file)).matchAll(/\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)/g)]
        .map(([link, path, heading]) => ({ file, link, path: path as string, heading }))
        .filter(({ path, heading }) => {
          const target = path === '' ? file : join(dirname(file), path);
          if (!existsSync(join(ROOT, target))) return true;
          return heading !== undefined && !anchors(target).includes(heading);
        })
        .map(({ link }) => `${file}: ${link}`),
    );
    expect(dead).toEqual([]);
  });
});

withTools('systemd-analyze')('units in the documents', () => {
  const units = documents()
    .flatMap(codeBlocks)
    .filter(({ language }) => language === 'ini');

  test('are accepted by systemd', () => {
    expect(units.length).toBeGreaterThan(2);
    for (const unit of units) {
      const directory = temporaryDirectory();
      const [firstLine = ''] = unit.code.split('\n');
      const needed = units.filter(
        ({ file, name = '' }) => file === unit.file && firstLine.includes(name),
      );
      for (const { name = '', code } of [...needed, unit]) {
        // It checks that programs exist; node may be anywhere.
        const text = code.replaceAll(/\/usr\/bin\/(?:node|npx)/g, '/bin/sh');
        writeFileSync(join(directory, name), text);
      }
      const path = join(directory, unit.name ?? '');
      const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], {
        encoding: 'utf8',
      });
      removeDirectory(directory);
      expect(stderr.split('\n').filter((line) => line.includes('my-daemon'))).toEqual([]);
      expect(status).toBe(0);
    }
  });
});

withTools('python3')('programs in Python in the documents', () => {
  test('compile', () => {
    const programs = documents()
      .flatMap(codeBlocks)
      .filter(({ language }) => language === 'python');
    expect(programs.length).toBeGreaterThan(0);
    const compile = 'import sys; compile(sys.stdin.read(), "it", "exec")';
    for (const { code } of programs) {
      expect(spawnSync('python3', ['-c', compile], { input: code })).toMatchObject({ status: 0 });
    }
  });
});

onUnix('docs/troubleshooting.md', () => {
  test('explains every code in lib/: of our errors, and of the system errors that we explain', () => {
    const systems = new Set([...getSystemErrorMap().values()].map(([code]) => code));
    const codes = readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      // What is compared with is not shown for that.
      .map((name) => textOf(join('lib', name)).replaceAll(/[!=]== '\w+'/g, ''))
      .flatMap((text) => text.match(/\bE[A-Z_]+\b/g) ?? [])
      .filter((code) => code.startsWith('ERR_') || systems.has(code));
    const headings =
      textOf('docs/troubleshooting.md')
        .match(/^### .*$/gm)
        ?.join('\n') ?? '';
    const missing = new Set(codes.filter((code) => !headings.includes(`\`${code}\``)));
    expect([...missing]).toEqual([]);
  });
});

function typeErrors(programs: readonly CodeBlock[]): string[] {
  const sources = new Map(
    programs.map((block) => {
      const extension = block.name?.endsWith('.cjs') ? 'cts' : 'mts';
      return [join(ROOT, `${block.file}.${block.line}.${extension}`), block] as const;
    }),
  );
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts', 'lib.esnext.disposable.d.ts'],
    module: ts.ModuleKind.Node16,
    moduleResolution: ts.ModuleResolutionKind.Node16,
    moduleDetection: ts.ModuleDetectionKind.Force,
    types: ['node'],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
  };
  const host = ts.createCompilerHost(options);
  const fileExists = host.fileExists.bind(host);
  const getSourceFile = host.getSourceFile.bind(host);
  host.fileExists = (name) => sources.has(name) || fileExists(name);
  host.getSourceFile = (name, languageVersion, ...rest) => {
    const block = sources.get(name);
    if (block === undefined) return getSourceFile(name, languageVersion, ...rest);
    return ts.createSourceFile(name, typed(block.code), languageVersion, true);
  };
  const program = ts.createProgram([...sources.keys()], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const message = ts.flattenDiagnosticMessageText(messageText, ' ');
    const block = file && sources.get(file.fileName);
    if (file === undefined || block === undefined) return message;
    return `${block.file}:${block.line + file.getLineAndCharacterOfPosition(start).line}: ${message}`;
  });
}

/** `const x = require('y')` has no types in TypeScript; `import x = require('y')` has. */
function typed(code: string): string {
  return code.replace(
    /^const (\{[^}]*\}|\w+) = require\(('[^']+')\);/gm,
    (_, names: string, module: string) =>
      `import type {} from ${module}; const ${names} = null! as typeof import(${module});`,
  );
}

function withoutCode(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '');
}

/** The anchors of a document: those of its headings, as GitHub makes them, and explicit ones. */
function anchors(file: string): string[] {
  const text = textOf(file);
  const seen = new Map<string, number>();
  const ofHeadings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => {
    const anchor = (heading as string)
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    const times = seen.get(anchor) ?? 0;
    seen.set(anchor, times + 1);
    return times === 0 ? anchor : `${anchor}-${times}`;
  });
  return [...ofHeadings, ...[...text.matchAll(/<a id="([^"]+)"/g)].map(([, id]) => id as string)];
}
