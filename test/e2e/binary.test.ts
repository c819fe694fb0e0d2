// The addon as it was linked.
import { readFileSync } from 'node:fs';
import { endAll } from '../support/fixture';
import { onLinux } from '../support/platform';
import { run } from '../support/program';

afterEach(endAll);

const SECTION_DYNAMIC = 6;
const DT_FLAGS_1 = 0x6ffffffbn;
const DF_1_NOW = 1n;

/** The dynamic section of a 64-bit little-endian file: elf(5). */
function* dynamicEntries(elf: Buffer): Generator<[tag: bigint, value: bigint]> {
  const sections = Number(elf.readBigUInt64LE(0x28));
  const size = elf.readUInt16LE(0x3a);
  for (let number = 0; number < elf.readUInt16LE(0x3c); number++) {
    const section = sections + number * size;
    if (elf.readUInt32LE(section + 4) !== SECTION_DYNAMIC) continue;
    const offset = Number(elf.readBigUInt64LE(section + 0x18));
    const end = offset + Number(elf.readBigUInt64LE(section + 0x20));
    for (let entry = offset; entry < end; entry += 16) {
      yield [elf.readBigUInt64LE(entry), elf.readBigUInt64LE(entry + 8)];
    }
  }
}

onLinux('the addon', () => {
  // Else the loader looks them up when they are first called, which may be in the signal handler.
  test('has its symbols bound when it is loaded', async () => {
    const program = run(({ say, require }) => {
      const { readFileSync } = require('node:fs') as typeof import('node:fs');
      const maps = readFileSync('/proc/self/maps', 'utf8');
      say('loaded', { addon: /^(?:\S+ +){5}(.*\/daemoniker[^/]*\.node)$/m.exec(maps)?.[1] });
    });
    const { addon } = (await program.hears('loaded')) as unknown as { addon: string };
    const flags = new Map(dynamicEntries(readFileSync(addon))).get(DT_FLAGS_1) ?? 0n;
    expect(flags & DF_1_NOW).toBe(DF_1_NOW);
  });
});
