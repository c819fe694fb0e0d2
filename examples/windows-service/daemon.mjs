// A daemon that runs as a Windows service without a wrapper. As administrator, in a folder that only
// administrators can write to:
//
//   npx daemoniker service install my-daemon -- node daemon.mjs C:\ProgramData\my-daemon
//   npx daemoniker service start my-daemon
//
// `daemoniker service stop`, `sc stop`, services.msc and the shutdown of the system all begin the
// shutdown below. On other systems, and in a terminal, it is an ordinary program that Ctrl-C stops.
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SignalHandler1 } from 'daemoniker';

// A service starts in System32, so give it no relative path; and nobody sees its output.
const directory = resolve(process.argv[2] ?? 'my-daemon');
mkdirSync(directory, { recursive: true });
const log = (text) =>
  appendFileSync(join(directory, 'log.txt'), `${new Date().toISOString()} ${text}\n`);

// Start the handler early: Windows waits 30 seconds for it.
const handler = new SignalHandler1(join(directory, 'my-daemon.pid'), {
  shutdown: 8000,
  signals: {
    SIGHUP: () => log('reads its settings again'), // `sc control my-daemon paramchange`
  },
}).start();

const file = join(directory, 'counter.txt');
let counter = 0;
try {
  counter = Number(readFileSync(file, 'utf8'));
} catch {
  log('counts from the beginning');
}
const work = setInterval(() => counter++, 100);
log(`runs as process ${process.pid}, from ${counter}`);

handler.onShutdown('counter', (reason) => {
  clearInterval(work);
  writeFileSync(file, String(counter));
  log(`${reason.name} by ${reason.origin}: saved ${counter}`);
});
