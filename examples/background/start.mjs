// Starts daemon.mjs in the background: without a terminal or a console window, and not ended with
// them. The same on Linux, macOS and Windows.
//
//   node start.mjs my.pid my.log
//   npx daemoniker stop my.pid
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [pidFile = 'my.pid', logFile = 'my.log'] = process.argv.slice(2);
const log = openSync(logFile, 'a');
const script = fileURLToPath(new URL('daemon.mjs', import.meta.url));

const daemon = spawn(process.execPath, [...process.execArgv, script, pidFile], {
  detached: true,
  windowsHide: true,
  stdio: ['ignore', log, log, 'ipc'],
});
daemon.once('exit', () => {
  console.error(`it did not start; see ${logFile}`);
  process.exit(1);
});
await once(daemon, 'message');
console.log(`started process ${daemon.pid}`);
process.exit();
