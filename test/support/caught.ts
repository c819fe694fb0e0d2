/** What a function throws; fails when it throws nothing. */
export function caught(run: () => unknown): Error & Record<string, unknown> {
  let value: unknown;
  try {
    value = run();
  } catch (error) {
    return error as Error & Record<string, unknown>;
  }
  throw new Error(`nothing was thrown, but returned: ${String(value)}`);
}
