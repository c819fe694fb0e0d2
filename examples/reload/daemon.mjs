// SIGHUP makes it read its configuration again, on Windows too, where SIGHUP arrives by send().
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

load();
new SignalHandler1(pidFile, { shutdown: true, signals: { SIGHUP: load } }).start().ref();
console.log('running');
