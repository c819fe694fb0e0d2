import { writeSync } from 'node:fs';
import { onExit } from 'signal-exit';

const buffer = Buffer.alloc(8);

function report() {
  buffer.writeBigInt64LE(process.hrtime.bigint());
  writeSync(1, buffer);
  return true; // do not exit
}

onExit(report);
process.stdin.resume();
report(); // ready
