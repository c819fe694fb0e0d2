// Both peers in one process, so that they share its luck: SIGUSR2 comes by process.on, SIGTERM by
// daemoniker. Reports when a handler ran, as eight bytes of CLOCK_MONOTONIC.
const { writeSync } = require('node:fs');
const { SignalHandler1 } = require('../../');
const { writeTime } = require('./monotonic.cjs');

const buffer = Buffer.alloc(8);

function report() {
  writeTime(buffer);
  writeSync(1, buffer);
}

process.on('SIGUSR2', report);
new SignalHandler1(null, { sigterm: report }).start();
process.stdin.resume().on('end', () => process.exit());
report(); // ready
