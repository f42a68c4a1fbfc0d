import type { ServerFrameOf } from '../schemas/frames.ts';
import { recount } from './chats.ts';
import { backoff, isLive, openNumber } from './connection.ts';
import { emit, storeChat, type Core, type Moment } from './core.ts';
import type { SendState } from './events.ts';
import type { Chat, ChatRecord, Member } from './state.ts';

/** Deliveries of one conversation are confirmed at most this often. */
const betweenConfirmationsMs = 1_000;
/** After a month away, marks of thousands of chats are due at once; commands have to get through between them. */
const mostUnderWay = 50;

/** A message of somebody else is stored here, with all before it. */
export const wantDelivered = (core: Core, chat: Chat, seq: number): void => {
  chat.record = { ...chat.record, wantedDelivered: Math.max(chat.record.wantedDelivered, seq) };
  core.state.marksDue.add(chat.record.conversationId);
};

/** A person has read up to here. It is stored, and told when there is a connection. */
export const wantRead = (core: Core, chat: Chat, seq: number): void => {
  const { conversationId, through, wantedRead } = chat.record;
  const reached = Math.min(seq, through);
  if (reached <= Math.max(wantedRead, chat.record.read)) return;
  storeChat(core, chat, { wantedRead: reached });
  core.state.marksDue.add(conversationId);
  core.touched.add(conversationId);
};

const isReadDue = ({ record, marksAnswered }: Chat): boolean =>
  record.wantedRead > Math.max(record.read, marksAnswered.read);
const isDue = (chat: Chat): boolean =>
  isReadDue(chat) || chat.record.wantedDelivered > Math.max(chat.record.delivered, chat.marksAnswered.delivered);

const dueAt = (chat: Chat): number =>
  isReadDue(chat) ? chat.markNotBefore : Math.max(chat.markNotBefore, chat.deliveredNotBefore);

/** Says how far we are where that is news; while we catch up it would be out of date at once. */
export const flushMarks = (core: Core, now: number): void => {
  const { chats, marksDue } = core.state;
  const number = openNumber(core);
  if (number === undefined || !isLive(core)) return;
  const due = [...marksDue].flatMap((id) => chats.get(id) ?? []);
  let room = mostUnderWay - due.filter(({ markSentOn }) => markSentOn === number).length;
  for (const chat of due) {
    const { conversationId, wantedDelivered: delivered, wantedRead: read } = chat.record;
    if (!isDue(chat)) marksDue.delete(conversationId);
    else if (room > 0 && chat.markSentOn !== number && dueAt(chat) <= now) {
      room--;
      chat.markSentOn = number;
      chat.marksAsked = { delivered: Math.max(delivered, read), read };
      chat.deliveredNotBefore = now + betweenConfirmationsMs;
      const marks = { ...(delivered > 0 && { delivered }), ...(read > 0 && { read }) };
      core.effects.push({ type: 'transmit', number, frame: { type: 'mark', conversationId, ...marks } });
    }
  }
};

export const marksWakeAt = (core: Core): number => {
  const number = openNumber(core);
  if (number === undefined || !isLive(core)) return Infinity;
  let at = Infinity;
  for (const id of core.state.marksDue) {
    const chat = core.state.chats.get(id);
    if (chat !== undefined && chat.markSentOn !== number) at = Math.min(at, dueAt(chat));
  }
  return at;
};

export const takeMarked = (core: Core, frame: ServerFrameOf<'marked'>): void => {
  const chat = core.state.chats.get(frame.conversationId);
  if (chat === undefined) return;
  chat.markSentOn = 0;
  chat.marksAnswered = chat.marksAsked;
  moveOwn(core, chat, frame.delivered, frame.read, frame.readAfter);
};

const moveOwn = (core: Core, chat: Chat, delivered: number, read: number, readAfter: string | null): void => {
  const { record } = chat;
  const hasRead = read > record.read;
  storeChat(core, chat, {
    delivered: Math.max(record.delivered, delivered),
    read: Math.max(record.read, read),
  });
  if (!hasRead) return;
  core.touched.add(record.conversationId);
  recount(core, chat, readAfter);
};

export const markRejected = (core: Core, frame: ServerFrameOf<'rejected'>, moment: Moment): void => {
  const chat = core.state.chats.get(frame.conversationId ?? '');
  if (chat === undefined) return;
  chat.markSentOn = 0;
  const { delivered, read } = chat.record;
  if (frame.retry === 'never') storeChat(core, chat, { wantedDelivered: delivered, wantedRead: read });
  else chat.markNotBefore = moment.now + (frame.retryAfterMs ?? backoff(1, moment));
};

/** Where members stand now. Marks only ever move forward, whatever order they come in. */
export const takeReceipts = (core: Core, frame: ServerFrameOf<'receipts'>): void => {
  const { conversationId, marks, time } = frame;
  const chat = core.state.chats.get(conversationId);
  if (chat === undefined) return;
  const before = chat.record;
  const moved = new Map<string, Member>();
  for (const { userId, delivered, read } of marks) {
    if (userId === core.state.account.userId) {
      moveOwn(core, chat, delivered, read, null);
      continue;
    }
    const known = before.members.find((member) => member.userId === userId);
    if (known === undefined || (delivered <= known.delivered && read <= known.read)) continue;
    moved.set(userId, {
      ...known,
      ...(delivered > known.delivered && { delivered, deliveredAt: time }),
      ...(read > known.read && { read, readAt: time }),
    });
    emit(core, 'receipts', { conversationId, userId, delivered, read, time });
  }
  if (moved.size === 0) return;
  storeChat(core, chat, { members: before.members.map((member) => moved.get(member.userId) ?? member) });
  tellSendStates(core, chat, before);
};

/** Messages of ours that came further than they were. */
export const tellSendStates = (core: Core, chat: Chat, before: ChatRecord): void => {
  const me = core.state.account.userId;
  for (const { by, seq, messageId } of chat.held) {
    if (by !== me) continue;
    const state = sendStateOf(chat.record, seq, me);
    if (state === sendStateOf(before, seq, me)) continue;
    emit(core, 'outgoing', { conversationId: before.conversationId, messageId, state, seq, code: null });
  }
};

/** A message is as far as the last of those who may see it. */
export const sendStateOf = ({ members }: ChatRecord, seq: number, me: string | null): SendState => {
  const others = members.filter(({ userId, visibleFrom }) => userId !== me && visibleFrom < seq);
  if (others.length === 0) return 'sent';
  if (others.every(({ read }) => read >= seq)) return 'read';
  return others.every(({ delivered }) => delivered >= seq) ? 'delivered' : 'sent';
};
