// A session whose system calls of one kind wait until the test lets them go: test/fixtures/hold.py.
import { join } from 'node:path';
import type { Said } from './fixture';
import { withCommand } from './platform';
import { FIXTURES } from './runtime';
import { Session } from './session';

export const HOLD = join(FIXTURES, 'hold.py');

/** Needs python3, and Linux 5.5. */
export const holdingCalls = withCommand('python3', HOLD, 'renameat2', '--', 'true');

export class HeldSession {
  #by = 0;
  #seen = 0;

  private constructor(readonly session: Session) {}

  /** `call` as for hold.py: 'renameat2', or 'fcntl:37' for F_OFD_SETLK. */
  static async start(call: string): Promise<HeldSession> {
    return new HeldSession(await Session.start({ wrapper: ['python3', HOLD, call, '--'] }));
  }

  /** Waits for the next call, which then is not made yet. */
  async arrives(): Promise<void> {
    const { fixture } = this.session;
    const next = (): Said | undefined =>
      fixture.said.filter(({ event }) => event === 'held')[this.#seen];
    await fixture.until('its call', () => next() !== undefined);
    this.#by = next()?.['by'] as number;
    this.#seen++;
  }

  letGo(): void {
    process.kill(this.#by, 'SIGUSR1');
  }

  /** This call and all that follow. */
  letAllGo(): void {
    process.kill(this.#by, 'SIGUSR2');
  }
}
