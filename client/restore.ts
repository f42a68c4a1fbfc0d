import { chatFrom } from './chats.ts';
import type { Core } from './core.ts';
import { nothingEphemeral } from './ephemeral.ts';
import { append } from './outbox.ts';
import type { Account, CacheSize, Chat, ChatRecord, Item, Message, State } from './state.ts';
import type { Json } from './storage.ts';

const nobody: Account = { userId: null, cursor: null, chatsAsOf: null, version: 0, ahead: 0 };

/** The state as it was stored; `now`: when the first connection is due. */
export const restore = (stored: ReadonlyMap<string, Json>, cache: CacheSize, now: number): Core => {
  const { chats, items, account } = sort(stored);
  const state: State = {
    cache,
    account,
    connection: { phase: 'resting', until: now },
    failures: 0,
    chats,
    lanes: new Map(),
    byId: new Map(),
    opened: new Map(),
    failed: new Map(),
    nextOrder: (items.at(-1)?.order ?? 0) + 1,
    nextConnection: 1,
    holding: new Set(),
    ahead: new Set(),
    marksDue: new Set(),
    unblocked: new Set(),
    ephemeral: nothingEphemeral(),
    readsDue: new Map(),
  };
  for (const item of items) {
    if (item.failed === null) append({ state }, item, true);
    else state.failed.set(item.key, item);
  }
  for (const chat of chats.values()) lookOver(state, chat);
  const byActivity = [...chats.values()].sort((one, other) => one.record.activeAt - other.record.activeAt);
  for (const { held, record } of byActivity) if (held.length > 0) state.holding.add(record.conversationId);
  return { state, changes: new Map(), effects: [], touched: new Set() };
};

/** By the part of the key before its first slash. The values are what `storeAccount` and its like wrote. */
const sort = (stored: ReadonlyMap<string, Json>) => {
  const chats: State['chats'] = new Map();
  const messages: [string, Message][] = [];
  const items: Item[] = [];
  let account = nobody;
  for (const [key, value] of stored) {
    const [kind, id = ''] = key.split('/');
    if (kind === 'account') account = value as Json & Account;
    else if (kind === 'chat') chats.set(id, chatFrom(value as Json & ChatRecord));
    else if (kind === 'message') messages.push([id, value as Json & Message]);
    else if (kind === 'outbox') items.push(value as Json & Item);
  }
  for (const [id, message] of messages) chats.get(id)?.held.push(message);
  items.sort((one, other) => one.order - other.order);
  return { chats, items, account };
};

/** What is not stored with every message follows from the messages. */
const lookOver = ({ ahead, marksDue, account }: State, chat: Chat): void => {
  chat.held.sort((one, other) => one.seq - other.seq);
  const { conversationId } = chat.record;
  let { through, wantedDelivered, ownSeq, activeAt, seq: newest } = chat.record;
  for (const { seq, by, time } of chat.held) {
    if (seq === through + 1) through = seq;
    if (by === account.userId) ownSeq = Math.max(ownSeq, seq);
    else if (seq <= through) wantedDelivered = Math.max(wantedDelivered, seq);
    activeAt = Math.max(activeAt, time);
    newest = Math.max(newest, seq);
  }
  chat.record = { ...chat.record, through, wantedDelivered, ownSeq, activeAt, seq: newest };
  if (newest > through) ahead.add(conversationId);
  marksDue.add(conversationId);
};
