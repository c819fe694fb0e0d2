// One handler for three signals. It tells its parent, the demonstration, what it has received.
import { SignalHandler1 } from 'daemoniker';

const tell = (signum) => {
  const arrivedAt = process.hrtime.bigint().toString();
  const { name, sender } = handler.received;
  process.send({ signum, name, sender, arrivedAt });
};
const handler = new SignalHandler1('daemon.pid', { sigint: tell, sigterm: tell, sigabrt: tell });

handler.start();
process.send('running');
process.on('message', () => process.exit());
