// Another process that uses the package and does what the test tells it: test/fixtures/session.cjs.
import { start, type Fixture, type FixtureOptions, type Said } from './fixture';

export class Session {
  private constructor(readonly fixture: Fixture) {}

  static async start(options: FixtureOptions = {}): Promise<Session> {
    const fixture = start('session', [], options);
    await fixture.hears('ready');
    return new Session(fixture);
  }

  get pid(): number {
    return this.fixture.pid;
  }

  /** The value of an expression, in which `$0`, `$1` … are the values. */
  async value(expression: string, ...values: readonly unknown[]): Promise<unknown> {
    const answer = await this.#ask(expression, values);
    if (answer.event === 'threw') {
      throw new Error(`${expression} threw: ${JSON.stringify(answer)}`);
    }
    return answer['value'];
  }

  /** What an expression throws. */
  async error(expression: string, ...values: readonly unknown[]): Promise<Said> {
    const answer = await this.#ask(expression, values);
    if (answer.event !== 'threw') {
      throw new Error(`${expression} did not throw: ${JSON.stringify(answer)}`);
    }
    return answer;
  }

  /** Its value or what it throws, whichever comes. */
  async #ask(expression: string, values: readonly unknown[]): Promise<Said> {
    this.fixture.tell(JSON.stringify([expression, ...values]));
    return this.fixture.hearsAny('value', 'threw');
  }
}
