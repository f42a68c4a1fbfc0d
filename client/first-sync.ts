import type { ServerFrameOf } from '../schemas/frames.ts';
import type { ChatView, ProfileView } from '../schemas/views.ts';
import { chatOf, endChat, newMember, takeView } from './chats.ts';
import { emit, storeAccount, storeChat, type Core } from './core.ts';
import { wantDelivered } from './marks.ts';
import type { Member, Message } from './state.ts';
import { advance, eraseAuthor, hideAuthor, place } from './timeline.ts';

/**
 * A page of chats as they are. Behind them changes of our own account are told from an earlier place, so none of those is
 * old news. Blocks are told by frames, as ever.
 */
export const takeChanges = (core: Core, { changes, next }: ServerFrameOf<'changes'>): void => {
  for (const change of changes) {
    if (change.type === 'chat') introduce(core, change.chat);
    else if (change.type === 'ended') endChat(core, change.conversationId);
    else if (change.type === 'profile') takeProfile(core, change.profile);
  }
  storeAccount(core, { ...core.state.account, chatsAsOf: next, version: 0 });
};

export const takeProfile = (core: Core, profile: ProfileView): void => {
  emit(core, 'profile', profile);
  if (profile.erased) eraseAuthor(core, profile.userId);
};

const introduce = (core: Core, view: ChatView): void => {
  const { conversationId, kind, name, version, visibleFrom, seq, lastMessage, mutedUntil, pinned, archived } = view;
  const { userId } = core.state.account;
  const chat = chatOf(core, conversationId);
  const { record } = chat;
  if (record.version < 0) chat.record = { ...record, through: -1, members: membersOfView(view, userId) };
  if (version >= record.version) chat.record = { ...chat.record, kind, name, version, visibleFrom };
  chat.record = { ...chat.record, mutedUntil, pinned, archivedAt: archived ? seq : null };
  if (lastMessage !== null && lastMessage.by !== userId) wantDelivered(core, chat, lastMessage.seq);
  takeView(core, view);
  if (lastMessage !== null) takeHidden(core, [lastMessage]);
};

/** Whom we block by now may have been shown before a first sync was cut off, and no frame says it again. */
const takeHidden = (core: Core, messages: readonly Pick<Message, 'by' | 'state'>[]): void => {
  const authors = new Set(messages.flatMap(({ by, state }) => (state === 'hidden' ? [by] : [])));
  for (const author of authors) hideAuthor(core, author);
};

/** Of a one-to-one chat both are known by it, but not how far the other has come. */
const membersOfView = ({ peer, role, visibleFrom }: ChatView, me: string | null): readonly Member[] =>
  peer === null || me === null ? [] : [newMember(me, role, visibleFrom), newMember(peer, role, 0)];

/** The newest page of a chat: the conversation is told from there on. */
export const takeNewest = (core: Core, conversationId: string, messages: readonly Message[]): void => {
  const chat = core.state.chats.get(conversationId);
  const [first] = messages;
  if (chat === undefined || first === undefined) return;
  if (chat.record.through < 0) storeChat(core, chat, { through: first.seq - 1 });
  for (const message of messages) place(core, conversationId, message);
  takeHidden(core, messages);
  // What was held already waited for those before it.
  advance(core, chat);
};

/** A first sync has come to its end: of all other chats, what was said before the first message that came is history. */
export const beginWhereItStands = (core: Core): void => {
  for (const conversationId of [...core.state.ahead]) {
    const chat = core.state.chats.get(conversationId);
    if (chat === undefined || chat.record.through >= 0) continue;
    const [first] = chat.held;
    storeChat(core, chat, { through: first === undefined ? chat.record.seq : first.seq - 1 });
    advance(core, chat);
  }
};
