import { z } from 'zod';
import { wellFormed } from './content.ts';
import {
  conversationPath,
  issuerInQuery,
  none,
  ofConversation,
  ofMessage,
  ofUser,
  userInPath,
  type RawCall,
} from './http.ts';
import { commandId, conversationId, userId } from './ids.ts';
import { invalid, type Parsed } from './parse.ts';
import { changeView, chatView, memberView, messageView, profileView, searchHitView } from './views.ts';

/** A read over REST. All are `GET`, have no body, and take `Parley-Read-After`. */
export interface ReadRoute<Call, Answer> {
  /** What varies is written `:name`. */
  readonly path: string;
  readonly summary: string;
  /** Whose position `Parley-Read-After` is compared with. */
  readonly readModel: 'inbox' | 'search';
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  /** The body of a 200. */
  readonly answer: z.ZodType<Answer>;
  readonly parse: (raw: Pick<RawCall, 'params' | 'query'>) => Parsed<Call>;
}

const readRoute = <Params extends z.ZodObject, Query extends z.ZodObject, Answer>(route: {
  readonly path: string;
  readonly summary: string;
  readonly readModel?: 'search';
  readonly params: Params;
  readonly query: Query;
  readonly answer: z.ZodType<Answer>;
}): ReadRoute<{ readonly params: z.output<Params>; readonly query: z.output<Query> }, Answer> => ({
  readModel: 'inbox',
  ...route,
  parse(raw) {
    const params = route.params.safeParse(raw.params);
    if (!params.success) return invalid(params.error);
    const query = route.query.safeParse(raw.query);
    return query.success ? { ok: true, value: { params: params.data, query: query.data } } : invalid(query.error);
  },
});

