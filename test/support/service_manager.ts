// The addon's way to the service manager of Windows, which the command line uses (lib/native.ts).
import { createRequire } from 'node:module';
import { ROOT } from './runtime';

/** Errors are numbers of Windows'. */
export interface ServiceManager {
  delete(name: string): number;
  control(name: string, control: number): number;
  query(name: string): { error: number; state: number; pid: number; checkpoint: number };
  /** `role`: 0 a file, 1 the directory of one, 2 a directory further up. */
  whoMayChange(path: string, role: number): { error: number; account: string };
}

export function serviceManager(): ServiceManager {
  const load = createRequire(__filename)('node-gyp-build') as (root: string) => {
    services: ServiceManager;
  };
  return load(ROOT).services;
}
