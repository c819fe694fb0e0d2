// What start.mjs starts. Windows ends processes without asking them; `daemoniker stop` asks.
import { SignalHandler1 } from 'daemoniker';

const [pidFile = 'my.pid'] = process.argv.slice(2);
console.log('started');
const handler = new SignalHandler1(pidFile, { shutdown: true }).start().ref();
handler.onShutdown('files', ({ name, sender }) => {
  console.log(`${name} from ${sender?.command}: tidying up`);
});
