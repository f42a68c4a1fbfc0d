import type { Caller } from '../command-side/command-gateway.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { BadCursor, changeShown, chatShown, type Inbox, type PageFrom } from '../projections/inbox.ts';
import type { Progress } from '../projections/progress.ts';
import type { MessageSearch, SearchRefusal } from '../projections/search.ts';
import type { UserRef } from '../schemas/commands.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import { readRoutes, type ReadRoute } from '../schemas/http-reads.ts';
import { userNamed, type RawCall } from '../schemas/http.ts';
import type { Seq, UserId } from '../schemas/ids.ts';
import { cursorAt } from '../schemas/position.ts';
import { longestQuery } from '../schemas/search-query.ts';
import { placeOfCursor } from './cursors.ts';

export interface ReadsDeps {
  readonly eventLog: EventLog;
  readonly inbox: Inbox;
  readonly search: MessageSearch;
  readonly progress: Readonly<Record<'inbox' | 'search', Progress>>;
  /** Whom a name means; a name without an issuer belongs to the caller's. */
  readonly resolveUser: (caller: Caller, user: UserRef) => UserId;
}

type Answered<T> = { readonly ok: true; readonly body: T } | { readonly ok: false; readonly rejection: Rejection };

/** A read, its answer not yet asked for. */
export type ParsedRead =
  | { readonly ok: true; readonly answer: (caller: Caller) => Promise<Answered<unknown>> }
  | { readonly ok: false; readonly rejection: Rejection };

/** A route with what answers it. */
export interface Read {
  readonly route: Pick<ReadRoute<unknown, unknown>, 'path' | 'readModel'>;
  readonly parse: (raw: Pick<RawCall, 'params' | 'query'>) => ParsedRead;
}

const read = <Call, Answer>(
  route: ReadRoute<Call, Answer>,
  answer: (call: Call, caller: Caller) => Promise<Answered<Answer>>,
): Read => ({
  route,
  parse(raw) {
    const call = route.parse(raw);
    return call.ok
      ? { ok: true, answer: (caller) => answer(call.value, caller) }
      : { ok: false, rejection: reject(call.code, call.message) };
  },
});

const ok = <T>(body: T): Answered<T> => ({ ok: true, body });
const refused = (rejection: Rejection): Answered<never> => ({ ok: false, rejection });
const noConversation = refused(reject('conversation_not_found', 'there is no such conversation'));
const noMessage = refused(reject('message_not_found', 'there is no such message'));
const noUser = refused(reject('user_not_found', 'no such user is registered'));

/** What is not there and what the caller may not see are the same to the inbox, and so to the caller. */
const found = <T>(body: T | undefined, otherwise: Answered<never>): Answered<T> =>
  body === undefined ? otherwise : ok(body);

interface Where {
  readonly before?: Seq | undefined;
  readonly after?: Seq | undefined;
  readonly around?: Seq | undefined;
}

const pageFrom = ({ before, after, around }: Where): PageFrom => {
  if (before !== undefined) return { from: 'before', seq: before };
  if (after !== undefined) return { from: 'after', seq: after };
  return around === undefined ? { from: 'newest' } : { from: 'around', seq: around };
};

const searchRefusals: Readonly<Record<SearchRefusal, string>> = {
  no_words: 'q: must hold a word',
  too_long: `q: has more than ${longestQuery} characters`,
  bad_cursor: 'cursor: is not the `next` of this search',
};

