import type { ServerFrame, ServerFrameOf } from '../schemas/frames.ts';
import type { MemberView, MessageView } from '../schemas/views.ts';
import {
  forgetUnknown,
  isAccountNews,
  takeConversation,
  takeMembers,
  takeMembership,
  takeSettings,
  takeView,
} from './chats.ts';
import {
  closed,
  connectionWakesAt,
  end,
  hear,
  hurry,
  isLive,
  open,
  openNumber,
  restUntil,
  tickConnection,
  welcomed,
} from './connection.ts';
import { answerOf, emit, keys, storeAccount, type Core, type Moment, type Read, type ReadResult } from './core.ts';
import {
  ephemeralWakesAt,
  sayTyping,
  takePresence,
  takeTyping,
  tickEphemeral,
  watch,
  watchAgain,
  watchRefused,
} from './ephemeral.ts';
import { beginWhereItStands, takeChanges, takeProfile } from './first-sync.ts';
import { flushMarks, markRejected, marksWakeAt, takeMarked, takeReceipts, wantRead } from './marks.ts';
import { messageOfFrame, messageOfView } from './messages.ts';
import { complete, discard, enqueue, flushOutbox, outboxWakesAt, rejected } from './outbox.ts';
import { flushReads, readDone, readFailed, readsWakeAt, requestRead, startRead } from './reads-due.ts';
import type { Draft } from './state.ts';
import {
  changeMessage,
  fillHoles,
  hideAuthor,
  isWhole,
  place,
  showAuthor,
  takeHistory,
  takeNewest,
  takePage,
} from './timeline.ts';

/** What happens to a client. */
export type Input =
  | { readonly type: 'tick' }
  /** The network is back, as far as the platform knows. */
  | { readonly type: 'hurry' }
  | { readonly type: 'command'; readonly key: string; readonly draft: Draft }
  | { readonly type: 'discard'; readonly key: string }
  | { readonly type: 'mark-read'; readonly conversationId: string; readonly seq: number }
  | { readonly type: 'watch'; readonly userIds: readonly string[] }
  | { readonly type: 'typing'; readonly conversationId: string }
  | { readonly type: 'frame'; readonly number: number; readonly frame: ServerFrame }
  | { readonly type: 'closed'; readonly number: number; readonly code: number; readonly reason: string }
  | { readonly type: 'read-done'; readonly read: Read; readonly result: ReadResult }
  /** What the application read: pages of history and members. */
  | { readonly type: 'history'; readonly conversationId: string; readonly messages: readonly MessageView[] }
  | { readonly type: 'members'; readonly conversationId: string; readonly members: readonly MemberView[] };

/** Takes in what happened. Deterministic: time, chance and everything from outside come with the input. */
export const step = (core: Core, input: Input, moment: Moment): void => {
  take(core, input, moment);
  flushOutbox(core, moment);
  flushMarks(core, moment.now);
  tickEphemeral(core, moment.now);
  for (const conversationId of core.touched) emit(core, 'chat', { conversationId });
  core.touched.clear();
};

/** When a tick is due, if nothing happens before. */
export const wakesAt = (core: Core): number =>
  Math.min(connectionWakesAt(core), outboxWakesAt(core), marksWakeAt(core), readsWakeAt(core), ephemeralWakesAt(core));

const take = (core: Core, input: Input, moment: Moment): void => {
  switch (input.type) {
    case 'tick':
      tickConnection(core, moment);
      flushReads(core, moment.now);
      break;
    case 'hurry':
      hurry(core, moment);
      break;
    case 'command':
      enqueue(core, input.key, input.draft);
      if (input.draft.type === 'send') core.state.ephemeral.typingNotBefore.delete(input.draft.conversationId);
      break;
    case 'discard':
      discard(core, input.key);
      break;
    case 'mark-read': {
      const chat = core.state.chats.get(input.conversationId);
      if (chat !== undefined) wantRead(core, chat, input.seq);
      break;
    }
    case 'watch':
      watch(core, input.userIds, moment.now);
      break;
    case 'typing':
      sayTyping(core, input.conversationId, moment.now);
      break;
    case 'frame':
      if (hear(core, input.number, moment.now)) takeFrame(core, input.frame, moment);
      break;
    case 'closed':
      closed(core, input.number, input.code, input.reason, moment);
      break;
    case 'read-done':
      takeRead(core, input.read, input.result, moment);
      break;
    case 'history':
      takeHistory(core, input.conversationId, input.messages.map(messageOfView));
      break;
    case 'members':
      takeMembers(core, input.conversationId, input.members);
  }
};

