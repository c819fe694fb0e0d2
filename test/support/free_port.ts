// A port that nobody listens on.
import { once } from 'node:events';
import { createServer } from 'node:net';

// Below those that systems give to outgoing connections, and each once in this process: between this
// and its use nobody else gets it.
const FIRST = 20_000;
const AMOUNT = 12_000;
// Other processes that run tests begin elsewhere.
let next = process.pid * 101;

export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + (next++ % AMOUNT);
    const server = createServer().listen(port);
    try {
      await once(server, 'listening');
    } catch {
      continue;
    }
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
