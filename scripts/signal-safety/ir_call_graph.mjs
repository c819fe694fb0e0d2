// Which functions refer to which, read from LLVM's intermediate representation (LLVM Language
// Reference Manual), which looks alike for every platform that clang compiles for. The nodes are those
// of elf_call_graph.mjs.
import { readFileSync } from 'node:fs';

const SYMBOL = /@("[^"]+"|[-\w$.]+)/g;
const FUNCTION = /^define ([^@]*)@("[^"]+"|[-\w$.]+)\(.*?\{\n(.*?)^\}/gms;
const DATA = /^@("[^"]+"|[-\w$.]+) = (.*)$/gm;
const CALL = /\b(?:call|invoke|callbr) (.*)$/gm;
/** What is called stands before the first parenthesis that follows a symbol or a register. */
const CALLEE = /([@%])(?:"[^"]+"|[-\w$.]+)\(/;

export async function readCallGraph(files) {
  const definitions = files.flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    const functions = [...text.matchAll(FUNCTION)].map(([, linkage, symbol, body]) => ({
      symbol,
      linkage,
      body,
      callsPointers: [...body.matchAll(CALL)].some(([, call]) => CALLEE.exec(call)?.[1] !== '@'),
    }));
    const data = [...text.matchAll(DATA)].map(([, symbol, value]) => ({
      symbol,
      linkage: value,
      body: value,
      callsPointers: false,
    }));
    return [...functions, ...data].map((definition) => ({
      ...definition,
      file,
      isLocal: /^(?:internal|private)\b/.test(definition.linkage),
    }));
  });
  const keyOf = (file, symbol) => `${file} ${symbol}`;
  const keys = new Map();
  for (const { file, symbol, isLocal } of definitions) {
    keys.set(isLocal ? keyOf(file, symbol) : symbol, keyOf(file, symbol));
  }
  const resolve = (file, symbol) =>
    keys.get(keyOf(file, symbol)) ?? keys.get(symbol) ?? plainName(symbol);
  return new Map(
    definitions.map(({ file, symbol, body, callsPointers }) => {
      const references = [...body.matchAll(SYMBOL)].map(([, other]) => resolve(file, other));
      return [
        keyOf(file, symbol),
        { name: plainName(symbol), references: new Set(references), callsPointers },
      ];
    }),
  );
}

/** As the other reader shows it: "\01_write" is what macOS calls write(2). */
function plainName(symbol) {
  return symbol.replace(/^"(.*)"$/, '$1').replace(/^\\01_?/, '');
}
