// Starts daemon.mjs in the background: without a terminal or a console window, so that it outlives
// them. It works the same on Linux, macOS and Windows. From a shell, without this file:
//
//   npx daemoniker start my.pid -- node daemon.mjs my.pid
//   npx daemoniker stop my.pid
import { fileURLToPath } from 'node:url';
import { launch } from 'daemoniker';

const [pidFile = 'my.pid', logFile = 'my.log'] = process.argv.slice(2);
const script = fileURLToPath(new URL('daemon.mjs', import.meta.url));

try {
  const args = [...process.execArgv, script, pidFile];
  const { pid } = await launch(pidFile, process.execPath, args, { stdout: logFile });
  console.log(`started process ${pid}`);
} catch (error) {
  console.error(error.message); // includes the last lines of its stderr
  process.exitCode = 1;
}
