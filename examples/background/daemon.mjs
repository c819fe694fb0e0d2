// What start.mjs starts. Windows ends processes without asking them; `daemoniker stop` asks.
import { SignalHandler1 } from 'daemoniker';

const [pidFile = 'my.pid'] = process.argv.slice(2);
const handler = new SignalHandler1(pidFile, { sigterm: shutDown }).start().ref();
console.log('started');
process.send?.('started'); // to start.mjs, which then goes

function shutDown() {
  const { name, sender } = handler.received;
  console.log(`${name} from ${sender?.command}: tidying up`);
  process.exit();
}
