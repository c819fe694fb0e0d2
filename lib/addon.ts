// Finds the addon and loads it. A file of its own in dist, and in the plainest words: @vercel/ncc reads
// them to take the binary along, and cannot read what the rest of lib is bundled to.
import path = require('node:path');

export = function loadAddon(): unknown {
  // Not at the top of the file: under --permission it throws when it is loaded.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return (require('node-gyp-build') as (folder: string) => unknown)(path.join(__dirname, '..'));
};