/** Every route of `readRoutes` with what answers it. Access is the read models' part: what they give may be shown. */
export const reads = ({ eventLog, inbox, search, progress, resolveUser }: ReadsDeps): readonly Read[] => {
  /** The end of a page of changes after `place`; a last page saw everything up to where the inbox was before it. */
  const nextOf = (place: number, page: { readonly isLast: boolean }, last: number | undefined, before: number) =>
    cursorAt(eventLog.positionAt(page.isLast ? Math.max(place, before) : (last ?? place)));
  const inboxPlace = (): number => progress.inbox.applied()?.place ?? 0;

  return [
    read(readRoutes.chats, async ({ query: { cursor, ...options } }, { userId }) => {
      try {
        const { chats, next, incomplete } = await inbox.chats(userId, { ...options, cursor: cursor ?? null });
        return ok({ chats: chats.map(chatShown), next, incomplete });
      } catch (error) {
        if (error instanceof BadCursor) return refused(reject('invalid', 'cursor: is not the `next` of a chat list'));
        throw error;
      }
    }),

    read(readRoutes.unread, async (_, { userId }) => ok(await inbox.totalUnread(userId))),

    read(readRoutes.chatChanges, async ({ query: { after, limit } }, { userId }) => {
      const from = placeOfCursor(after, eventLog);
      if (!from.ok) return from;
      const before = inboxPlace();
      const page = await inbox.changesAfter(userId, from.place, limit);
      const { changes, through, isLast } = page;
      return ok({ changes: changes.map(changeShown), next: nextOf(from.place, page, through, before), isLast });
    }),

    read(readRoutes.chat, async ({ params }, { userId }) => {
      const chat = await inbox.chat(userId, params.conversationId);
      return found(chat && chatShown(chat), noConversation);
    }),

    read(readRoutes.messages, async ({ params, query: { limit, ...from } }, { userId }) =>
      found(await inbox.messages(userId, params.conversationId, pageFrom(from), limit), noConversation),
    ),

    read(readRoutes.message, async ({ params: { conversationId, seq } }, { userId }) =>
      found(await inbox.message(userId, conversationId, { seq }), noMessage),
    ),

    read(readRoutes.messageById, async ({ params: { conversationId, messageId } }, { userId }) =>
      found(await inbox.message(userId, conversationId, { messageId }), noMessage),
    ),

    read(readRoutes.members, async ({ params }, { userId }) =>
      found(await inbox.members(userId, params.conversationId), noConversation),
    ),

    read(readRoutes.messageChanges, async ({ params, query: { after, limit } }, { userId }) => {
      const from = placeOfCursor(after, eventLog);
      if (!from.ok) return from;
      const before = inboxPlace();
      const page = await inbox.changesOf(userId, params.conversationId, from.place, limit);
      if (page === undefined) return noConversation;
      const { messages, isLast, incomplete } = page;
      const next = nextOf(from.place, page, messages.at(-1)?.place, before);
      return ok({ messages: messages.map(({ message }) => message), next, isLast, incomplete });
    }),

    read(readRoutes.search, async ({ query }, caller) => {
      const { q, conversation, sender, issuer, before, after, type, cursor, limit } = query;
      const answer = await search.search({
        user: caller.userId,
        text: q,
        filters: {
          ...(conversation !== undefined && { conversationId: conversation }),
          ...(sender !== undefined && { sender: resolveUser(caller, userNamed(sender, issuer)) }),
          ...(before !== undefined && { before }),
          ...(after !== undefined && { after }),
          ...(type !== undefined && { type }),
        },
        cursor: cursor ?? null,
        limit,
      });
      if (answer.outcome === 'refused') return refused(reject('invalid', searchRefusals[answer.why]));
      const { hits, nextCursor: next, complete, indexedThrough } = answer;
      return ok({ hits, next, complete, indexedThrough: indexedThrough && cursorAt(indexedThrough) });
    }),

    read(readRoutes.profile, async ({ params: { user }, query: { issuer } }, caller) => {
      const [profile] = await inbox.profiles([resolveUser(caller, userNamed(user, issuer))]);
      return found(profile, noUser);
    }),

    read(readRoutes.profiles, async ({ query: { ids } }) => ok({ users: await inbox.profiles(ids) })),

    read(readRoutes.blocks, async (_, { userId }) => ok({ users: await inbox.blocks(userId) })),
  ];
};
