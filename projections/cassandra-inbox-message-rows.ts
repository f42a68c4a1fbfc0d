import type { CommandId, ConversationId, Seq, UserId } from '../schemas/ids.ts';
import type { RowWrite } from './cassandra-inbox-rows.ts';
import { uuidBytes } from '../event-log/bytes.ts';
import { bucketOf, idBytes } from './inbox-codes.ts';
import { chunkOf, dayOf, messageState, stampOf, storedContent, type StoredContent } from './cassandra-inbox-values.ts';
import type { InboxChange } from './project-inbox.ts';

type ChangeOf<T extends InboxChange['type']> = Extract<InboxChange, { type: T }>;

export interface MessageState {
  readonly sender: UserId;
  stored: StoredContent;
  /** Of the event that wrote its content. */
  contentRevision: number;
}

/** How many messages of one sender lie in a bucket, and the revision of the last event that was counted. */
export interface Count {
  readonly messages: number;
  readonly revision: number;
}

export const messageKey = (conversation: ConversationId, seq: Seq): string => `${conversation}/${seq}`;
export const countKey = (conversation: ConversationId, seq: Seq, sender: UserId): string =>
  `${conversation}/${bucketOf(seq)}/${sender}`;

/** What a batch writes of messages. What it needs of earlier ones was loaded into `messages` and `counts`. */
export interface MessageRows {
  sent(change: ChangeOf<'message-sent'>, place: number): void;
  /** False: the message was deleted, and stays so. */
  changed(change: ChangeOf<'message-edited'> | ChangeOf<'message-deleted'>, place: number, revision: number): boolean;
  command(change: ChangeOf<'command-stored'>): void;
  writes(): readonly RowWrite[];
}

export const messageRows = (messages: Map<string, MessageState>, counts: Map<string, Count>): MessageRows => {
  const rows = new Map<string, RowWrite>();
  const others: RowWrite[] = [];
  const counted = new Map<string, RowWrite>();

  const put = (
    key: string,
    stamp: number,
    conversation: ConversationId,
    seq: Seq,
    { state, content }: StoredContent,
    values: RowWrite['values'],
  ): void => {
    const isLong = state === messageState.long;
    const before = rows.get(key)?.values;
    const row = {
      conversation: idBytes(conversation),
      bucket: bucketOf(seq),
      seq,
      state,
      content: isLong ? '' : content,
    };
    rows.set(key, { table: 'message', stamp, values: { ...before, ...row, ...values } });
    // What was changed may have been long before.
    if (isLong || 'change_place' in values)
      rows.set(`${key}/long`, {
        table: 'long_text',
        stamp,
        values: { conversation: idBytes(conversation), seq, content: isLong ? content : '' },
      });
  };
  const count = (conversation: ConversationId, seq: Seq, sender: UserId, revision: number, more: number): void => {
    const key = countKey(conversation, seq, sender);
    const before = counts.get(key);
    if (before !== undefined && before.revision >= revision) return;
    const now = { messages: (before?.messages ?? 0) + more, revision };
    counts.set(key, now);
    const values = { conversation: idBytes(conversation), bucket: bucketOf(seq), sender: idBytes(sender), ...now };
    counted.set(key, { table: 'sent', stamp: stampOf(revision), values });
  };
  const storeCommand = (conversation: ConversationId, id: CommandId, revision: number, seq: Seq): void => {
    const values = { conversation: idBytes(conversation), day: dayOf(id), id: uuidBytes(id), revision, seq };
    others.push({ table: 'command', stamp: stampOf(revision), values });
  };

  return {
    sent({ conversation, seq, revision, messageId, by, time, content, replyTo }, place) {
      const key = messageKey(conversation, seq);
      const stored = storedContent(content);
      messages.set(key, { sender: by, stored, contentRevision: revision });
      put(key, stampOf(revision), conversation, seq, stored, {
        id: uuidBytes(messageId),
        sender: idBytes(by),
        time,
        reply_to: replyTo ?? -1,
        revision,
        sent_place: place,
        content_revision: revision,
      });
      count(conversation, seq, by, revision, 1);
      storeCommand(conversation, messageId, revision, seq);
    },
    changed(change, place, revision) {
      const { conversation, seq, version, time } = change;
      const key = messageKey(conversation, seq);
      const message = messages.get(key);
      if (message === undefined) throw new Error(`message ${seq} was not loaded`);
      // An event that comes again is not later than what it did.
      if (message.stored.state === messageState.deleted && message.contentRevision < revision) return false;
      const stored =
        change.type === 'message-deleted'
          ? { state: messageState.deleted, content: '' }
          : storedContent(change.content);
      [message.stored, message.contentRevision] = [stored, revision];
      put(key, stampOf(revision), conversation, seq, stored, {
        content_revision: revision,
        change_version: version,
        change_at: time,
        change_place: place,
      });
      const values = { conversation: idBytes(conversation), chunk: chunkOf(revision), place, seq };
      others.push({ table: 'change', stamp: stampOf(revision), values });
      if (change.type === 'message-deleted') count(conversation, seq, message.sender, revision, -1);
      return true;
    },
    command({ conversation, id, revision }) {
      storeCommand(conversation, id, revision, 0);
    },
    writes: () => [...rows.values(), ...counted.values(), ...others],
  };
};
