import { describe } from 'vitest';
import { inboxChatsContract } from './inbox-chats.contract.ts';
import { inboxHistoryContract } from './inbox-history.contract.ts';
import { inboxMissedContract } from './inbox-missed.contract.ts';
import { inboxPresenceContract } from './inbox-presence.contract.ts';
import { inboxRowsContract } from './inbox-rows.contract.ts';
import type { NewInboxPlace } from './inbox-under-test.fixture.ts';
import { inboxUnreadContract } from './inbox-unread.contract.ts';

/** What every inbox keeps, whatever store it lies in. */
export const inboxContract = (name: string, newPlace: NewInboxPlace): void => {
  describe(`inbox: ${name}`, () => {
    inboxChatsContract(newPlace);
    inboxHistoryContract(newPlace);
    inboxUnreadContract(newPlace);
    inboxMissedContract(newPlace);
    inboxPresenceContract(newPlace);
    inboxRowsContract(newPlace);
  });
};
