import type { MessageContent } from '../schemas/content.ts';
import type { ConversationId, Seq, UserId } from '../schemas/ids.ts';
import { subjectOf, type StreamKind } from '../schemas/streams.ts';
import type { ProjectedEvent } from './read-model.ts';

/** The kinds of streams a search index is made of. */
export const searchedStreams = ['conversation', 'user'] as const satisfies readonly StreamKind[];

/** One fact of an event as a search index sees it. What it says of a message or a member that is not there changes nothing. */
export type SearchChange =
  | {
      readonly change: 'message-sent';
      readonly conversationId: ConversationId;
      readonly seq: Seq;
      readonly by: UserId;
      readonly time: number;
      readonly content: MessageContent;
    }
  | {
      readonly change: 'message-edited';
      readonly conversationId: ConversationId;
      readonly seq: Seq;
      readonly content: MessageContent;
    }
  | { readonly change: 'message-gone'; readonly conversationId: ConversationId; readonly seq: Seq }
  | {
      readonly change: 'member-joined';
      readonly conversationId: ConversationId;
      readonly userId: UserId;
      readonly visibleFrom: Seq;
    }
  | { readonly change: 'member-gone'; readonly conversationId: ConversationId; readonly userId: UserId }
  | { readonly change: 'blocked' | 'unblocked'; readonly by: UserId; readonly userId: UserId }
  /** Everything this user wrote, in every conversation. */
  | { readonly change: 'author-erased'; readonly userId: UserId };

/** Throws on a critical event that this version does not know: whoever goes on would find what nobody may. */
export const projectSearch = (recorded: ProjectedEvent): readonly SearchChange[] => {
  const { event, stream, time, critical, type, schemaVersion } = recorded;
  if (event === undefined) {
    if (critical) throw new Error(`unknown critical event ${type} of version ${schemaVersion}`);
    return [];
  }
  const conversationId = subjectOf(stream) as ConversationId;
  switch (event.type) {
    case 'conversation-started':
      return event.members.map(({ userId }) => ({
        change: 'member-joined',
        conversationId,
        userId,
        visibleFrom: event.seq,
      }));
    case 'member-added':
      return [{ change: 'member-joined', conversationId, userId: event.userId, visibleFrom: event.visibleFrom }];
    case 'member-removed':
      return [{ change: 'member-gone', conversationId, userId: event.userId }];
    case 'member-left':
      return [{ change: 'member-gone', conversationId, userId: event.by }];
    case 'message-sent': {
      const { seq, by, content } = event;
      return content === null ? [] : [{ change: 'message-sent', conversationId, seq, by, time, content }];
    }
    case 'message-edited': {
      const { target: seq, content } = event;
      return content === null
        ? [{ change: 'message-gone', conversationId, seq }]
        : [{ change: 'message-edited', conversationId, seq, content }];
    }
    case 'message-deleted':
      return [{ change: 'message-gone', conversationId, seq: event.target }];
    case 'user-blocked':
    case 'user-unblocked':
      return [
        {
          change: event.type === 'user-blocked' ? 'blocked' : 'unblocked',
          by: subjectOf(stream) as UserId,
          userId: event.blocked,
        },
      ];
    case 'user-erased':
      return [{ change: 'author-erased', userId: subjectOf(stream) as UserId }];
    case 'conversation-renamed':
    case 'role-changed':
    case 'user-registered':
    case 'profile-changed':
    case 'contact-saved':
    case 'contact-removed':
    case 'chat-settings-changed':
    case 'sessions-ended':
    case 'user-disabled':
    case 'receipts-advanced':
    case 'came-online':
    case 'went-offline':
    case 'status-announced':
    case 'epoch-started':
      return [];
    default:
      return event satisfies never;
  }
};

/** The words of a message. */
export const searchedText = (content: MessageContent): string => {
  switch (content.type) {
    case 'text':
      return content.text;
    case 'location':
      return content.label ?? '';
  }
};

const cursorPattern = /^1\.([0-9a-z]{1,11})$/;

/** A cursor says below which place of the log to go on; a place stays what it is, so pages stay whole. */
export const encodeSearchCursor = (below: number): string => `1.${below.toString(36)}`;

export const decodeSearchCursor = (cursor: string): number | undefined => {
  const below = parseInt(cursorPattern.exec(cursor)?.[1] ?? '', 36);
  return Number.isSafeInteger(below) ? below : undefined;
};
