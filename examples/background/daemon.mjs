// This is what start.mjs starts. On Windows other tools kill it at once; `daemoniker stop` lets it shut down.
import { SignalHandler1 } from 'daemoniker';

const [pidFile = 'my.pid'] = process.argv.slice(2);
console.log('started');
const handler = new SignalHandler1(pidFile, { shutdown: true }).start().ref();
handler.onShutdown('files', ({ name, sender }) => {
  console.log(`${name} from ${sender?.command}: tidying up`);
});
