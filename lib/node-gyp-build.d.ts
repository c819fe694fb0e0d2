declare module 'node-gyp-build' {
  /** Loads the addon of the package in that folder: a fitting prebuild, or a local build. */
  function load(packageFolder: string): unknown;
  export = load;
}
