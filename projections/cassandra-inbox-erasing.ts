import type { ConversationId, UserId } from '../schemas/ids.ts';
import type { RowWrite } from './cassandra-inbox-rows.ts';
import { inParallel, type InboxStore } from './cassandra-inbox-store.ts';
import { bucketOf, idBytes } from './inbox-codes.ts';
import {
  conversationIdIn,
  erasureOf,
  messageState,
  noContent,
  numberIn,
  numberOr,
  previewIn,
  stampOf,
  userIdIn,
  type Row,
} from './cassandra-inbox-values.ts';

const conversationsAtOnce = 4;

/**
 * Overwrites what an erased person wrote, and what copies show of it. Nobody is shown it any more since the event of the
 * erasure was applied. Doing it again changes nothing.
 */
export const eraseTexts = async (store: InboxStore, user: UserId, signal: AbortSignal): Promise<void> => {
  const id = idBytes(user);
  const [person] = await store.rows('person', 'presence_version', 'user = ?', [id]);
  const version = person && numberOr(person, 'presence_version', undefined);
  if (version !== undefined) {
    const stamp = erasureOf(stampOf(version - 1));
    await store.write([{ table: 'person', stamp, values: { user: id, presence_status: '' } }]);
  }
  const chats = await store.rows('chat', 'conversation, role', 'user = ?', [id]);
  const conversations = chats.filter((row) => row['role'] !== null).map((row) => conversationIdIn(row, 'conversation'));
  await inParallel(conversations, conversationsAtOnce, async (conversation) => {
    signal.throwIfAborted();
    await eraseIn(store, user, conversation, signal);
  });
};

const eraseIn = async (
  store: InboxStore,
  user: UserId,
  conversation: ConversationId,
  signal: AbortSignal,
): Promise<void> => {
  const id = idBytes(conversation);
  const [row] = await store.rows('conversation', 'seq, revision, last', 'conversation = ?', [id]);
  if (row === undefined) return;
  for (let bucket = 0; bucket <= bucketOf(numberOr(row, 'seq', 0)); bucket++) {
    signal.throwIfAborted();
    const key = [id, BigInt(bucket)];
    const sent = await store.rows('sent', 'messages', 'conversation = ? AND bucket = ? AND sender = ?', [
      ...key,
      idBytes(user),
    ]);
    if (sent.length === 0) continue;
    const messages = await store.rows(
      'message',
      'bucket, seq, sender, state, content_revision',
      'conversation = ? AND bucket = ?',
      key,
    );
    await store.write(messages.flatMap((message) => gone(message, user, id)));
  }
  await store.write([...lastGone(row, user, { table: 'conversation', values: { conversation: id } })]);
  const members = await store.rows('member', 'user', 'conversation = ?', [id]);
  await inParallel(members, conversationsAtOnce, async (member) => {
    const key = { user: idBytes(userIdIn(member, 'user')), conversation: id };
    const [copy] = await store.rows('chat', 'revision, last', 'user = ? AND conversation = ?', [key.user, id]);
    if (copy !== undefined) await store.write([...lastGone(copy, user, { table: 'chat', values: key })]);
  });
};

const hasContent: ReadonlySet<number> = new Set([messageState.text, messageState.json, messageState.long]);

const gone = (row: Row, user: UserId, conversation: Buffer): readonly RowWrite[] => {
  const state = numberOr(row, 'state', messageState.none);
  if (row['sender'] === null || userIdIn(row, 'sender') !== user || !hasContent.has(state)) return [];
  const stamp = erasureOf(stampOf(numberIn(row, 'content_revision')));
  const seq = numberIn(row, 'seq');
  const values = { conversation, bucket: numberIn(row, 'bucket'), seq, ...noContent };
  const long: RowWrite = { table: 'long_text', stamp, values: { conversation, seq, content: '' } };
  return [{ table: 'message', stamp, values }, ...(state === messageState.long ? [long] : [])];
};

function* lastGone(row: Row, user: UserId, { table, values }: Omit<RowWrite, 'stamp'>): Generator<RowWrite> {
  const last = previewIn(row);
  if (last?.by !== user || last.content === null) return;
  const stamp = erasureOf(stampOf(numberIn(row, 'revision')));
  yield { table, stamp, values: { ...values, last: JSON.stringify({ ...last, content: null, cut: false }) } };
}
