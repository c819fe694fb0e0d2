// Where Node's headers are, so that node-gyp need not download them: beside the running node, if it
// came with them. Closed networks and CI images often can't download.
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { realpathSync } from 'node:fs';

export function nodedirArguments() {
  if (process.env.npm_config_nodedir) return [];
  const prefix = resolve(dirname(realpathSync(process.execPath)), '..');
  return existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? [`--nodedir=${prefix}`] : [];
}