/** A frame of a type unknown here is passed over: the server may be newer. */
const takeFrame = (core: Core, frame: ServerFrame, moment: Moment): void => {
  switch (frame.type) {
    case 'welcome':
      welcomed(core, frame, moment);
      watchAgain(core, moment.now);
      break;
    case 'accepted':
      takeAccepted(core, frame);
      break;
    case 'saved':
    case 'announced':
      takeSaved(core, frame);
      break;
    case 'marked':
      takeMarked(core, frame);
      break;
    case 'rejected':
      if (frame.messageId === undefined && frame.commandId === undefined) markRejected(core, frame, moment);
      else rejected(core, frame, moment);
      break;
    case 'conversation':
      takeConversation(core, frame);
      break;
    case 'member-added':
    case 'member-removed':
    case 'member-left':
    case 'role-changed':
    case 'renamed':
      takeMembership(core, frame);
      break;
    case 'message':
      place(core, frame.conversationId, messageOfFrame(frame));
      break;
    case 'edited':
    case 'deleted':
      changeMessage(core, frame);
      break;
    case 'receipts':
      takeReceipts(core, frame);
      break;
    case 'chat-settings':
      if (isAccountNews(core, frame)) takeSettings(core, frame);
      break;
    case 'blocked':
      if (isAccountNews(core, frame)) hideAuthor(core, frame.userId);
      break;
    case 'unblocked':
      if (isAccountNews(core, frame)) showAuthor(core, frame.userId);
      break;
    case 'changes':
      takeChanges(core, frame);
      break;
    case 'history':
      if (frame.members !== null) takeMembers(core, frame.conversationId, frame.members);
      takeNewest(core, frame.conversationId, frame.messages.map(messageOfView));
      break;
    case 'synced':
      takeSynced(core, frame);
      break;
    case 'waiting':
      emit(core, 'connection', { status: 'waiting', for: frame.for });
      break;
    case 'reset':
      startAnew(core, frame.reason, moment);
      break;
    case 'profile':
      if (isAccountNews(core, frame)) takeOwnProfile(core, frame);
      break;
    case 'presence':
      takePresence(core, frame);
      break;
    case 'typing':
      takeTyping(core, frame, moment.now);
      break;
    case 'error':
      if (frame.limiter === 'presence') watchRefused(core, frame.retryAfterMs ?? 0, moment.now);
      break;
    case 'pong':
      break;
  }
};

const takeAccepted = (core: Core, frame: ServerFrameOf<'accepted'>): void => {
  const { messageId, commandId, conversationId, seq, time, chain, readAfter } = frame;
  const waiting = core.state.byId.get(messageId ?? commandId ?? '');
  if (waiting === undefined) return;
  const { draft, id } = waiting.item;
  complete(core, waiting, answerOf({ conversationId, time, chain, readAfter, ...(seq !== undefined && { seq }) }));
  if (draft.type !== 'send' || seq === undefined) return;
  const by = core.state.account.userId ?? '';
  const replyTo = draft.replyTo ?? null;
  const said = { seq, messageId: id, by, time, version: 0, state: 'shown', content: draft.content, replyTo } as const;
  place(core, conversationId, said);
  if (waiting.mayBeStored) requestRead(core, { name: 'messages', conversationId, after: seq - 1 });
};

