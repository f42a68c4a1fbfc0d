import type { DatabaseSync } from 'node:sqlite';
import type { InboxChange } from './project-inbox.ts';
import { availabilities } from './inbox-codes.ts';

type PresenceChange = Extract<InboxChange, { type: 'came-online' | 'went-offline' | 'status-announced' }>;

export interface PresenceRows {
  write(change: PresenceChange, user: number, isErased: boolean): void;
  /** Takes away what a user said of itself. */
  erase(user: number): void;
  /** Removes what the user's presence stream put here. */
  forget(user: number): void;
}

export const presenceRows = (db: DatabaseSync): PresenceRows => {
  const comeOnline = db.prepare(`INSERT INTO presence (user, online, version) VALUES (?, 1, ?)
    ON CONFLICT DO UPDATE SET online = 1, version = excluded.version`);
  const goOffline = db.prepare(`INSERT INTO presence (user, last_seen, version) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET online = 0, last_seen = excluded.last_seen, version = excluded.version`);
  const announce = db.prepare(`INSERT INTO presence (user, availability, status, version) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET availability = excluded.availability, status = excluded.status, version = excluded.version`);
  const eraseStatus = db.prepare('UPDATE presence SET status = NULL WHERE user = ?');
  const remove = db.prepare('DELETE FROM presence WHERE user = ?');

  return {
    write(change, user, isErased) {
      switch (change.type) {
        case 'came-online':
          comeOnline.run(user, change.version);
          return;
        case 'went-offline':
          goOffline.run(user, change.lastSeen, change.version);
          return;
        case 'status-announced': {
          const text = isErased ? null : change.text;
          announce.run(user, availabilities.indexOf(change.availability), text, change.version);
          return;
        }
        default:
          change satisfies never;
      }
    },
    erase: (user) => void eraseStatus.run(user),
    forget: (user) => void remove.run(user),
  };
};
