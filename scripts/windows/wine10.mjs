// Wine 10 of Debian 13 (trixie), beside the Wine 8 of this system, below build/tools. It needs Debian
// 13's C library and more, so it runs where all of /usr is that release's: in a mount namespace of
// its own. Nothing of the system's changes.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tryRun } from '../support/run.mjs';
import { debian } from '../support/tools.mjs';

const LOADER = '/usr/lib/wine/wine64';
const SERVER = '/usr/lib/wine/wineserver64';

/**
 * How to run Wine 10: `wine` and `server` are the words before a program, or an option. Null where
 * nobody may mount, as in most containers.
 */
export async function wine10() {
  // libc-bin has the locale that makes names of files UTF-8.
  const root = await debian('amd64', 'trixie', ['wine', 'wine64', 'libc-bin'], {
    dependencies: true,
  });
  const usr = join(root, 'usr');
  provideZlib(usr);
  const asRoot = process.getuid() === 0 ? [] : ['--map-root-user'];
  const inside = [
    ...['unshare', '--mount', ...asRoot, 'sh', '-c'],
    ...['mount --bind "$0" /usr && exec "$@"', usr],
  ];
  const [program, ...words] = [...inside, LOADER, '--version'];
  if ((await tryRun(program, words)).status !== 0) return null;
  return {
    wine: [...inside, LOADER],
    server: [...inside, SERVER],
    environment: { WINELOADER: LOADER, WINESERVER: SERVER, LC_ALL: 'C.UTF-8' },
  };
}

/** What the package does when it is installed: a copy that Wine takes for a part of itself. */
function provideZlib(usr) {
  const copy = join(usr, 'lib', 'x86_64-linux-gnu', 'wine', 'x86_64-windows', 'zlib1.dll');
  if (existsSync(copy)) return;
  const library = readFileSync(join(usr, 'x86_64-w64-mingw32', 'lib', 'zlib1.dll'));
  const signature = Buffer.alloc(32);
  signature.write('Wine builtin DLL');
  signature.copy(library, 64);
  writeFileSync(copy, library);
}
