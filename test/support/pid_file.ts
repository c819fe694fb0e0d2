/** What a PID file of this package holds that was written under its lock. */
export function contentHeldBy(pid: number | string): string {
  return `${pid}\n\n\n`;
}
