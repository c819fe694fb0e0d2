// Handles SIGTERM by the peer that is named, and reports over IPC what a storm did to it.
const { monitorEventLoopDelay } = require('node:perf_hooks');
const { SignalHandler1 } = require('../../');

const delay = monitorEventLoopDelay({ resolution: 1 });
let handled = 0;
const handle = () => void handled++;

if (process.argv[2] === 'process.on') process.on('SIGTERM', handle);
else new SignalHandler1(null, { sigterm: handle }).start();

process.on('message', (message) => {
  if (message === 'begin') {
    delay.enable();
  } else {
    delay.disable();
    global.gc();
  }
  process.send({
    handled,
    delayP99: delay.percentile(99) / 1e6,
    resident: process.memoryUsage.rss(),
  });
});
process.send('ready');
