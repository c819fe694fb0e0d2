// Says of each SIGTERM whether the name of its sender is known. With an argument, the event loop is
// kept busy by callbacks of that many milliseconds.
const { SignalHandler1 } = require('../../');

const busy = Number(process.argv[2] ?? 0);

function work() {
  const end = performance.now() + busy;
  while (performance.now() < end);
  setImmediate(work);
}

const handler = new SignalHandler1(null, {
  sigterm: () => process.send(handler.received.sender?.command ?? null),
}).start();
if (busy > 0) work();

process.on('disconnect', () => process.exit()); // and keeps the event loop alive
process.send('ready');
