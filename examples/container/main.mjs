// Process 1 of a container. There Linux ignores signals that have no handler: without one, `docker
// stop` waits ten seconds and kills. The default handler would do too: it exits with 143.
import { SignalHandler1 } from 'daemoniker';

// No PID file: in the container it would always say 1.
const handler = new SignalHandler1(null, { sigterm: shutDown, sigint: shutDown }).start().ref();
console.log(`running as process ${process.pid}`);

function shutDown() {
  handler.exitWithin(8000); // sooner than docker's ten seconds
  console.log(`${handler.received.name}: closing`);
  process.exit();
}
