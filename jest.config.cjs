/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/test/{e2e,unit}/**/*.test.ts'],
  transform: {
    '\\.ts$': ['ts-jest', { tsconfig: '<rootDir>/test/tsconfig.json', diagnostics: false }],
  },
  setupFilesAfterEnv: ['<rootDir>/test/support/umask.ts'],
  // Signals, clocks and many processes: one file at a time is steadier and hardly slower.
  maxWorkers: 1,
  testTimeout: 120_000,
};
