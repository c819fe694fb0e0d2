// Many signals, as fast as they can be sent.
import { endAll, type Fixture } from '../support/fixture';
import { onLinuxAndWindows } from '../support/platform';
import { run, type Tools } from '../support/program';
import { IS_WINDOWS } from '../support/runtime';
import { signalThrough, signalsFromAnother } from '../support/sending';

afterEach(endAll);

/** Counts SIGTERM, and says how many there were once no more come. */
const counter = ({ daemoniker, say, onCommand }: Tools): void => {
  let counted = 0;
  let said = 0;
  const handler = new daemoniker.SignalHandler1(null, {
    sigterm: () => (counted += handler.received?.count ?? NaN),
    sigint: () => say('probed'),
  }).start();
  onCommand(() => undefined);
  say('ready');
  // Not from the handler, so that it does not rely on another signal coming.
  setInterval(() => {
    if (counted !== said) say('counted', { counted: (said = counted) });
  }, 5);
};

async function counts(daemon: Fixture, sent: number): Promise<void> {
  await daemon.until(`${sent} signals`, () => {
    const counted = daemon.said.at(-1)?.['counted'];
    if ((counted as number) > sent) throw new Error(`${String(counted)} counted, ${sent} sent`);
    return counted === sent;
  });
}

/** A send() waits for its acknowledgement, as kill(2) does not, and takes 10 ms or more under Wine. */
const AMOUNT = IS_WINDOWS
  ? { storms: 10, signals: 40, rounds: 2, ofEach: 100, atLeast: 200 }
  : { storms: 40, signals: 150, rounds: 10, ofEach: 4000, atLeast: 15_000 };

onLinuxAndWindows('under a storm', () => {
  test('every signal is counted exactly once, and the last is not left lying', async () => {
    const daemon = run(counter);
    await daemon.hears('ready');
    let sent = 0;
    for (let storm = 0; storm < AMOUNT.storms; storm++) {
      for (let i = 0; i < AMOUNT.signals; i++, sent++) signalThrough(daemon.pid, 'SIGTERM');
      await counts(daemon, sent);
    }
  });

  // A wake-up that gets lost leaves the signal lying until another one comes, so each round probes
  // with one signal after several senders have stopped.
  test('of several senders no wake-up is lost', async () => {
    const daemon = run(counter);
    await daemon.hears('ready');
    for (let round = 0; round < AMOUNT.rounds; round++) {
      await Promise.all([1, 2].map(() => signalsFromAnother(daemon.pid, 'SIGTERM', AMOUNT.ofEach)));
      signalThrough(daemon.pid, 'SIGINT');
      await daemon.until('the probe', () => {
        return daemon.said.filter(({ event }) => event === 'probed').length === round + 1;
      });
    }
  });

  test('and listeners that come and go on process all the time, every signal is ours', async () => {
    const daemon = run(({ daemoniker, say, onCommand }) => {
      let counted = 0;
      let changes = 0;
      let stolen = 0;
      const handler = new daemoniker.SignalHandler1(null, {
        sigterm: () => (counted += handler.received?.count ?? NaN),
      }).start();
      const listeners = [1, 2, 3].map(() => () => stolen++);
      const names = ['SIGTERM', 'SIGINT', 'SIGABRT'] as const;
      let storming = true;
      const change = (): void => {
        for (let i = 0; i < 200; i++, changes++) {
          const name = names[changes % 3] as NodeJS.Signals;
          for (const listener of listeners) process.on(name, listener);
          process.once(name, () => stolen++);
          for (const listener of listeners) process.off(name, listener);
          for (const listener of process.listeners(name).slice(1)) process.off(name, listener);
        }
        if (changes === 20_000) say('changed');
        if (storming) setImmediate(change);
      };
      change();
      onCommand(() => {
        storming = false;
        setInterval(() => say('counted', { counted, stolen }), 20);
      });
      say('ready');
    });
    await daemon.hears('ready');
    let sent = 0;
    const hasChanged = (): boolean => daemon.said.some(({ event }) => event === 'changed');
    while (sent < AMOUNT.atLeast || !hasChanged()) {
      for (let i = 0; i < AMOUNT.signals; i++, sent++) signalThrough(daemon.pid, 'SIGTERM');
      await new Promise(setImmediate);
    }
    daemon.tell('stop');
    await counts(daemon, sent);
    expect(daemon.said.at(-1)).toMatchObject({ stolen: 0 });
  });
});
