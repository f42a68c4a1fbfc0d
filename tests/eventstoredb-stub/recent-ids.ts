/** About as many as the real server's 8 MiB hold. */
const capacity = 80_000;

/** The ids of the latest events, of each the first revision it was written at. */
export class RecentIds {
  private readonly revisions = new Map<string, bigint>();

  add(stream: string, id: string, revision: bigint): void {
    const key = keyOf(stream, id);
    if (this.revisions.has(key)) return;
    this.revisions.set(key, revision);
    if (this.revisions.size <= capacity) return;
    for (const oldest of this.revisions.keys()) {
      this.revisions.delete(oldest);
      return;
    }
  }

  revisionOf(stream: string, id: string): bigint | undefined {
    return this.revisions.get(keyOf(stream, id));
  }
}

const keyOf = (stream: string, id: string): string => `${id} ${stream}`;
