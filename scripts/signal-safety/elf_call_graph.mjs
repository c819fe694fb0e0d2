// Which functions refer to which, read from ELF objects (readelf, objdump).
//
// Every function has a section of its own (-ffunction-sections), so a relocation in a section is a
// reference from its function: a call, or an address that is taken, which counts as one because
// somebody may call it. Data that a function refers to is followed as well: it may hold pointers.
import { run } from '../support/run.mjs';

/** x86-64: `call *…`, `jmp *…`; AArch64: `blr`, `br`. */
const THROUGH_POINTER = /\t(?:(?:notrack )?(?:call|jmp)q? +\*|blra?a?z? |bra?a?z? )/;
const NO_CODE = /^(?:_GLOBAL_OFFSET_TABLE_|\.(?:debug|eh_frame|note|comment))/;

/**
 * @typedef {object} Node
 * @property {string} name   of the function, as the linker knows it
 * @property {Set<string>} references   keys of nodes, or names that no object defines
 * @property {boolean} callsPointers
 */

/** The nodes of all these objects by their keys. */
export async function readCallGraph(objects) {
  const files = await Promise.all(objects.map(readObject));
  const owners = new Map();
  for (const file of files) {
    for (const symbol of file.symbols) {
      if (symbol.isGlobal && symbol.section !== null && !owners.has(symbol.name)) {
        owners.set(symbol.name, `${file.object} ${symbol.section}`);
      }
    }
  }
  const nodes = new Map();
  for (const file of files) {
    for (const [section, name] of file.sections) {
      const references = new Set();
      for (const symbol of file.relocations.get(section) ?? []) {
        if (NO_CODE.test(symbol.name)) continue;
        // A symbol of this file, a section by its own name, or one of another file.
        if (symbol.section !== null) references.add(`${file.object} ${symbol.section}`);
        else references.add(owners.get(symbol.name) ?? symbol.name);
      }
      const key = `${file.object} ${section}`;
      nodes.set(key, { name, references, callsPointers: file.pointerCalls.has(section) });
    }
  }
  return nodes;
}

async function readObject(object) {
  const [{ stdout: tables }, { stdout: code }] = await Promise.all([
    run('readelf', ['--wide', '--sections', '--symbols', '--relocs', object]),
    run('objdump', ['--disassemble', '--wide', '--no-show-raw-insn', object]),
  ]);
  const sectionNames = new Map();
  for (const [, number, name] of tables.matchAll(/^ +\[ *(\d+)\] (\S+) +[A-Z]\w+ /gm)) {
    sectionNames.set(number, name);
  }
  const sections = new Map(sectionNames);
  // By where they stand in the file: the section that these relocations are for.
  const relocated = new Map();
  const tableLine =
    /^ +\[ *\d+\] \S+ +RELA? +[0-9a-f]+ ([0-9a-f]+) [0-9a-f]+ [0-9a-f]+ +[A-Z]* +\d+ +(\d+) +\d+$/gm;
  for (const [, offset, section] of tables.matchAll(tableLine)) {
    relocated.set(Number.parseInt(offset, 16), section);
  }
  const symbols = [];
  // "   Num:    Value          Size Type    Bind   Vis      Ndx Name"
  const line = /^ +(\d+): [0-9a-f]+ +\w+ (\w+) +(\w+) +\w+ +(?:\[.*?\] +)?(\S+) ?(.*)$/gm;
  for (const [, number, type, bind, index, name] of tables.matchAll(line)) {
    const section = sectionNames.has(index) ? index : null;
    const symbol = { number, name: name.trim(), section, isGlobal: bind !== 'LOCAL' };
    symbols.push(symbol);
    if (type === 'FUNC' && section !== null) sections.set(section, symbol.name);
  }

  const byName = new Map(symbols.map((symbol) => [symbol.name, symbol]));
  const numbers = new Map([...sectionNames].map(([number, name]) => [name, number]));
  const relocations = new Map();
  let current;
  for (const text of tables.split('\n')) {
    const header = /^Relocation section '.*' at offset 0x([0-9a-f]+) /.exec(text);
    if (header !== null) current = relocated.get(Number.parseInt(header[1], 16));
    // "offset  info  R_X86_64_PLT32  value  name - 4"; the name of a section for local symbols.
    const entry = /^[0-9a-f]+ +[0-9a-f]+ (R_\w+) +(?:[0-9a-f]+ )?(\S+)(?: [+-] [0-9a-f]+)?$/.exec(
      text.trim(),
    );
    if (entry === null) continue;
    if (current === undefined) throw new Error(`${object}: what is relocated by ${text}?`);
    const name = entry[2];
    const symbol = byName.get(name) ?? { name, section: numbers.get(name) ?? null };
    if (!relocations.has(current)) relocations.set(current, []);
    relocations.get(current).push(symbol);
  }

  const pointerCalls = new Set();
  for (const part of code.split('Disassembly of section ').slice(1)) {
    const name = part.slice(0, part.indexOf(':\n'));
    if (part.split('\n').some((instruction) => THROUGH_POINTER.test(instruction))) {
      pointerCalls.add(numbers.get(name));
    }
  }
  return { object, sections, symbols, relocations, pointerCalls };
}
