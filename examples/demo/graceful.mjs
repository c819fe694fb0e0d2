// A graceful shutdown with two hooks. With the argument "hang" the first one never finishes.
import { setTimeout as sleep } from 'node:timers/promises';
import { SignalHandler1 } from 'daemoniker';

const hangs = process.argv[2] === 'hang';
const handler = new SignalHandler1('graceful.pid', { shutdown: 10_000 });

handler.onShutdown('database', () => console.log('database: closed'));
handler.onShutdown('http', async () => {
  console.log(`http: ${handler.received.message}; finishing open requests`);
  await (hangs ? new Promise(() => {}) : sleep(200));
  console.log('http: closed');
});

handler.start().ref();
console.log('running');
