// Says which of its threads are the messenger and the watcher (Linux), after they have worked once.
const { readdirSync } = require('node:fs');
const { SignalHandler1 } = require('../../');

const others = readdirSync('/proc/self/task');
new SignalHandler1(null, {
  sigterm: () => process.send(readdirSync('/proc/self/task').filter((id) => !others.includes(id))),
}).start();
process.on('disconnect', () => process.exit());
process.kill(process.pid, 'SIGTERM');
