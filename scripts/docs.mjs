// npm run docs: writes the API reference, docs/api/README.md, from the doc comments in lib/.
// npm run docs:check: fails, naming the first line that differs, when it is not what they say now.
//
// typedoc.json makes an export without a doc comment, and a link that leads nowhere, an error.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Application, Converter } from 'typedoc';
import { MarkdownPageEvent } from 'typedoc-plugin-markdown';
import { condense } from './docs/condense.mjs';
import { ROOT } from './support/run.mjs';

process.chdir(ROOT);
const reference = join(ROOT, 'docs', 'api', 'README.md');
const checks = process.argv.includes('--check');
const scratch = mkdtempSync(join(tmpdir(), 'daemoniker-docs-'));
try {
  const out = checks ? scratch : join(ROOT, 'docs', 'api');
  const app = await Application.bootstrapWithPlugins({ out, logLevel: 'Warn' });
  // Members are documented once, where they are declared.
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    for (const reflection of Object.values(project.reflections)) {
      if (reflection.inheritedFrom !== undefined) project.removeReflection(reflection);
    }
  });
  app.renderer.on(MarkdownPageEvent.END, (page) => {
    page.contents = condense(page.contents);
  });
  const project = await app.convert();
  if (project !== undefined) {
    app.validate(project);
    await app.generateOutputs(project);
  }
  if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exitCode = 1;
  else if (checks) compare(readFileSync(join(scratch, 'README.md'), 'utf8'));
} finally {
  rmSync(scratch, { recursive: true });
}

function compare(wanted) {
  const is = read(reference).split('\n');
  const at = wanted.split('\n').findIndex((line, index) => line !== is[index]);
  if (at < 0 && wanted.length === is.join('\n').length) {
    console.log('docs/api/README.md is what the doc comments say');
    return;
  }
  console.error(
    `docs/api/README.md is not what the doc comments say, from line ${at + 1} on. Run "npm run docs".`,
  );
  process.exitCode = 1;
}

function read(path) {
  try {
    return readFileSync(path, 'utf8').replaceAll('\r\n', '\n');
  } catch {
    return '';
  }
}
