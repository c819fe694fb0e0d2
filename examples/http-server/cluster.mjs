// Two of server.mjs behind one port, each with a PID file. While one of them is restarted, the other
// one takes the connections, so no request is lost:
//
//   node cluster.mjs <directory> <port>
//   npx daemoniker stop <directory>/server-1.pid
import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { SignalHandler1, ping, send } from 'daemoniker';

const [directory = '.', port = '8080'] = process.argv.slice(2);
const exec = fileURLToPath(new URL('server.mjs', import.meta.url));
const pidFiles = [`${directory}/server-1.pid`, `${directory}/server-2.pid`];
let stopping = false;

function start(pidFile) {
  cluster.setupPrimary({ exec, args: [pidFile, port] });
  cluster.fork().on('exit', () => {
    if (!stopping) start(pidFile);
  });
}

new SignalHandler1(`${directory}/cluster.pid`, { sigterm: shutDown, sigint: shutDown }).start();
pidFiles.forEach(start);

// When both have ended, nothing keeps this process alive any more.
function shutDown() {
  stopping = true;
  for (const pidFile of pidFiles.filter(ping)) send(pidFile, 'SIGTERM');
}
