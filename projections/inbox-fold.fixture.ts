import type { RecordedEvent } from '../schemas/events.ts';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import { conversationStream, receiptsStream, userStream } from '../schemas/streams.ts';

interface FoldedMessage {
  readonly by: UserId;
  text: string | null;
  deleted: boolean;
}

export interface ExpectedChat {
  readonly unread: number;
  /** By seq, from the first that may be seen. */
  readonly messages: readonly (readonly [seq: number, state: 'shown' | 'deleted' | 'hidden', text: string | null])[];
}

/** What a user should see of a conversation, folded event by event and counted one by one; undefined: nothing. */
export const foldChat = (
  events: readonly RecordedEvent[],
  user: UserId,
  id: ConversationId,
): ExpectedChat | undefined => {
  const messages: FoldedMessage[] = [];
  const blocked = new Set<UserId>();
  let visibleFrom: number | undefined;
  let read = 0;
  for (const { stream, event } of events) {
    if (event === undefined) continue;
    if (stream === userStream(user)) {
      if (event.type === 'user-blocked') blocked.add(event.blocked);
      if (event.type === 'user-unblocked') blocked.delete(event.blocked);
    }
    if (stream === receiptsStream(id) && event.type === 'receipts-advanced') {
      for (const mark of event.marks) if (mark.userId === user) read = Math.max(read, mark.read);
    }
    if (stream !== conversationStream(id)) continue;
    if (event.type === 'conversation-started' && event.members.some((member) => member.userId === user))
      visibleFrom = 0;
    if (event.type === 'member-added' && event.userId === user) visibleFrom = event.visibleFrom;
    if (event.type === 'member-removed' && event.userId === user) visibleFrom = undefined;
    if (event.type === 'member-left' && event.by === user) visibleFrom = undefined;
    if (event.type === 'message-sent') {
      messages.push({ by: event.by, text: event.content?.type === 'text' ? event.content.text : null, deleted: false });
      if (event.by === user) read = Math.max(read, event.seq);
    }
    if (event.type === 'message-edited' || event.type === 'message-deleted') {
      const target = messages[event.target - 1];
      if (target === undefined) throw new Error('no such message');
      if (event.type === 'message-deleted') target.deleted = true;
      else target.text = event.content?.type === 'text' ? event.content.text : null;
    }
  }
  if (visibleFrom === undefined) return undefined;
  const from = visibleFrom;
  const numbered = messages.map((message, index) => ({ ...message, seq: index + 1 })).filter(({ seq }) => seq > from);
  return {
    unread: numbered.filter(({ seq, by, deleted }) => seq > read && by !== user && !deleted && !blocked.has(by)).length,
    messages: numbered.map(({ seq, by, text, deleted }) => {
      if (deleted) return [seq, 'deleted', null];
      return blocked.has(by) ? [seq, 'hidden', null] : [seq, 'shown', text];
    }),
  };
};
