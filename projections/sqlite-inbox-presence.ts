import type { DatabaseSync } from 'node:sqlite';
import type { UserId } from '../schemas/ids.ts';
import { nothingShown, type Presence } from './inbox.ts';
import { inboxAccess, type Asker } from './sqlite-inbox-access.ts';
import { availabilities, idBytes } from './inbox-codes.ts';
import { numberIn, numberOrNull, textOrNull, userIdIn } from './sqlite-inbox-file.ts';

export const presenceQueries = (db: DatabaseSync) => {
  const { asker } = inboxAccess(db);
  const find = db.prepare(`SELECT user.no, online, last_seen, availability, status, coalesce(version, 0) AS version
    FROM user LEFT JOIN presence ON presence.user = user.no WHERE id = ? AND erased = 0`);
  const smallestShared = db.prepare(`SELECT min(members) AS members FROM member AS mine
    JOIN member AS theirs ON theirs.conversation = mine.conversation AND theirs.user = ?2 AND theirs.role IS NOT NULL
    JOIN conversation ON conversation.no = mine.conversation
    WHERE mine.user = ?1 AND mine.role IS NOT NULL`);
  const blocks = db.prepare('SELECT 1 FROM block WHERE user = ? AND blocked = ?');
  const online = db.prepare(`SELECT id FROM presence JOIN user ON user.no = presence.user
    WHERE online = 1 AND id > ? ORDER BY id LIMIT ?`);

  const shownTo = (by: Asker, other: number, mostMembers: number): Presence['shown'] => {
    if (by.no === other) return 'live';
    if (by.blocked.has(other) || blocks.get(other, by.no) !== undefined) return 'none';
    const members = numberOrNull(smallestShared.get(by.no, other) ?? { members: null }, 'members');
    if (members === null) return 'none';
    return members > mostMembers ? 'asked' : 'live';
  };

  return {
    presence(user: UserId, of: readonly UserId[], mostMembers: number): readonly Presence[] {
      const by = asker(user);
      return of.map((other) => {
        const row = by && find.get(idBytes(other));
        const shown = by && row ? shownTo(by, numberIn(row, 'no'), mostMembers) : 'none';
        if (row === undefined || shown === 'none') return { ...nothingShown, userId: other };
        return {
          userId: other,
          shown,
          online: row['online'] === 1,
          lastSeen: row['online'] === 1 ? null : numberOrNull(row, 'last_seen'),
          availability: availabilities[numberOrNull(row, 'availability') ?? 0] ?? 'available',
          statusText: textOrNull(row, 'status'),
          version: numberIn(row, 'version'),
        };
      });
    },
    onlineAfter: (user: UserId | null, limit: number): readonly UserId[] =>
      online.all(user === null ? new Uint8Array() : idBytes(user), limit).map((row) => userIdIn(row, 'id')),
  };
};
