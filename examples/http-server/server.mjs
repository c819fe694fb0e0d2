// An HTTP server that answers every request that it has accepted, and then ends.
//
//   node server.mjs server.pid 8080
import { Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';
import { SignalHandler1 } from 'daemoniker';

const [pidFile = 'server.pid', port = 8080] = process.argv.slice(2);

const handler = new SignalHandler1(pidFile, { shutdown: 10_000 }).start();

const app = express();
app.use((request, response, next) => {
  // So that the client makes its next connection, which somebody else will accept.
  if (handler.abortSignal.aborted) response.set('Connection', 'close');
  next();
});
app.get('/', async (request, response) => {
  await sleep(10); // work
  response.send('hello\n');
});
const server = app.listen(port, () => {
  console.log(`process ${process.pid} listens on port ${server.address().port}`);
});

handler.onShutdown('http', () => {
  // By then, who has anything to ask has asked it.
  setTimeout(() => server.closeIdleConnections(), 1000);
  // Accepts no more connections. Not http's close(): since Node 19 that also cuts off connections
  // that are kept alive, and the next request may be on its way on them.
  return new Promise((resolve) => Server.prototype.close.call(server, resolve));
});
