// Two of server.mjs behind one port, each with a PID file. While one of them is restarted, the other
// one takes the connections, so no request is lost:
//
//   node cluster.mjs . 8080
//   npx daemoniker stop server-1.pid     restarts one of them
//   npx daemoniker stop cluster.pid      ends both
import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { SignalHandler1, send } from 'daemoniker';

const [directory = '.', port = '8080'] = process.argv.slice(2);
const exec = fileURLToPath(new URL('server.mjs', import.meta.url));
const pidFiles = [`${directory}/server-1.pid`, `${directory}/server-2.pid`];
const workers = new Map(); // and the PID file of each
let stopping = false;

function start(pidFile) {
  cluster.setupPrimary({ exec, args: [pidFile, port] });
  const worker = cluster.fork();
  workers.set(worker, pidFile);
  worker.on('exit', () => {
    workers.delete(worker);
    if (!stopping) start(pidFile);
  });
}

const handlers = { sigterm: shutDown, sigint: shutDown };
const handler = new SignalHandler1(`${directory}/cluster.pid`, handlers).start();
pidFiles.forEach(start);

// When both have ended, nothing keeps this process alive any more.
function shutDown() {
  handler.exitWithin(15_000); // longer than a worker may take
  stopping = true;
  for (const [worker, pidFile] of workers) {
    try {
      send(pidFile, 'SIGTERM');
    } catch {
      // It is just starting, and takes no requests before it has its handler and its PID file. A process
      // may end its own children by number: nobody else gets that before they are waited for.
      worker.process.kill('SIGTERM');
    }
  }
}
