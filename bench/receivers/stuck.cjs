// Does not end before its limit. Arguments: which limit, and its milliseconds.
const { writeSync } = require('node:fs');
const { SignalHandler1 } = require('../../');

const [limit, milliseconds] = process.argv.slice(2);
const spin = () => {
  for (;;);
};
const hooks = { waits: () => new Promise(() => undefined), spins: spin };

const option = limit === 'deadline' ? limit : 'shutdown';
const handler = new SignalHandler1(null, { [option]: Number(milliseconds) }).start();
if (limit in hooks) handler.onShutdown('hook', hooks[limit]);
setInterval(() => undefined, 1000);
writeSync(1, 'ready\n');
if (limit === 'deadline') spin();
