// CLOCK_MONOTONIC into eight bytes: one clock for all processes. Node's process.hrtime is that; Bun's
// and Deno's begin with the process, so there libc is asked.
const CLOCK_MONOTONIC = 1;

function clockOf(libc) {
  const time = new BigInt64Array(2); // struct timespec
  return (buffer) => {
    libc.symbols.clock_gettime(CLOCK_MONOTONIC, time);
    buffer.writeBigInt64LE(time[0] * 1_000_000_000n + time[1]);
  };
}

function choose() {
  if (process.versions.bun !== undefined) {
    const { dlopen } = require('bun:ffi');
    return clockOf(
      dlopen('libc.so.6', { clock_gettime: { args: ['i32', 'ptr'], returns: 'i32' } }),
    );
  }
  if (process.versions.deno !== undefined) {
    const { Deno } = globalThis;
    const symbols = { clock_gettime: { parameters: ['i32', 'buffer'], result: 'i32' } };
    return clockOf(Deno.dlopen('libc.so.6', symbols));
  }
  return (buffer) => void buffer.writeBigInt64LE(process.hrtime.bigint());
}

module.exports = { writeTime: choose() };
