// Daemons that start, stop and die at the same moment: at most one ever has the PID file.
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { directory, pidFile } from '../support/each_test';
import { endAll, start } from '../support/fixture';
import { contentHeldBy } from '../support/pid_file';
import { Session } from '../support/session';

/** Waits for the moment $1, as exactly as two processes can agree on one, and does it. */
const at = (action: string): string => `(() => {
  while (Date.now() < $1);
  try {
    ${action}
    return 'won';
  } catch (error) {
    return [error.code, error.pid];
  }
})()`;
const CLAIM = at('kept.handler = new SignalHandler1($0).start();');
const RELEASE = at('kept.handler.stop();');

/** A moment that the processes told now will be waiting for. */
const soon = (): number => Date.now() + 4;

/** In turn: missing, empty, stale, and stale with a PID that was reused. */
const PREPARATIONS = [
  (): void => undefined,
  (): void => writeFileSync(pidFile, ''),
  (): void => writeFileSync(pidFile, '2147483647\n'),
  (): void => {
    writeFileSync(pidFile, `${process.pid}\n`);
    utimesSync(pidFile, 0, 0);
  },
];

test('of two daemons that race for one file exactly one wins, whatever it held', async () => {
  const racers = [await Session.start(), await Session.start()] as const;
  for (let round = 0; round < 80; round++) {
    PREPARATIONS[round % PREPARATIONS.length]?.();
    const moment = soon();
    const results = await Promise.all(racers.map((racer) => racer.value(CLAIM, pidFile, moment)));
    const winner = results.indexOf('won') as 0 | 1;
    expect(results.filter((result) => result === 'won')).toHaveLength(1);
    expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(racers[winner].pid));
    const [code, pid] = results[1 - winner] as [string, number | null];
    expect(code).toBe('ERR_PID_FILE_LOCKED');
    expect([null, racers[winner].pid]).toContain(pid);

    await racers[winner].value('kept.handler.stop()');
    expect(existsSync(pidFile)).toBe(false);
  }
});

test('one stops while the other starts: the file is whole or gone', async () => {
  const pair = [await Session.start(), await Session.start()] as const;
  let holder: 0 | 1 = 0;
  await pair[holder].value(CLAIM, pidFile, 0);
  for (let round = 0; round < 60; round++) {
    const other: 0 | 1 = holder === 0 ? 1 : 0;
    const moment = soon();
    const [released, claimed] = await Promise.all([
      pair[holder].value(RELEASE, pidFile, moment),
      pair[other].value(CLAIM, pidFile, moment),
    ]);
    expect(released).toBe('won');
    if (claimed === 'won') {
      expect(readFileSync(pidFile, 'utf8')).toBe(contentHeldBy(pair[other].pid));
      holder = other;
    } else {
      expect((claimed as string[])[0]).toBe('ERR_PID_FILE_LOCKED');
      expect(existsSync(pidFile)).toBe(false);
      await pair[holder].value(CLAIM, pidFile, 0);
    }
  }
});

test('three that claim and release all the time are never two at once', async () => {
  const rivals = [await Session.start(), await Session.start(), await Session.start()];
  const witness = join(directory, 'witness');
  // Whoever has the PID file makes the witness, which nobody else can have then.
  const compete = `(() => {
    const fs = require('node:fs');
    let claims = 0;
    while (claims < 150) {
      let claim;
      try {
        claim = PidFile.acquire($0);
      } catch (error) {
        if (error.code === 'ERR_PID_FILE_LOCKED') continue;
        throw error;
      }
      fs.closeSync(fs.openSync($1, 'wx'));
      if (fs.readFileSync($0, 'utf8').trim() !== String(process.pid)) throw new Error('not our file');
      fs.unlinkSync($1);
      claim.release();
      claims++;
    }
    return claims;
  })()`;
  const claims = await Promise.all(rivals.map((rival) => rival.value(compete, pidFile, witness)));
  expect(claims).toEqual([150, 150, 150]);
  expect(existsSync(pidFile)).toBe(false);
});

test('daemons that start fresh at the same time: one is ready, the others fail', async () => {
  for (let round = 0; round < 3; round++) {
    const path = join(directory, `round-${round}.pid`);
    const daemons = [1, 2, 3].map(() => start('daemon', [path]));
    const said = await Promise.all(daemons.map((daemon) => daemon.hearsAny('ready', 'failed')));
    expect(said.map(({ event }) => event).sort()).toEqual(['failed', 'failed', 'ready']);
    const winner = said.find(({ event }) => event === 'ready');
    expect(readFileSync(path, 'utf8')).toBe(contentHeldBy(String(winner?.['pid'])));
    await endAll();
  }
});
