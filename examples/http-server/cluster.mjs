// Two processes of server.mjs behind one port, each with a PID file. This process accepts the
// connections and hands them to the two in turn. A server that is shutting down gets no new ones, so the
// other one takes them all until the successor listens, and no request is lost:
//
//   node cluster.mjs . 8080
//   npx daemoniker stop server-1.pid     restarts one of them
//   npx daemoniker stop cluster.pid      shuts both down
//
// Restart the second one only when the successor of the first says that it listens. While neither does,
// connections are refused, and one that was just accepted here may never get an answer.
import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { SignalHandler1, send } from 'daemoniker';

const [directory = '.', port = '8080'] = process.argv.slice(2);
const exec = fileURLToPath(new URL('server.mjs', import.meta.url));
const pidFiles = [`${directory}/server-1.pid`, `${directory}/server-2.pid`];
const workers = new Map(); // with the PID file of each
let stopping = false;

function start(pidFile) {
  cluster.setupPrimary({ exec, args: [pidFile, port] });
  const worker = cluster.fork();
  workers.set(worker, pidFile);
  let hasListened = false;
  worker.on('listening', () => (hasListened = true));
  worker.on('exit', (code) => {
    workers.delete(worker);
    if (stopping) return;
    if (hasListened || !code) return start(pidFile);
    // A successor would fail as well, because the port is in use, for example.
    process.exitCode = 1;
    shutDown();
  });
}

const handlers = { sigterm: shutDown, sigint: shutDown };
const handler = new SignalHandler1(`${directory}/cluster.pid`, handlers).start();
pidFiles.forEach(start);

// When both are gone, nothing keeps this process alive any more.
function shutDown() {
  handler.exitWithin(15_000); // longer than a worker may take
  stopping = true;
  for (const [worker, pidFile] of workers) {
    try {
      send(pidFile, 'SIGTERM');
    } catch {
      // It is still starting, and takes no requests before it has its handler and its PID file. A parent
      // may signal its children by number: no other process gets that number while they are its children.
      worker.process.kill('SIGTERM');
    }
  }
}
