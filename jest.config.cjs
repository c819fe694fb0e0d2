/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/test/{e2e,unit}/**/*.test.ts'],
  transform: {
    '\\.ts$': ['ts-jest', { tsconfig: '<rootDir>/test/tsconfig.json', diagnostics: false }],
  },
  setupFilesAfterEnv: ['<rootDir>/test/support/umask.ts'],
  // Most of a test is waiting for a process, so four files share even one processor well.
  maxWorkers: 4,
  testTimeout: 240_000,
};
