// A daemon that tells systemd when it is ready, and when it ends.
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import { SignalHandler1 } from 'daemoniker';

const [pidFile = 'my-daemon.pid'] = process.argv.slice(2);
const server = createServer((request, response) => response.end('hello\n'));

// systemd-notify(1) comes with systemd. Not under systemd, there is nobody to tell.
function tellSystemd(...words) {
  if (process.env.NOTIFY_SOCKET) execFileSync('systemd-notify', words);
}

// Sooner than TimeoutStopSec=. What takes longer is a failure (exit code 124) that says what hangs.
const handler = new SignalHandler1(pidFile, { shutdown: 20_000 }).start();

handler.onShutdown('http', () => {
  tellSystemd('STOPPING=1');
  setInterval(() => server.closeIdleConnections(), 100); // each one, when it has its answer
  return new Promise((resolve) => server.close(resolve));
});

server.listen(process.env.PORT ?? 8080, () => tellSystemd('READY=1', 'STATUS=listening'));
