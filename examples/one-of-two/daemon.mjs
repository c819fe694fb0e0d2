// Start it twice: only one runs. The kernel's lock on the PID file decides, even if both start at
// the same moment. A file that a crash left behind does not get in the way.
//
//   node daemon.mjs my.pid
import { PidFileError, SignalHandler1 } from 'daemoniker';

const [pidFile = 'my.pid'] = process.argv.slice(2);
const handler = new SignalHandler1(pidFile, { shutdown: true });
try {
  handler.start().ref();
  console.log(`process ${process.pid} runs`);
} catch (error) {
  if (!(error instanceof PidFileError && error.code === 'ERR_PID_FILE_LOCKED')) throw error;
  console.log(`process ${error.pid ?? '?'} is already running`);
  process.exitCode = 1;
}
