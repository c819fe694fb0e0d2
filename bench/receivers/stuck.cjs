const { writeSync } = require('node:fs');
const { SignalHandler1 } = require('../..');

new SignalHandler1(null, { deadline: Number(process.argv[2]) }).start();
writeSync(1, 'stuck\n');
for (;;);
