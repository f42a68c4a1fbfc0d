import { everySlot } from '../schemas/slots.ts';
import { slotOf, type UserId } from '../schemas/ids.ts';
import { clampLimit, nothingShown, type Presence } from './inbox.ts';
import { isPresentIn } from './cassandra-inbox-chats.ts';
import { askerOf, chatRows, inOrder, type InboxReads } from './cassandra-inbox-read.ts';
import { availabilities, idBytes } from './inbox-codes.ts';
import { isTrue, numberOr, textOrNull, userIdIn } from './cassandra-inbox-values.ts';

export const presenceQueries = (reads: InboxReads) => {
  const { store } = reads;

  /** How many members the smallest of the chats has that both are in; undefined: they share none. */
  const smallestShared = async (mine: ReadonlyMap<string, number>, other: UserId): Promise<number | undefined> => {
    const rows = await store.rows('chat', 'conversation, role', 'user = ?', [idBytes(other)]);
    const shared = rows
      .filter((row) => numberOr(row, 'role', -1) >= 0)
      .flatMap((row) => mine.get((row['conversation'] as Buffer).toString('base64url')) ?? []);
    return shared.length === 0 ? undefined : Math.min(...shared);
  };

  return {
    async presence(user: UserId, of: readonly UserId[], mostMembers: number): Promise<readonly Presence[]> {
      const asked = of.slice(0, clampLimit(of.length));
      const [{ blocked }, chats] = await Promise.all([askerOf(reads, user), chatRows(store, user)]);
      const mine = new Map(chats.filter(isPresentIn).map((row) => [row.conversation as string, row.members]));
      const shownTo = async (other: UserId): Promise<Presence['shown']> => {
        if (other === user) return 'live';
        if (blocked.has(other)) return 'none';
        const [back] = await store.rows('block', 'blocks', 'user = ? AND blocked = ?', [idBytes(other), idBytes(user)]);
        if (back !== undefined && isTrue(back, 'blocks')) return 'none';
        const members = await smallestShared(mine, other);
        if (members === undefined) return 'none';
        return members > mostMembers ? 'asked' : 'live';
      };
      return inOrder(asked, async (other): Promise<Presence> => {
        const [[row], shown] = await Promise.all([
          store.rows('person', '*', 'user = ?', [idBytes(other)]),
          shownTo(other),
        ]);
        if (shown === 'none' || (row !== undefined && isTrue(row, 'erased'))) return { ...nothingShown, userId: other };
        if (row === undefined) return { ...nothingShown, userId: other, shown };
        const online = isTrue(row, 'online');
        return {
          userId: other,
          shown,
          online,
          lastSeen: online ? null : numberOr(row, 'last_seen', null),
          availability: availabilities[numberOr(row, 'availability', 0)] ?? 'available',
          statusText: textOrNull(row, 'presence_status'),
          version: numberOr(row, 'presence_version', 0),
        };
      });
    },
    /** Slot by slot, in the order of the ids in each. */
    async onlineAfter(user: UserId | null, limit: number): Promise<readonly UserId[]> {
      const most = clampLimit(limit);
      const found: UserId[] = [];
      for (const slot of everySlot.slice(user === null ? 0 : slotOf(user))) {
        if (found.length >= most) break;
        const isWithin = user !== null && slot === slotOf(user);
        const rows = isWithin
          ? await store.rows('online', 'user, online', 'slot = ? AND user > ?', [slot, idBytes(user)])
          : await store.rows('online', 'user, online', 'slot = ?', [slot]);
        found.push(...rows.filter((row) => isTrue(row, 'online')).map((row) => userIdIn(row, 'user')));
      }
      return found.slice(0, most);
    },
  };
};
