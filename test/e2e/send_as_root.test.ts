// Root signals anybody, so nobody but root and the daemon's own user may tell it whom.
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PidFileError, ping, send } from '../../';
import { caught } from '../support/caught';
import { directory, pidFile } from '../support/each_test';
import { PATIENCE_MS } from '../support/fixture';
import { AS_NOBODY, NOBODY, asRoot } from '../support/nobody';
import { Session } from '../support/session';

const THIRD_USER = 54_321;

beforeEach(() => {
  chmodSync(directory, 0o755);
});

function writePidFile(pid: number, uid: number, mode = 0o644): void {
  writeFileSync(pidFile, `${pid}\n`);
  chownSync(pidFile, uid, uid);
  chmodSync(pidFile, mode);
}

function expectInsecure(...inMessage: readonly (string | number)[]): void {
  const error = caught(() => send(pidFile, 0));
  expect(error).toBeInstanceOf(PidFileError);
  expect(error).toMatchObject({ code: 'ERR_PID_FILE_INSECURE', path: pidFile });
  for (const part of inMessage) expect(error.message).toContain(String(part));
  // Time and lock have nothing to do with it.
  expect(caught(() => send(pidFile, 0, { verify: false }))).toMatchObject({
    code: 'ERR_PID_FILE_INSECURE',
  });
  send(pidFile, 0, { insecure: true });
  expect(ping(pidFile)).toBe(true); // which signals nobody
}

asRoot('when root asks', () => {
  test.each(['646', '666', '777', '602'])('a file of mode 0%s is insecure', async (octal) => {
    const daemon = await Session.start();
    writePidFile(daemon.pid, 0, parseInt(octal, 8));
    expectInsecure('uid 0', `mode 0${octal}`, daemon.pid);
  });

  test.each(['600', '644', '664'])("root's file of mode 0%s is trusted", async (octal) => {
    const daemon = await Session.start();
    writePidFile(daemon.pid, 0, parseInt(octal, 8));
    send(pidFile, 0);
  });

  test("a user's file that names root's process is insecure", async () => {
    const daemon = await Session.start();
    writePidFile(daemon.pid, NOBODY.uid);
    expectInsecure(`uid ${NOBODY.uid}`, 'uid 0', daemon.pid);
  });

  test("a user's file that names that user's process is trusted; a third user's is not", async () => {
    const daemon = await Session.start(AS_NOBODY);
    writePidFile(daemon.pid, NOBODY.uid);
    send(pidFile, 0);
    writePidFile(daemon.pid, THIRD_USER);
    expectInsecure(`uid ${THIRD_USER}`, `uid ${NOBODY.uid}`);
    writePidFile(daemon.pid, 0);
    send(pidFile, 0);
  });

  test("a third user's symbolic link to a good file is insecure; root's and the daemon's are not", async () => {
    const daemon = await Session.start(AS_NOBODY);
    const target = join(directory, 'target.pid');
    writePidFile(daemon.pid, NOBODY.uid);
    renameSync(pidFile, target);
    symlinkSync(target, pidFile);
    for (const trusted of [0, NOBODY.uid]) {
      lchownSync(pidFile, trusted, trusted);
      send(pidFile, 0);
    }
    lchownSync(pidFile, THIRD_USER, THIRD_USER);
    expectInsecure(`uid ${THIRD_USER}`, 'symbolic link');
  });

  test('a link that takes the place of the file while it is looked at is not followed', async () => {
    // Its user lets the path change between a file that names an own process, which is trusted, and
    // a link to the PID file of root's daemon.
    const victim = await Session.start();
    await victim.value('(process.on("SIGURG", () => (kept.urgent = true)), true)');
    const accomplice = await Session.start(AS_NOBODY);
    const rootsFile = join(directory, 'root.pid');
    writeFileSync(rootsFile, `${victim.pid}\n`);
    const home = join(directory, 'home');
    mkdirSync(home);
    chownSync(home, NOBODY.uid, NOBODY.gid);
    const swapped = join(home, 'test.pid');
    const stop = join(directory, 'stop');
    const swapping = accomplice.value(
      `(() => {
        const fs = require('node:fs');
        fs.writeFileSync($0 + '.own', process.pid + '\\n');
        fs.linkSync($0 + '.own', $0);
        say('swapping');
        while (!fs.existsSync($2)) {
          fs.symlinkSync($1, $0 + '.next');
          fs.renameSync($0 + '.next', $0);
          fs.linkSync($0 + '.own', $0 + '.next');
          fs.renameSync($0 + '.next', $0);
        }
        return true;
      })()`,
      swapped,
      rootsFile,
      stop,
    );
    await accomplice.fixture.hears('swapping');
    const outcomes = new Map<unknown, number>();
    const met = (outcome: unknown): number => outcomes.get(outcome) ?? 0;
    const patience = Date.now() + PATIENCE_MS;
    // Each of the two stood in the way many times.
    while (met('sent') < 300 || met('ERR_PID_FILE_INSECURE') < 300) {
      if (Date.now() > patience) throw new Error(`only ${JSON.stringify([...outcomes])}`);
      let outcome: unknown = 'sent';
      try {
        send(swapped, 'SIGURG'); // which does nothing to the accomplice
      } catch (error) {
        outcome = (error as { code: unknown }).code;
      }
      outcomes.set(outcome, met(outcome) + 1);
    }
    writeFileSync(stop, '');
    await swapping;
    expect(await victim.value('kept.urgent ?? false')).toBe(false);
  });
});

asRoot('when a user asks', () => {
  test('it may trust whom it likes: it can signal only its own', async () => {
    const daemon = await Session.start(AS_NOBODY);
    writePidFile(daemon.pid, THIRD_USER, 0o666);
    const sender = await Session.start(AS_NOBODY);
    await sender.value('send($0, 0)', pidFile);
  });
});
