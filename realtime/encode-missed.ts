import { marksShownToMember } from '../domain/visibility.ts';
import type { MissedItem } from '../projections/inbox.ts';
import type { CommandId, UserId } from '../schemas/ids.ts';
import type { BlockList } from './block-list.ts';
import { encodeFrame, receiptsFrame } from './encode-frame.ts';

interface MissedFrame {
  readonly frame: Buffer;
  /** Of a message the user sent itself. */
  readonly sent: CommandId | undefined;
}

interface Reader {
  readonly userId: UserId;
  readonly blocks: Pick<BlockList, 'hides'>;
}

/** The frame that tells a user of an item; undefined: it is not for the user. */
export const missedFrame = (item: MissedItem, reader: Reader, receiptsMembers: number): MissedFrame | undefined => {
  const { userId } = reader;
  switch (item.type) {
    case 'conversation': {
      const { place: _, members, ...conversation } = item;
      return { frame: encodeFrame({ ...conversation, members: [...members] }), sent: undefined };
    }
    case 'ended': {
      const { conversationId, by, time, version } = item;
      const change = { conversationId, by, time, version };
      const frame = encodeFrame(
        by === userId ? { type: 'member-left', ...change } : { type: 'member-removed', ...change, userId },
      );
      return { frame, sent: undefined };
    }
    case 'sent':
      return { frame: messageFrame(item, reader), sent: item.by === userId ? item.messageId : undefined };
    case 'changed':
      return { frame: changedFrame(item, reader), sent: undefined };
    case 'marks': {
      const { conversationId, marks, visibleFrom, memberCount, time } = item;
      const shown = marksShownToMember(userId, visibleFrom, memberCount, marks, receiptsMembers);
      return shown.length === 0 ? undefined : { frame: receiptsFrame(conversationId, shown, time), sent: undefined };
    }
    default:
      return item satisfies never;
  }
};

type MissedMessage = Extract<MissedItem, { type: 'sent' | 'changed' }>;

const messageFrame = (item: MissedMessage, { blocks }: Reader): Buffer => {
  const { conversationId, seq, messageId, by, time, content, replyTo } = item;
  const message = { type: 'message', conversationId, seq, messageId, by, time } as const;
  if (blocks.hides(by)) return encodeFrame({ ...message, content: null, hidden: true });
  return encodeFrame({ ...message, content, ...(replyTo === null ? {} : { replyTo }) });
};

/** Only authors edit and delete. */
const changedFrame = (item: MissedMessage, { blocks }: Reader): Buffer => {
  const { conversationId, seq, by, content, deleted, version, changedAt } = item;
  const change = { conversationId, by, time: changedAt ?? item.time, version, seq };
  if (deleted) return encodeFrame({ type: 'deleted', ...change });
  if (blocks.hides(by)) return encodeFrame({ type: 'edited', ...change, content: null, hidden: true });
  return encodeFrame({ type: 'edited', ...change, content });
};
