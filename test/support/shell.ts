/** A command line of these words, for a shell of POSIX. */
export function commandLine(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
}
