// An HTTP server that answers every request that it has accepted, and then exits.
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
  // The client then opens a new connection for its next request, and another process accepts that.
  if (handler.abortSignal.aborted) response.set('Connection', 'close');
  next();
});
app.get('/', async (request, response) => {
  await sleep(10); // work
  response.send('hello\n');
});
const server = app.listen(port, (error) => {
  if (error) throw error;
  console.log(`process ${process.pid} listens on port ${server.address().port}`);
});

handler.onShutdown('http', () => {
  // Clients with another request to send have sent it by then.
  setTimeout(() => server.closeIdleConnections(), 1000);
  // Those on which no request has arrived do not count as idle, and would hold the server open.
  setTimeout(() => server.closeAllConnections(), 5000);
  // Accepts no more connections. Not http's close(): since Node.js 19 that also closes idle connections
  // at once, and the next request may already be on its way on one of them.
  return new Promise((resolve) => Server.prototype.close.call(server, resolve));
});
