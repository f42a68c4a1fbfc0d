import type { ServerFrameOf } from '../schemas/frames.ts';
import type { ChatView, ProfileView } from '../schemas/views.ts';
import { chatOf, endChat, newMember, takeView } from './chats.ts';
import { emit, storeAccount, storeChat, type Core } from './core.ts';
import { wantDelivered } from './marks.ts';
import type { Member } from './state.ts';
import { advance, dropAllTold, eraseAuthor } from './timeline.ts';

/** A page of chats as they are. What the log tells behind them of our own account may be older than what it told before a cut. */
export const takeChanges = (core: Core, { changes, next }: ServerFrameOf<'changes'>): void => {
  for (const change of changes) {
    if (change.type === 'chat') introduce(core, change.chat);
    else if (change.type === 'ended') endChat(core, change.conversationId);
    else if (change.type === 'profile') takeProfile(core, change.profile);
    // Between two attempts; what is held may be hidden by now, or not any more. The newest pages come again.
    else dropAllTold(core);
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
  // We left and were added again between two attempts: it begins anew.
  if (visibleFrom > (core.state.chats.get(conversationId)?.record.visibleFrom ?? Infinity))
    endChat(core, conversationId);
  const chat = chatOf(core, conversationId);
  const { record } = chat;
  if (record.version < 0) chat.record = { ...record, through: -1 };
  if (version > record.version) {
    const members = membersOfView(view, userId);
    chat.record = { ...chat.record, kind, name, version, visibleFrom, members, membersKnown: false };
  }
  chat.record = { ...chat.record, mutedUntil, pinned, archivedAt: archived ? seq : null };
  if (lastMessage !== null && lastMessage.by !== userId) wantDelivered(core, chat, lastMessage.seq);
  takeView(core, view);
};

/** Of a one-to-one chat both are known by it, but not how far the other has come. */
const membersOfView = ({ peer, role, visibleFrom }: ChatView, me: string | null): readonly Member[] =>
  peer === null || me === null ? [] : [newMember(me, role, visibleFrom), newMember(peer, role, 0)];

/** A first sync has come to its end: of all other chats, what was said before the first message that came is history. */
export const beginWhereItStands = (core: Core): void => {
  for (const conversationId of [...core.state.ahead]) {
    const chat = core.state.chats.get(conversationId);
    if (chat === undefined || chat.record.through >= 0) continue;
    // Its view was of that seq; what was said since comes as frames.
    const first = chat.held[0]?.seq ?? Infinity;
    storeChat(core, chat, { through: Math.min(chat.record.counted.to, first - 1) });
    advance(core, chat);
  }
};
