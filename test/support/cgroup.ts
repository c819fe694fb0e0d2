// CPU time as containers get it: a cgroup with a quota, by either version of the interface
// (Documentation/admin-guide/cgroup-v1, cgroup-v2.rst). Root's to make, and not in every container.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { only } from './platform';

const PERIOD_US = 100_000;

export class CpuQuota {
  static #count = 0;

  private constructor(readonly directory: string) {}

  /** `share` of one CPU. Throws where none can be made. */
  static make(share: number): CpuQuota {
    const name = `daemoniker-test-${process.pid}-${CpuQuota.#count++}`;
    const quota = String(PERIOD_US * share);
    const { path, isFirstVersion } = controller();
    const directory = join(path, name);
    mkdirSync(directory);
    try {
      if (isFirstVersion) {
        writeFileSync(join(directory, 'cpu.cfs_period_us'), String(PERIOD_US));
        writeFileSync(join(directory, 'cpu.cfs_quota_us'), quota);
      } else {
        writeFileSync(join(directory, 'cpu.max'), `${quota} ${PERIOD_US}`);
      }
    } catch (error) {
      rmdirSync(directory);
      throw error;
    }
    return new CpuQuota(directory);
  }

  /** From now on the process, with all its threads, has no more. */
  limit(pid: number): void {
    writeFileSync(join(this.directory, 'cgroup.procs'), String(pid));
  }

  /** How often somebody in it had to wait because the quota was used up. */
  throttled(): number {
    const stat = readFileSync(join(this.directory, 'cpu.stat'), 'latin1');
    return Number(/^nr_throttled (\d+)/m.exec(stat)?.[1]);
  }

  /** Whether it is gone; not while processes are left in it. */
  remove(): boolean {
    try {
      rmdirSync(this.directory);
      return true;
    } catch {
      return !existsSync(this.directory);
    }
  }
}

/** Where CPU time is distributed. */
function controller(): { path: string; isFirstVersion: boolean } {
  for (const line of readFileSync('/proc/self/mounts', 'latin1').split('\n')) {
    const [, path = '', type, options = ''] = line.split(' ');
    if (type === 'cgroup' && options.split(',').includes('cpu')) {
      return { path, isFirstVersion: true };
    }
    if (type !== 'cgroup2') continue;
    const controllers = readFileSync(join(path, 'cgroup.controllers'), 'latin1');
    if (controllers.trim().split(' ').includes('cpu')) {
      return { path, isFirstVersion: false };
    }
  }
  throw new Error('no cgroup distributes CPU time here');
}

/** Where this process may make one. */
export const withCpuQuota = only(
  'needs a cgroup with a CPU quota',
  process.platform === 'linux' && canMakeOne(),
);

function canMakeOne(): boolean {
  try {
    return CpuQuota.make(1).remove();
  } catch {
    return false;
  }
}
