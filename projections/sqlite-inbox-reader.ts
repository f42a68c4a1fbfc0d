import { workerData } from 'node:worker_threads';
import { serveCalls } from '../command-side/sqlite-worker.ts';
import type { CommandId, ConversationId, UserId } from '../schemas/ids.ts';
import type {
  ChangedMessages,
  Changes,
  Chat,
  FoundCommand,
  MemberList,
  Message,
  MessageKey,
  MessagePage,
  Missed,
  PageFrom,
  Presence,
  Profile,
  TotalUnread,
} from './inbox.ts';
import { changeQueries } from './sqlite-inbox-changes.ts';
import { chatQueries, type ChatsFound, type ChatsQuery } from './sqlite-inbox-chats.ts';
import { openInboxForReading } from './sqlite-inbox-file.ts';
import { historyQueries } from './sqlite-inbox-history.ts';
import { missedQueries } from './sqlite-inbox-missed.ts';
import { presenceQueries } from './sqlite-inbox-presence.ts';

interface InConversation {
  readonly user: UserId;
  readonly conversation: ConversationId;
}

export interface InboxReaderCalls {
  chats: { ask: ChatsQuery; answer: ChatsFound };
  chat: { ask: InConversation; answer: Chat | undefined };
  totalUnread: { ask: UserId; answer: TotalUnread };
  changesAfter: { ask: { user: UserId; place: number; limit: number }; answer: Changes };
  chatsAfter: { ask: { user: UserId; place: number; limit: number }; answer: Changes };
  messages: { ask: InConversation & { from: PageFrom; limit: number }; answer: MessagePage | undefined };
  message: { ask: InConversation & { which: MessageKey }; answer: Message | undefined };
  members: { ask: InConversation; answer: MemberList | undefined };
  changesOf: { ask: InConversation & { place: number; limit: number }; answer: ChangedMessages | undefined };
  profiles: { ask: readonly UserId[]; answer: readonly Profile[] };
  blocks: { ask: UserId; answer: readonly UserId[] };
  missedAfter: { ask: { user: UserId; place: number; limit: number }; answer: Missed | undefined };
  presence: { ask: { user: UserId; of: readonly UserId[]; mostMembers: number }; answer: readonly Presence[] };
  onlineAfter: { ask: { user: UserId | null; limit: number }; answer: readonly UserId[] };
  findCommand: { ask: { conversation: ConversationId; id: CommandId }; answer: FoundCommand };
}

const { path } = workerData as { path: string };
const db = openInboxForReading(path);
const chats = chatQueries(db);
const history = historyQueries(db);
const changes = changeQueries(db, chats);
const missed = missedQueries(db);
const presence = presenceQueries(db);

serveCalls<InboxReaderCalls>({
  calls: {
    chats: (query) => chats.chats(query),
    chat: ({ user, conversation }) => chats.chat(user, conversation),
    totalUnread: (user) => chats.totalUnread(user),
    changesAfter: ({ user, place, limit }) => changes.changesAfter(user, place, limit),
    chatsAfter: ({ user, place, limit }) => changes.chatsAfter(user, place, limit),
    messages: ({ user, conversation, from, limit }) => history.messages(user, conversation, from, limit),
    message: ({ user, conversation, which }) => history.message(user, conversation, which),
    members: ({ user, conversation }) => history.members(user, conversation),
    changesOf: ({ user, conversation, place, limit }) => changes.changesOf(user, conversation, place, limit),
    profiles: (users) => history.profiles(users),
    blocks: (user) => history.blocks(user),
    missedAfter: ({ user, place, limit }) => missed.missedAfter(user, place, limit),
    presence: ({ user, of, mostMembers }) => presence.presence(user, of, mostMembers),
    onlineAfter: ({ user, limit }) => presence.onlineAfter(user, limit),
    findCommand: ({ conversation, id }) => history.findCommand(conversation, id),
  },
  // One state of the store for all that was asked meanwhile.
  transaction(work) {
    db.exec('BEGIN');
    try {
      work();
    } finally {
      db.exec('COMMIT');
    }
  },
  committed: () => undefined,
  survives: () => true,
  close: () => db.close(),
});
