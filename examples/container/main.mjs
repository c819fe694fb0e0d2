// Process 1 of a container. There Linux ignores signals that have no handler: without one, `docker
// stop` waits ten seconds and kills it. The default handler would do as well: it exits with 143.
import { SignalHandler1 } from 'daemoniker';

// No PID file: in the container it would always say 1. 8 seconds are less than docker's ten.
const handler = new SignalHandler1(null, { shutdown: 8000 }).start().ref();
console.log(`running as process ${process.pid}`);

handler.onShutdown('main', () => console.log(`${handler.received.name}: closing`));
