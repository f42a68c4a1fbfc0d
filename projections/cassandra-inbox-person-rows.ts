import { slotOf, type UserId } from '../schemas/ids.ts';
import type { RowWrite } from './cassandra-inbox-rows.ts';
import { availabilities, idBytes } from './inbox-codes.ts';
import { personChunkOf, stampOf } from './cassandra-inbox-values.ts';
import type { InboxChange } from './project-inbox.ts';

/** What people say of themselves, whom they block, and how they have their chats. */
export type PersonChange = Extract<
  InboxChange,
  {
    type:
      | 'user-registered'
      | 'user-erased'
      | 'profile-changed'
      | 'user-blocked'
      | 'user-unblocked'
      | 'chat-settings-changed'
      | 'came-online'
      | 'went-offline'
      | 'status-announced';
  }
>;

export interface PersonRows {
  /** `erased` says whether the user was erased before. */
  write(change: PersonChange, place: number, revision: number, isErased: boolean): void;
  writes(): readonly RowWrite[];
}

/** Every one of them is said by its event alone, so nothing has to be known of before. */
export const personRows = (): PersonRows => {
  const rows = new Map<string, RowWrite>();
  const others: RowWrite[] = [];

  /** Joins what a batch writes of a row from one stream. */
  const put = (key: string, write: RowWrite): void => {
    rows.set(key, { ...write, values: { ...rows.get(key)?.values, ...write.values } });
  };
  const changeProfile = (user: UserId, place: number, stamp: number): void => {
    others.push({
      table: 'person_change',
      stamp,
      values: { chunk: personChunkOf(place), place, user: idBytes(user) },
    });
  };

  return {
    write(change, place, revision, isErased) {
      const stamp = stampOf(revision);
      const user = idBytes(change.user);
      const ofUser = (values: RowWrite['values']): void =>
        put(`user/${change.user}`, { table: 'person', stamp, values: { user, ...values } });
      const ofPresence = (values: RowWrite['values']): void =>
        put(`presence/${change.user}`, { table: 'person', stamp, values: { user, ...values } });
      const online = (isOnline: boolean): void =>
        put(`online/${change.user}`, {
          table: 'online',
          stamp,
          values: { slot: slotOf(change.user), user, online: isOnline },
        });
      switch (change.type) {
        case 'user-registered':
          ofUser({ registered: true });
          return;
        case 'profile-changed':
          if (isErased) return;
          ofUser({
            display_name: change.displayName ?? '',
            status_text: change.statusText ?? '',
            profile_place: place,
          });
          changeProfile(change.user, place, stamp);
          return;
        case 'user-erased':
          ofUser({ erased: true, display_name: '', status_text: '', profile_place: place });
          changeProfile(change.user, place, stamp);
          return;
        case 'user-blocked':
        case 'user-unblocked': {
          const [blocked, blocks] = [idBytes(change.blocked), change.type === 'user-blocked'];
          put(`block/${change.user}/${change.blocked}`, { table: 'block', stamp, values: { user, blocked, blocks } });
          ofUser({ blocks_place: place });
          return;
        }
        case 'chat-settings-changed': {
          const { conversation, mutedUntil: muted_until, pinned, archivedAt } = change;
          put(`setting/${change.user}/${conversation}`, {
            table: 'chat',
            stamp,
            values: {
              user,
              conversation: idBytes(conversation),
              muted_until,
              pinned,
              archived_at: archivedAt ?? -1,
              setting_place: place,
            },
          });
          return;
        }
        case 'came-online':
          ofPresence({ online: true, presence_version: change.version });
          online(true);
          return;
        case 'went-offline':
          ofPresence({ online: false, last_seen: change.lastSeen, presence_version: change.version });
          online(false);
          return;
        case 'status-announced':
          ofPresence({
            availability: availabilities.indexOf(change.availability),
            presence_status: isErased ? '' : (change.text ?? ''),
            presence_version: change.version,
          });
          return;
        default:
          change satisfies never;
      }
    },
    writes: () => [...rows.values(), ...others],
  };
};
