import type { ServerFrameOf } from '../schemas/frames.ts';
import { chatOf, recount } from './chats.ts';
import { isLive } from './connection.ts';
import { answerOf, emit, keys, storeChat, storeMessage, type Core } from './core.ts';
import { endTyping } from './ephemeral.ts';
import { wantDelivered } from './marks.ts';
import { complete } from './outbox.ts';
import { requestRead } from './reads-due.ts';
import type { Chat, Message } from './state.ts';

/** Where a seq stands among those held, or would stand. */
const indexOf = (held: readonly Message[], seq: number): number => {
  let [low, high] = [0, held.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((held[middle]?.seq ?? 0) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
};

export const heldAt = ({ held }: Chat, seq: number): Message | undefined => {
  const found = held[indexOf(held, seq)];
  return found?.seq === seq ? found : undefined;
};

/** Puts a message at its place; one that is there stays as it is unless this one is newer. */
export const place = (core: Core, conversationId: string, given: Message): void => {
  const chat = chatOf(core, conversationId);
  const { held, record, early } = chat;
  const change = early.get(given.seq);
  const message = change !== undefined && change.version > given.version ? { ...given, ...change } : given;
  early.delete(given.seq);
  const known = heldAt(chat, message.seq);
  if (known !== undefined) {
    if (isNewer(message, known)) replace(core, chat, message);
    return;
  }
  if (message.seq <= record.through) return;
  held.splice(indexOf(held, message.seq), 0, message);
  storeMessage(core, conversationId, message);
  const isOwn = message.by === core.state.account.userId;
  const unanswered = isOwn ? core.state.byId.get(message.messageId) : undefined;
  const { seq, time } = message;
  // Its answer was lost, or is yet to come: this is as good.
  if (unanswered !== undefined) complete(core, unanswered, answerOf({ conversationId, seq, time }));
  chat.record = {
    ...record,
    seq: Math.max(record.seq, seq),
    activeAt: Math.max(record.activeAt, time),
    ownSeq: isOwn ? Math.max(record.ownSeq, seq) : record.ownSeq,
  };
  advance(core, chat);
};

/** A placeholder of a block gives way to what the server shows now, though its version is the same. */
const isNewer = (one: Message, known: Message): boolean =>
  one.version > known.version || (one.version === known.version && known.state === 'hidden' && one.state === 'shown');

/** Tells of every message that has no hole before it any more. */
export const advance = (core: Core, chat: Chat): void => {
  const { state } = core;
  const { conversationId } = chat.record;
  let { through } = chat.record;
  const live = isLive(core);
  for (let at = indexOf(chat.held, through + 1); chat.held[at]?.seq === through + 1; at++) {
    const message = chat.held[at];
    if (message === undefined) break;
    through++;
    endTyping(core, conversationId, message.by);
    emit(core, 'message', { conversationId, message, live });
    if (message.by !== state.account.userId) wantDelivered(core, chat, message.seq);
  }
  chat.record = { ...chat.record, through };
  if (through >= chat.record.seq) state.ahead.delete(conversationId);
  else state.ahead.add(conversationId);
  core.touched.add(conversationId);
  trim(core, chat);
};

/** Keeps the cache within its size. What was told goes first; what waits behind a hole stays. */
const trim = (core: Core, chat: Chat): void => {
  const { cache, holding } = core.state;
  const { conversationId, through } = chat.record;
  holding.delete(conversationId);
  holding.add(conversationId);
  if (holding.size > cache.chats) dropLongestUnused(core);
  // Some at a time, because the record is stored with it: it says that what was dropped had been told.
  if (chat.held.length <= cache.messages * 1.5) return;
  const surplus = Math.min(chat.held.length - cache.messages, indexOf(chat.held, through + 1));
  dropFirst(core, chat, surplus);
};

const dropFirst = (core: Core, chat: Chat, count: number): void => {
  const { conversationId } = chat.record;
  for (const { seq } of chat.held.splice(0, count)) core.changes.set(keys.message(conversationId, seq), null);
  storeChat(core, chat, {});
};

const dropLongestUnused = (core: Core): void => {
  const { holding, ahead, chats } = core.state;
  for (const id of holding) {
    const chat = chats.get(id);
    if (chat === undefined || ahead.has(id)) continue;
    dropHeld(core, chat);
    return;
  }
};

const mostOfPreview = 200;

const dropHeld = (core: Core, chat: Chat): void => {
  const last = lastMessageOf(chat);
  const content =
    last?.content?.type === 'text'
      ? { ...last.content, text: last.content.text.slice(0, mostOfPreview) }
      : last?.content;
  chat.record = { ...chat.record, preview: last && { ...last, content: content ?? null } };
  core.state.holding.delete(chat.record.conversationId);
  core.state.ahead.delete(chat.record.conversationId);
  dropFirst(core, chat, chat.held.length);
};

/** The newest message, as far as it is known. */
export const lastMessageOf = ({ held, record: { preview } }: Chat): Message | null => {
  const last = held.at(-1);
  return last !== undefined && last.seq >= (preview?.seq ?? 0) ? last : preview;
};

const replace = (core: Core, chat: Chat, message: Message): void => {
  const { conversationId } = chat.record;
  chat.held[indexOf(chat.held, message.seq)] = message;
  storeMessage(core, conversationId, message);
  core.touched.add(conversationId);
  const { seq, version, state, content } = message;
  // What waits behind a hole is told with its message.
  if (seq <= chat.record.through) emit(core, 'changed', { conversationId, seq, version, state, content });
};

export const changeMessage = (core: Core, frame: ServerFrameOf<'edited'> | ServerFrameOf<'deleted'>): void => {
  const { conversationId, seq, version } = frame;
  const chat = core.state.chats.get(conversationId);
  if (chat === undefined) return;
  const content = frame.type === 'edited' ? frame.content : null;
  const state = frame.type === 'deleted' ? 'deleted' : frame.hidden === true ? 'hidden' : 'shown';
  const known = heldAt(chat, seq);
  if (known === undefined && seq > chat.record.through) {
    // It is told with its message.
    if (version > (chat.early.get(seq)?.version ?? 0)) chat.early.set(seq, { version, state, content });
  } else if (known === undefined) {
    emit(core, 'changed', { conversationId, seq, version, state, content });
    if (state === 'deleted') recount(core, chat);
  } else if (version > known.version) replace(core, chat, { ...known, version, state, content });
};

/** Everything up to the cursor has come: what is missing now does not come by itself. */
export const fillHoles = (core: Core): void => {
  const { ahead, chats, cache } = core.state;
  for (const conversationId of ahead) {
    const chat = chats.get(conversationId);
    if (chat === undefined) continue;
    const { through, seq } = chat.record;
    const after = seq - through > cache.messages ? null : through;
    requestRead(core, { name: 'messages', conversationId, after });
  }
};

/** A page that an application asked for: news of what is held, and the newest page where none is held any more. */
export const takeHistory = (core: Core, conversationId: string, messages: readonly Message[]): void => {
  const chat = core.state.chats.get(conversationId);
  if (chat === undefined) return;
  for (const message of messages) if (heldAt(chat, message.seq) !== undefined) place(core, conversationId, message);
  if (chat.held.length > 0 || messages.at(-1)?.seq !== chat.record.through) return;
  chat.held.push(...messages);
  for (const message of messages) storeMessage(core, conversationId, message);
  trim(core, chat);
};

/** A page of history as it is now; `after` null: the newest, whatever lies between it and what was told. */
export const takePage = (
  core: Core,
  conversationId: string,
  after: number | null,
  messages: readonly Message[],
): void => {
  const chat = core.state.chats.get(conversationId);
  const [first] = messages;
  if (chat === undefined || first === undefined) return;
  const { through } = chat.record;
  if (after === null && first.seq > through + 1) {
    emit(core, 'skipped', { conversationId, from: through + 1, to: first.seq - 1 });
    chat.record = { ...chat.record, through: first.seq - 1 };
    dropFirst(core, chat, indexOf(chat.held, first.seq));
  }
  for (const message of messages) place(core, conversationId, message);
};

/**
 * The newest page of a chat, as it is now: the conversation is told from there on. Of an earlier attempt what lies before it
 * is dropped, and what was told already is not told again.
 */
export const takeNewest = (core: Core, conversationId: string, messages: readonly Message[]): void => {
  const chat = core.state.chats.get(conversationId);
  const [first] = messages;
  if (chat === undefined || first === undefined) return;
  dropFirst(core, chat, indexOf(chat.held, first.seq));
  const told = Math.max(chat.record.through, first.seq - 1);
  storeChat(core, chat, { through: told });
  for (const message of messages) {
    const known = heldAt(chat, message.seq);
    if (known !== undefined && saysOtherwise(message, known)) replace(core, chat, message);
    else if (known === undefined && message.seq > told) place(core, conversationId, message);
    else if (known === undefined) {
      chat.held.splice(indexOf(chat.held, message.seq), 0, message);
      storeMessage(core, conversationId, message);
    }
  }
  // What was held already waited for those before it.
  advance(core, chat);
};

const saysOtherwise = (now: Message, known: Message): boolean =>
  now.version > known.version || (now.version === known.version && now.state !== known.state);

/** Drops what is held of every conversation, but for what has not been told yet. */
export const dropAllTold = (core: Core): void => {
  for (const chat of holdingChats(core)) dropFirst(core, chat, indexOf(chat.held, chat.record.through + 1));
};

/** We block its author: what is held of it is as the server would show it now. */
export const hideAuthor = (core: Core, author: string): void => {
  core.state.unblocked.delete(author);
  for (const chat of holdingChats(core)) {
    for (const message of chat.held.filter(({ by, state }) => by === author && state === 'shown')) {
      replace(core, chat, { ...message, state: 'hidden', content: null });
    }
  }
};

/** What it wrote is gone everywhere. */
export const eraseAuthor = (core: Core, author: string): void => {
  for (const chat of core.state.chats.values()) {
    const { preview } = chat.record;
    if (preview?.by === author) storeChat(core, chat, { preview: { ...preview, content: null } });
    for (const message of chat.held.filter(({ by, content }) => by === author && content !== null)) {
      replace(core, chat, { ...message, content: null });
    }
  }
};

/** We block it no longer: the placeholders among what is held are read anew, for no frame brings them again. */
export const showAuthor = (core: Core, author: string): void => {
  core.state.unblocked.add(author);
  for (const chat of holdingChats(core)) {
    const first = stillHidden(core, chat);
    if (first === undefined) continue;
    requestRead(core, { name: 'messages', conversationId: chat.record.conversationId, after: first.seq - 1 });
  }
};

/** The first placeholder that should not be one any more. */
const stillHidden = ({ state: { unblocked } }: Core, { held }: Chat): Message | undefined =>
  held.find(({ by, state }) => state === 'hidden' && unblocked.has(by));

/** Whether a conversation holds all it should up to its newest message. */
export const isWhole = (core: Core, conversationId: string): boolean => {
  const chat = core.state.chats.get(conversationId);
  return chat === undefined || (!core.state.ahead.has(conversationId) && stillHidden(core, chat) === undefined);
};

const holdingChats = ({ state: { holding, chats } }: Core): Chat[] => [...holding].flatMap((id) => chats.get(id) ?? []);
