import type { EventLog } from '../event-log/event-log.ts';
import { changeShown, type ChangeAt, type Inbox, type Message } from '../projections/inbox.ts';
import type { ConversationId } from '../schemas/ids.ts';
import { cursorAt } from '../schemas/position.ts';
import type { ChangeView } from '../schemas/views.ts';
import { encodeFrame } from './encode-frame.ts';
import type { Feed } from './gateway.ts';
import type { BehindInbox } from './give-missed.ts';
import type { Turnstile } from './turnstile.ts';

export interface GiveChatsDeps {
  readonly eventLog: EventLog;
  readonly inbox: Pick<Inbox, 'chatsAfter' | 'missedAfter' | 'chats' | 'messages' | 'members'>;
  /** Reads of the stores, of all sessions together. */
  readonly reads: Turnstile;
  readonly feed: Feed;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
}

const changesAtOnce = 200;
/** A preview is short, so a frame of these stays below the bytes of a page of history. */
const changesInFrame = 50;
const newestChats = 20;
const messagesEach = 50;
const mostMembers = 200;
/** What a page of messages may take in a frame, unless its newest alone takes more. */
const pageBytes = 192 * 1_024;

/**
 * Gives a session whose device holds nothing what an inbox shows first: all chats of its user as they are, then the newest
 * messages of the newest chats. Everything else is asked for when somebody wants to see it. `after`: the place up to which
 * the device has the chats already, from a first sync that was cut off; 0: nothing.
 *
 * The answer is the place from which the log goes on: every chat given is at least as new. Undefined while a conversation is
 * parked: then only the log can say everything. Pages come by rising place of the last change, so what changes meanwhile
 * comes again and nothing is missed; what changes after the beginning is left to the log, and when the user blocks others
 * meanwhile, all comes again. Rejects when the inbox cannot be read.
 *
 * Holds one page at most, and none while it waits for a socket that does not keep up.
 */
export const giveChats = async (
  after: number,
  session: BehindInbox,
  deps: GiveChatsDeps,
  signal: AbortSignal,
): Promise<number | undefined> => {
  const { inbox, reads, feed } = deps;
  const ask = async <T>(read: () => Promise<T>): Promise<T> => {
    await session.drained();
    // Of those that waited for their turn most may have been asked for anew: who asks again and again pays with its own wait.
    const answer = await reads.run(() => {
      signal.throwIfAborted();
      return read();
    });
    signal.throwIfAborted();
    return answer;
  };
  const give = async (frame: Buffer): Promise<void> => {
    while (!session.offer(frame, undefined)) {
      await session.drained();
      signal.throwIfAborted();
    }
  };

  let place = after;
  let head = feed.place;
  for (let isLast = false; !isLast && place <= head;) {
    const page = await ask(() => inbox.chatsAfter(session.userId, place, changesAtOnce));
    for (const frame of framesOf(page.changes, session.blocks, deps.eventLog)) await give(frame);
    ({ through: place, isLast } = page);
    if (!page.changes.some(({ type }) => type === 'blocks')) continue;
    // Of chats given before, the previews may show what a block hides, and the log goes on behind it.
    head = feed.place;
    place = 0;
    isLast = false;
  }
  // Of a parked conversation events before the place are not in the inbox, perhaps not even the chat.
  if ((await ask(() => inbox.missedAfter(session.userId, place, 1))) === undefined) return undefined;
  try {
    const { chats } = await ask(() => inbox.chats(session.userId, { cursor: null, limit: newestChats }));
    for (const { conversationId, memberCount } of chats) {
      const frame = await ask(() => newestOf(conversationId, memberCount, session, inbox));
      if (frame !== undefined) await give(frame);
    }
  } catch (error) {
    signal.throwIfAborted();
    deps.warn({ err: error }, 'the inbox cannot be read: a new device goes on without its newest pages');
  }
  return place;
};

type Blocks = BehindInbox['blocks'];

/** The session's list is newer than the inbox. */
const hidden = <M extends Message | null>(message: M, blocks: Blocks): M =>
  message?.state === 'shown' && blocks.hides(message.by)
    ? { ...message, state: 'hidden', content: null, replyTo: null, editedAt: null }
    : message;

const shownTo = (blocks: Blocks, change: ChangeAt): ChangeView =>
  changeShown(
    change.type === 'chat'
      ? { ...change, chat: { ...change.chat, lastMessage: hidden(change.chat.lastMessage, blocks) } }
      : change,
  );

const framesOf = function* (changes: readonly ChangeAt[], blocks: Blocks, eventLog: EventLog): Generator<Buffer> {
  for (let at = 0; at < changes.length; at += changesInFrame) {
    const some = changes.slice(at, at + changesInFrame);
    const next = cursorAt(eventLog.positionAt(some.at(-1)?.place ?? 0));
    yield encodeFrame({ type: 'changes', changes: some.map((change) => shownTo(blocks, change)), next });
  }
};

/** Undefined: the user left meanwhile, which the log says next. */
const newestOf = async (
  conversationId: ConversationId,
  memberCount: number,
  { userId, blocks }: BehindInbox,
  inbox: GiveChatsDeps['inbox'],
): Promise<Buffer | undefined> => {
  const [page, list] = await Promise.all([
    inbox.messages(userId, conversationId, { from: 'newest' }, messagesEach),
    memberCount > mostMembers ? undefined : inbox.members(userId, conversationId),
  ]);
  if (page === undefined) return undefined;
  const messages = newestWithin(pageBytes, page.messages).map((message) => hidden(message, blocks));
  const isFirst = page.isFirst && messages.length === page.messages.length;
  return encodeFrame({ type: 'history', conversationId, members: list?.members ?? null, messages, isFirst });
};

/** At least the newest one. */
const newestWithin = (bytes: number, messages: readonly Message[]): readonly Message[] => {
  let left = bytes;
  const first = messages.findLastIndex((message) => (left -= Buffer.byteLength(JSON.stringify(message))) < 0);
  return messages.slice(Math.min(first + 1, messages.length - 1));
};
