import type { ServerFrameOf } from '../schemas/frames.ts';
import type { ChatView, MemberView } from '../schemas/views.ts';
import { isLive } from './connection.ts';
import { emit, keys, storeAccount, storeChat, type Core } from './core.ts';
import { messageOfView } from './messages.ts';
import { requestRead } from './reads-due.ts';
import type { Chat, ChatRecord, Member } from './state.ts';

const notHeardOf = { version: -1, seq: 0, visibleFrom: 0, through: 0, activeAt: 0, preview: null, ownSeq: 0 } as const;
const nothingRead = {
  delivered: 0,
  read: 0,
  wantedDelivered: 0,
  wantedRead: 0,
  counted: { unread: 0, to: 0 },
} as const;
const usualSettings = { mutedUntil: 0, pinned: false, archivedAt: null, incomplete: false } as const;
const noMembers = { members: [], membersKnown: false } as const;

const noMarks = { delivered: 0, read: 0 };

export const chatFrom = (record: ChatRecord): Chat => ({
  record,
  held: [],
  early: new Map(),
  markSentOn: 0,
  marksAnswered: noMarks,
  marksAsked: noMarks,
  markNotBefore: 0,
  deliveredNotBefore: 0,
});

/** What is known of a conversation; something may come of one before it is introduced itself. */
export const chatOf = (core: Core, conversationId: string): Chat => {
  const known = core.state.chats.get(conversationId);
  if (known !== undefined) return known;
  const what = { conversationId, kind: 'group', name: null, ...noMembers } as const;
  const chat = chatFrom({ ...what, ...notHeardOf, ...nothingRead, ...usualSettings });
  core.state.chats.set(conversationId, chat);
  storeChat(core, chat, {});
  return chat;
};

export const newMember = (userId: string, role: Member['role'], visibleFrom: number): Member => ({
  ...{ userId, role, visibleFrom },
  ...{ delivered: 0, read: 0, deliveredAt: null, readAt: null },
});

export const takeConversation = (core: Core, frame: ServerFrameOf<'conversation'>): void => {
  const chat = chatOf(core, frame.conversationId);
  const { record } = chat;
  if (frame.version < record.version) return;
  const { kind, name, version, visibleFrom, time } = frame;
  const seq = Math.max(record.seq, frame.seq);
  const members = frame.members.map(({ userId, role }) => {
    const known = record.members.find((member) => member.userId === userId);
    // Who was here before us sees at least what we see; who came later is announced by a frame of its own.
    return known === undefined ? newMember(userId, role, 0) : { ...known, role };
  });
  const through = Math.max(record.through, visibleFrom);
  const activeAt = Math.max(record.activeAt, time);
  storeChat(core, chat, { kind, name, version, visibleFrom, members, membersKnown: true, seq, through, activeAt });
  core.touched.add(frame.conversationId);
};

type MembersFrame = ServerFrameOf<'member-added' | 'member-removed' | 'member-left' | 'role-changed' | 'renamed'>;

export const takeMembership = (core: Core, frame: MembersFrame): void => {
  const { conversationId, version } = frame;
  const chat = core.state.chats.get(conversationId);
  if (chat === undefined) return;
  const { record } = chat;
  if (version <= record.version) {
    if (frame.type === 'member-added') takeLateIntroduction(core, chat, frame.userId);
    return;
  }
  const gone = frame.type === 'member-removed' ? frame.userId : frame.type === 'member-left' ? frame.by : undefined;
  if (gone !== undefined && gone === core.state.account.userId) {
    endChat(core, conversationId);
    return;
  }
  const name = frame.type === 'renamed' ? frame.name : record.name;
  storeChat(core, chat, { version, name, members: membersAfter(record, frame, gone) });
  core.touched.add(conversationId);
};

/**
 * A conversation is introduced as it is now, and then comes how it became so: a member that was added on the way sees
 * what comes after.
 */
const takeLateIntroduction = (core: Core, chat: Chat, userId: string): void => {
  const { members, through, seq } = chat.record;
  if (through >= seq) return;
  const sees = (member: Member): Member => (member.userId === userId ? { ...member, visibleFrom: through } : member);
  storeChat(core, chat, { members: members.map(sees) });
};

/** Where nobody is known yet, one more would look like all there are. */
const membersAfter = ({ members, through }: ChatRecord, frame: MembersFrame, gone?: string): readonly Member[] => {
  if (members.length === 0) return members;
  if (frame.type === 'member-added') {
    // A list that was read meanwhile may have it already.
    const others = members.filter(({ userId }) => userId !== frame.userId);
    return others.length < members.length ? members : [...members, newMember(frame.userId, frame.role, through)];
  }
  if (frame.type !== 'role-changed') return members.filter(({ userId }) => userId !== gone);
  return members.map((member) => (member.userId === frame.userId ? { ...member, role: frame.role } : member));
};

