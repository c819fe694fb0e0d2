// What keeps an event loop alive, in a few words: "TCPServerWrap, Timeout (3)".

const MOST = 8;

export function describeOpenResources(host: NodeJS.Process): string {
  const counts = new Map<string, number>();
  for (const kind of openResources(host)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const kinds = [...counts].map(([kind, count]) => (count === 1 ? kind : `${kind} (${count})`));
  return kinds.length > MOST ? `${kinds.slice(0, MOST).join(', ')}, …` : kinds.join(', ');
}

/** Nothing in Bun, which does not tell. */
function openResources(host: NodeJS.Process): readonly string[] {
  return 'getActiveResourcesInfo' in host ? host.getActiveResourcesInfo() : [];
}
