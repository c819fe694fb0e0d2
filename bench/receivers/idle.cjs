// Says which of its threads is the dispatcher (Linux), after it has worked once.
const { readdirSync } = require('node:fs');
const { SignalHandler1 } = require('../..');

const others = readdirSync('/proc/self/task');
new SignalHandler1(null, {
  sigterm: () => process.send(readdirSync('/proc/self/task').find((id) => !others.includes(id))),
}).start();
process.on('disconnect', () => process.exit());
process.kill(process.pid, 'SIGTERM');
