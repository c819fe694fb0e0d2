// A daemon with a PID file that says one byte for each signal that it handles.
const { writeSync } = require('node:fs');
const { SignalHandler1 } = require('../../');

new SignalHandler1(process.argv[2], { sigterm: () => writeSync(1, '.') }).start();
process.stdin.resume().on('end', () => process.exit());
writeSync(1, '.'); // ready
