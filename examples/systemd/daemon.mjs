// A daemon that tells systemd when it is ready. `shutdown` tells systemd when it is stopping.
import { createServer } from 'node:http';
import { SignalHandler1, notify } from 'daemoniker';

const [pidFile = 'my-daemon.pid'] = process.argv.slice(2);
const handler = new SignalHandler1(pidFile, { shutdown: 20_000, watchdog: true }).start();

const server = createServer((request, response) => response.end('hello\n'));
handler.onShutdown('http', () => {
  setInterval(() => server.closeIdleConnections(), 100); // each one, once it has its answer
  setTimeout(() => server.closeAllConnections(), 10_000); // the others: no request yet, or no answer
  return new Promise((resolve) => server.close(resolve));
});

server.listen(process.env.PORT ?? 8080, () => notify({ ready: true, status: 'listening' }));
