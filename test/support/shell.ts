/** A command line of these words, for a shell of POSIX. */
export function commandLine(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
}

/** What is in a script of the POSIX shell that supervisors run, which may give it none of our environment. */
export function scriptText(text: string): string {
  // Which binary to load stands there.
  const prebuilds = process.env['PREBUILDS_ONLY'];
  const exported = prebuilds === undefined ? '' : `export PREBUILDS_ONLY=${prebuilds}\n`;
  return `#!/bin/sh\n${exported}${text}\n`;
}
