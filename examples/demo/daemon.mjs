// The daemon: one handler for each signal, and a PID file that says who it is.
import { SignalHandler1 } from '../../dist/index.mjs';

const handler = new SignalHandler1(process.argv[2], { sigint: tell, sigterm: tell, sigabrt: tell });
handler.start();
process.send({ ready: process.pid });

function tell(signum) {
  const arrivedAt = process.hrtime.bigint().toString();
  const { name, sender, origin } = handler.received;
  process.send({ signum, arrivedAt, name, sender, origin });
}

process.on('message', () => {
  // From now on SIGTERM is raised, as in a program that has no handler.
  delete handler.sigterm;
  process.send({ deleted: 'sigterm' });
});
