// A process of the demonstration. What it prints appears at once, with its name in front.
import { fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import { paint } from './paint.mjs';

const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class Program extends EventEmitter {
  lines = [];

  constructor(name, path, args, cwd) {
    super();
    this.child = fork(path, args, { cwd, silent: true });
    running.add(this.child);
    for (const input of [this.child.stdout, this.child.stderr]) {
      createInterface({ input }).on('line', (line) => {
        console.log(`   ${paint('dim', `${name} │`)} ${line}`);
        this.lines.push(line);
        this.emit('line');
      });
    }
    this.ended = once(this.child, 'close').then(([code, signal]) => {
      running.delete(this.child);
      return { code, signal };
    });
  }

  /** What it sends next. */
  async receives() {
    const [message] = await this.#beforeItsEnd(once(this.child, 'message'));
    return message;
  }

  /** Resolves when it has printed this. */
  async prints(text) {
    while (!this.output.includes(text)) await this.#beforeItsEnd(once(this, 'line'));
  }

  get output() {
    return this.lines.join('\n');
  }

  #beforeItsEnd(promise) {
    const tooEarly = this.ended.then(({ code, signal }) => {
      throw new Error(`a process ended too early (${signal ?? `exit code ${code}`})`);
    });
    return Promise.race([promise, tooEarly]);
  }
}
