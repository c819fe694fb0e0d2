// Another process: it knows the PID file and nothing else.
import { send } from '../../dist/index.mjs';

const pidFile = process.argv[2];

process.on('message', (signal) => {
  const sentAt = process.hrtime.bigint().toString();
  send(pidFile, signal);
  process.send({ sentAt });
});
process.send({ ready: process.pid });
