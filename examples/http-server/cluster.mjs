// Two of server.mjs behind one port, each with a PID file. While one of them is restarted, the other
// one takes the connections, so no request is lost:
//
//   node cluster.mjs . 8080
//   npx daemoniker stop server-1.pid     restarts one of them
//   npx daemoniker stop cluster.pid      ends both
import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { SignalHandler1 } from 'daemoniker';

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

const handlers = { sigterm: shutDown, sigint: shutDown };
const handler = new SignalHandler1(`${directory}/cluster.pid`, handlers).start();
pidFiles.forEach(start);

// When both have ended, nothing keeps this process alive any more.
function shutDown() {
  handler.exitWithin(15_000); // longer than a worker may take
  stopping = true;
  // Not by their PID files: a worker that is just starting has none yet, and no handler either. So the
  // signal ends it at once, and no request is lost, as it takes none before it has its handler. A
  // process may signal its own children by number: nobody else gets that before they are waited for.
  for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGTERM');
}
