import { SignalHandler1 } from 'daemoniker';

new SignalHandler1('blocked.pid', { shutdown: 500 }).start();

compute();

function compute() {
  while (true);
}
