// SIGHUP reads the configuration again (Unix). That is Node's own process.on(): this package handles
// SIGINT, SIGTERM and SIGABRT and leaves all other signals alone.
//
//   node daemon.mjs my.pid config.json
//   npx daemoniker send my.pid SIGHUP
import { readFileSync } from 'node:fs';
import { SignalHandler1 } from 'daemoniker';

const [pidFile = 'my.pid', configFile = 'config.json'] = process.argv.slice(2);
let config;

function load() {
  try {
    config = JSON.parse(readFileSync(configFile, 'utf8'));
    console.log('configuration:', JSON.stringify(config));
  } catch (error) {
    console.log('the old configuration stays:', error.message);
  }
}

// Before the PID file says whom to send it to: without a listener SIGHUP ends a process.
process.on('SIGHUP', load);
load();
new SignalHandler1(pidFile, { sigterm: () => process.exit() }).start().ref();
console.log('running');