/** Who left or was removed keeps nothing. */
export const endChat = (core: Core, conversationId: string): void => {
  if (forget(core, conversationId)) emit(core, 'chat-ended', { conversationId });
};

/** An answer that came after we left made a chat of which nothing else will be heard. */
export const forgetUnknown = (core: Core, conversationId: string): void => {
  if (core.state.chats.get(conversationId)?.record.version === -1) forget(core, conversationId);
};

const forget = (core: Core, conversationId: string): boolean => {
  const { chats, holding, ahead, marksDue } = core.state;
  const chat = chats.get(conversationId);
  if (chat === undefined) return false;
  chats.delete(conversationId);
  for (const set of [holding, ahead, marksDue, core.touched]) set.delete(conversationId);
  for (const { seq } of chat.held) core.changes.set(keys.message(conversationId, seq), null);
  core.changes.set(keys.chat(conversationId), null);
  return true;
};

/**
 * A chat as the read models have it, for what no frame says. They may be a little behind or ahead, so what frames do say
 * (name, members, settings) is left alone, and so is a chat that we left meanwhile.
 */
export const takeView = (core: Core, view: ChatView): void => {
  const chat = core.state.chats.get(view.conversationId);
  if (chat === undefined) return;
  const { record } = chat;
  const { unread, seq, lastMessage } = view;
  const isNewest = lastMessage !== null && lastMessage.seq >= (record.preview?.seq ?? 0);
  storeChat(core, chat, {
    ...(seq >= record.counted.to && { counted: { unread, to: seq } }),
    ...(isNewest && { preview: messageOfView(lastMessage) }),
    seq: Math.max(record.seq, seq),
    activeAt: Math.max(record.activeAt, view.activeAt),
    delivered: Math.max(record.delivered, view.delivered),
    read: Math.max(record.read, view.read),
    incomplete: view.incomplete,
  });
  if (chat.record.seq > chat.record.through) core.state.ahead.add(view.conversationId);
  core.touched.add(view.conversationId);
};

export const takeMembers = (core: Core, conversationId: string, views: readonly MemberView[]): void => {
  const chat = core.state.chats.get(conversationId);
  if (chat === undefined) return;
  const before = new Map(chat.record.members.map((member) => [member.userId, member]));
  const members = views.map((view) => {
    const known = before.get(view.userId);
    return known === undefined || view.delivered >= known.delivered ? view : { ...view, ...marksOf(known) };
  });
  storeChat(core, chat, { members, membersKnown: true });
  core.touched.add(conversationId);
};

const marksOf = ({ delivered, read, deliveredAt, readAt }: Member) => ({ delivered, read, deliveredAt, readAt });

/** Whether it is news: after a resume a change of our own account may come again. */
export const isAccountNews = (core: Core, { version }: { readonly version: number }): boolean => {
  const { account } = core.state;
  if (version <= account.version) return false;
  storeAccount(core, { ...account, version });
  return true;
};

export const takeSettings = (core: Core, frame: ServerFrameOf<'chat-settings'>): void => {
  const { mutedUntil, pinned, archivedAt } = frame;
  const chat = core.state.chats.get(frame.conversationId);
  if (chat === undefined) return;
  storeChat(core, chat, { mutedUntil, pinned, archivedAt });
  core.touched.add(frame.conversationId);
};

export const isArchived = ({ archivedAt, seq }: ChatRecord): boolean => archivedAt !== null && seq <= archivedAt;

/** After it a message counts as not read. */
const readUpTo = ({ read, wantedRead, ownSeq, visibleFrom }: ChatRecord): number =>
  Math.max(read, wantedRead, ownSeq, visibleFrom);

/** All messages that may not be read are held, so that the count is ours. */
const isCovered = ({ held, record }: Chat): boolean =>
  record.through >= 0 && (readUpTo(record) >= record.through || (held[0]?.seq ?? Infinity) <= readUpTo(record) + 1);

export const unreadOf = (chat: Chat): number => {
  const { record, held } = chat;
  const { counted } = record;
  const shownAfter = (seq: number): number =>
    held.reduce((count, message) => count + Number(message.seq > seq && message.state === 'shown'), 0);
  if (isCovered(chat)) return shownAfter(readUpTo(record));
  return Math.min(counted.unread + shownAfter(counted.to), record.seq - readUpTo(record));
};

/** Something changed about messages that are not held: the server counts. */
export const recount = (core: Core, chat: Chat, readAfter: string | null = null): void => {
  const { conversationId } = chat.record;
  if (isLive(core) && !isCovered(chat)) requestRead(core, { name: 'chat', conversationId, readAfter });
};