const takeSaved = (core: Core, frame: ServerFrameOf<'saved' | 'announced'>): void => {
  const waiting = core.state.byId.get(frame.commandId);
  if (waiting === undefined) return;
  const { time, readAfter } = frame;
  const chain = frame.type === 'saved' ? frame.chain : null;
  // What it changed comes as a frame of its own, to all our devices.
  complete(core, waiting, answerOf({ time, chain, readAfter }));
  const { draft } = waiting.item;
  if (draft.type === 'sign-out' && (draft.deviceId ?? null) === null) end(core, 'signed_out');
};

const takeOwnProfile = (core: Core, { displayName, statusText }: ServerFrameOf<'profile'>): void => {
  const { userId } = core.state.account;
  if (userId !== null) emit(core, 'profile', { userId, displayName, statusText, erased: false });
};

const takeSynced = (core: Core, { cursor, caughtUp }: ServerFrameOf<'synced'>): void => {
  const { state } = core;
  beginWhereItStands(core);
  storeAccount(core, { ...state.account, cursor });
  if (!caughtUp || state.connection.phase !== 'open') return;
  const { connection } = state;
  if (!connection.caughtUp) {
    state.connection = { ...connection, caughtUp: true };
    emit(core, 'connection', { status: 'live' });
    refreshChats(core);
  }
  fillHoles(core);
};

/** What no frame says, and counts of what is not held. One of an earlier connection may be under way and miss something. */
const refreshChats = (core: Core): void => {
  const { cursor, chatsAsOf } = core.state.account;
  startRead(core, { name: 'chats', after: chatsAsOf, asOf: cursor });
};

/** Everything that came from the server is void. What we have to say is not. */
const startAnew = (core: Core, reason: string, { now }: Moment): void => {
  const { state } = core;
  for (const [id, chat] of state.chats) {
    for (const { seq } of chat.held) core.changes.set(keys.message(id, seq), null);
    core.changes.set(keys.chat(id), null);
  }
  for (const kept of [state.chats, state.holding, state.ahead, state.marksDue, state.readsDue, core.touched])
    kept.clear();
  storeAccount(core, { ...state.account, cursor: null, chatsAsOf: null, version: 0 });
  emit(core, 'reset', { reason });
  const number = openNumber(core);
  if (number !== undefined) open(core, number, now);
};

const takeRead = (core: Core, read: Read, result: ReadResult, moment: Moment): void => {
  if (read.name === 'probe') {
    if (!result.ok && result.code === 'unauthenticated') emit(core, 'unauthenticated', { message: result.code });
    if (!result.ok) restUntil(core, moment.now + result.retryAfterMs);
    return;
  }
  if (!result.ok && result.code === 'cursor_unusable' && read.name === 'chats') {
    storeAccount(core, { ...core.state.account, chatsAsOf: null });
    refreshChats(core);
    return;
  }
  if (!result.ok && result.retry === 'never' && !isYetToCome(core, read, result.code)) {
    // Most likely the conversation is not ours any more, and frames say so.
    readDone(core, read);
    if ('conversationId' in read) forgetUnknown(core, read.conversationId);
  } else if (!result.ok) readFailed(core, read, result.retryAfterMs, moment);
  else takeAnswer(core, read, result, moment);
};

/** Frames told us of the conversation; the read models, a little behind, do not know it yet. */
const isYetToCome = ({ state }: Core, read: Read, code: string): boolean =>
  code === 'conversation_not_found' &&
  'conversationId' in read &&
  (state.chats.get(read.conversationId)?.record.version ?? -1) >= 0;

const takeAnswer = (core: Core, read: Read, result: ReadResult & { ok: true }, moment: Moment): void => {
  if (result.name === 'chats') {
    readDone(core, read);
    if (read.name === 'chats') storeAccount(core, { ...core.state.account, chatsAsOf: read.asOf });
    for (const chat of result.chats) takeView(core, chat);
    for (const profile of result.profiles) takeProfile(core, profile);
    if (isLive(core)) fillHoles(core);
  } else if (result.name === 'messages' && read.name === 'messages') {
    const { conversationId, after } = read;
    takePage(core, conversationId, after, result.messages.map(messageOfView));
    // The read models follow the log a little behind it.
    if (!isWhole(core, conversationId)) readFailed(core, read, 0, moment);
    else readDone(core, read);
  }
};