/** A number in a query, of digits alone. */
const numberInQuery = (least: number, most: number) => {
  const expected = `must be a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^[0-9]{1,15}$/, expected)
    .transform(Number)
    .pipe(z.int().min(least, expected).max(most, expected))
    .meta({ type: 'integer', minimum: least, maximum: most });
};

const limitInQuery = (otherwise: number, most: number) => ({
  limit: numberInQuery(1, most)
    .optional()
    .transform((limit) => limit ?? otherwise),
});

const flagInQuery = z
  .enum(['true', 'false'])
  .transform((text) => text === 'true')
  .optional();
const seqInQuery = numberInQuery(0, Number.MAX_SAFE_INTEGER);
const timeInQuery = numberInQuery(0, Number.MAX_SAFE_INTEGER);
const cursorInQuery = z.string().min(1).max(1_000);

export const mostMessages = 200;
export const mostChats = 200;
export const mostFound = 100;
export const mostProfiles = 200;

const cursorOut = z.string().nullable();

const oneOfThree = ({ before, after, around }: { before?: unknown; after?: unknown; around?: unknown }): boolean =>
  [before, after, around].filter((given) => given !== undefined).length <= 1;

export const readRoutes = {
  chats: readRoute({
    path: '/v1/chats',
    summary: 'The chats of the caller, the newest activity first',
    params: none,
    query: z.strictObject({
      /** `next` of the page before. */
      cursor: cursorInQuery.optional(),
      ...limitInQuery(50, mostChats),
      archived: flagInQuery,
      pinned: flagInQuery,
    }),
    answer: z.strictObject({ chats: z.array(chatView).readonly(), next: cursorOut, incomplete: z.boolean() }),
  }),
  unread: readRoute({
    path: '/v1/unread',
    summary: 'How many messages the caller has not read, and in how many chats',
    params: none,
    query: none,
    answer: z.strictObject({ unread: z.int().min(0), chats: z.int().min(0), incomplete: z.boolean() }),
  }),
  chatChanges: readRoute({
    path: '/v1/changes',
    summary: 'What changed for the caller after a cursor, as it is now: chats, chats that ended, people, blocks',
    params: none,
    query: z.strictObject({ after: cursorInQuery.optional(), ...limitInQuery(50, mostChats) }),
    answer: z.strictObject({
      changes: z.array(changeView).readonly(),
      /** Where to go on, also when this was the last page. */
      next: cursorOut,
      isLast: z.boolean(),
    }),
  }),
  chat: readRoute({
    path: conversationPath,
    summary: 'One chat of the caller',
    params: ofConversation,
    query: none,
    answer: chatView,
  }),
  messages: readRoute({
    path: `${conversationPath}/messages`,
    summary: 'A page of history: the newest, or those before, after or around a seq',
    params: ofConversation,
    query: z
      .strictObject({
        before: seqInQuery.optional(),
        after: seqInQuery.optional(),
        around: seqInQuery.optional(),
        ...limitInQuery(50, mostMessages),
      })
      .refine(oneOfThree, 'before, after, around: only one of them'),
    answer: z.strictObject({
      messages: z.array(messageView).readonly(),
      isFirst: z.boolean(),
      isLast: z.boolean(),
      incomplete: z.boolean(),
    }),
  }),
  message: readRoute({
    path: `${conversationPath}/messages/:seq`,
    summary: 'One message by its seq',
    params: ofMessage,
    query: none,
    answer: messageView,
  }),
  messageById: readRoute({
    path: `${conversationPath}/messages/by-id/:messageId`,
    summary: 'One message by its messageId',
    params: z.strictObject({ conversationId, messageId: commandId }),
    query: none,
    answer: messageView,
  }),
  members: readRoute({
    path: `${conversationPath}/members`,
    summary: 'The members, with how far each has received and read',
    params: ofConversation,
    query: none,
    answer: z.strictObject({ members: z.array(memberView).readonly(), incomplete: z.boolean() }),
  }),
  messageChanges: readRoute({
    path: `${conversationPath}/changes`,
    summary: 'The messages that were sent, edited or deleted after a cursor, as they are now',
    params: ofConversation,
    query: z.strictObject({ after: cursorInQuery.optional(), ...limitInQuery(50, mostMessages) }),
    answer: z.strictObject({
      messages: z.array(messageView).readonly(),
      /** Where to go on, also when this was the last page. */
      next: cursorOut,
      isLast: z.boolean(),
      incomplete: z.boolean(),
    }),
  }),
  search: readRoute({
    path: '/v1/search',
    summary: 'The newest messages of the caller’s chats that hold every word of `q`',
    readModel: 'search',
    params: none,
    query: z.strictObject({
      /** What a person typed; nothing in it is syntax. */
      q: wellFormed,
      conversation: conversationId.optional(),
      sender: userInPath.optional(),
      ...issuerInQuery,
      /** Sent earlier than this time; at this time or later. In milliseconds. */
      before: timeInQuery.optional(),
      after: timeInQuery.optional(),
      type: z.enum(['text', 'location']).optional(),
      /** `next` of the page before. */
      cursor: cursorInQuery.optional(),
      ...limitInQuery(20, mostFound),
    }),
    answer: z.strictObject({
      hits: z.array(searchHitView).readonly(),
      next: cursorOut,
      /** False: the search was stopped early; `next` goes on. */
      complete: z.boolean(),
      /** Up to where the answer saw everything. */
      indexedThrough: cursorOut,
    }),
  }),
  profile: readRoute({
    path: '/v1/users/:user',
    summary: 'What a user shows of itself',
    params: ofUser,
    query: z.strictObject(issuerInQuery),
    answer: profileView,
  }),
  profiles: readRoute({
    path: '/v1/users',
    summary: 'The same of several users; who is not registered is left out',
    params: none,
    query: z.strictObject({
      ids: z
        .string()
        .transform((text) => text.split(','))
        .pipe(z.array(userId).max(mostProfiles)),
    }),
    answer: z.strictObject({ users: z.array(profileView).readonly() }),
  }),
  blocks: readRoute({
    path: '/v1/me/blocks',
    summary: 'Whom the caller blocks',
    params: none,
    query: none,
    answer: z.strictObject({ users: z.array(userId).readonly() }),
  }),
} as const;

export type ReadName = keyof typeof readRoutes;

/** Sent with a read: the `readAfter` of a write that the answer must contain. */
export const readAfterHeader = 'parley-read-after';
