import { z } from 'zod';
import {
  addMember,
  block,
  changeChatSettings,
  changeProfile,
  changeRole,
  createGroup,
  deleteMessage,
  edit,
  leave,
  markFields,
  rename,
  reservedPart,
  saysAMark,
  send,
  startDirect,
  unblock,
  type Command,
  type UserRef,
} from './commands.ts';
import { wellFormed } from './content.ts';
import { accepted, marked, saved } from './frames.ts';
import { commandId, conversationId, seq, userId } from './ids.ts';
import { invalid, type Parsed } from './parse.ts';

/** A call as it came in, before anything of it is believed. */
export interface RawCall {
  readonly params: unknown;
  readonly query: unknown;
  /** Undefined where there is none. */
  readonly body: unknown;
}

const writeMethods = ['POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** A write over REST: the same command, with the same ids and the same answer, as over the socket. */
export interface WriteRoute {
  readonly method: (typeof writeMethods)[number];
  /** What varies is written `:name`. */
  readonly path: string;
  readonly command: Command['type'];
  /** What {params, query, body} must be. */
  readonly call: z.ZodType;
  readonly parse: (raw: RawCall) => Parsed<Command>;
}

const writeRoute = <Call extends z.ZodType>(
  address: `${WriteRoute['method']} ${string}`,
  command: Command['type'],
  call: Call,
  toCommand: (call: z.infer<Call>) => Command,
): WriteRoute => ({
  method: writeMethods.find((method) => address.startsWith(method)) ?? 'POST',
  path: address.slice(address.indexOf(' ') + 1),
  command,
  call,
  parse(raw) {
    const reserved = reservedPart(raw.body);
    if (reserved !== undefined) return { ok: false, code: 'unsupported', message: `${reserved} is not supported yet` };
    const parsed = call.safeParse(raw);
    return parsed.success ? { ok: true, value: toCommand(parsed.data) } : invalid(parsed.error);
  },
});

const none = z.strictObject({});
/** What a DELETE needs stands in its address: not every proxy passes a body on. */
const noBody = z.undefined('must be empty').optional();
const idInQuery = z.strictObject({ commandId });

const ofConversation = z.strictObject({ conversationId });
const seqInPath = z
  .string()
  .regex(/^[1-9][0-9]{0,14}$/, 'must be the seq of a message')
  .transform(Number)
  .pipe(seq.min(1));
const ofMessage = z.strictObject({ conversationId, seq: seqInPath });

/** In an address a user is its id, or `@` and its name; `issuer` in the query says whose name, unless the caller's. */
const userInPath = z
  .string()
  .transform((text) => (text.startsWith('@') ? { name: text.slice(1) } : text))
  .pipe(z.union([userId, z.strictObject({ name: wellFormed.min(1).max(500) })], 'must be a user id, or @ and a name'));
const ofMember = z.strictObject({ conversationId, user: userInPath });
const ofUser = z.strictObject({ user: userInPath });
const issuerInQuery = { issuer: wellFormed.min(1).max(500).optional() };

const userNamed = (user: z.infer<typeof userInPath>, issuer: string | undefined): UserRef =>
  typeof user === 'string' || issuer === undefined ? user : { ...user, issuer };

const inPath = { type: true, conversationId: true } as const;
const conversation = '/v1/conversations/:conversationId';

export const writeRoutes: readonly WriteRoute[] = [
  writeRoute(
    'POST /v1/conversations/direct',
    'start-direct',
    z.object({ params: none, query: none, body: startDirect.omit({ type: true }) }),
    ({ body }) => ({ type: 'start-direct', ...body }),
  ),
  writeRoute(
    'POST /v1/conversations/group',
    'create-group',
    z.object({ params: none, query: none, body: createGroup.omit({ type: true }) }),
    ({ body }) => ({ type: 'create-group', ...body }),
  ),
  writeRoute(
    `PUT ${conversation}/name`,
    'rename',
    z.object({ params: ofConversation, query: none, body: rename.omit(inPath) }),
    ({ params, body }) => ({ type: 'rename', ...params, ...body }),
  ),
  writeRoute(
    `POST ${conversation}/members`,
    'add-member',
    z.object({ params: ofConversation, query: none, body: addMember.omit(inPath) }),
    ({ params, body }) => ({ type: 'add-member', ...params, ...body }),
  ),
  writeRoute(
    `DELETE ${conversation}/members/me`,
    'leave',
    z.object({ params: ofConversation, query: leave.omit(inPath), body: noBody }),
    ({ params, query }) => ({ type: 'leave', ...params, ...query }),
  ),
  writeRoute(
    `DELETE ${conversation}/members/:user`,
    'remove-member',
    z.object({ params: ofMember, query: idInQuery.extend(issuerInQuery), body: noBody }),
    ({ params, query }) => ({
      type: 'remove-member',
      commandId: query.commandId,
      conversationId: params.conversationId,
      user: userNamed(params.user, query.issuer),
    }),
  ),
  writeRoute(
    `PUT ${conversation}/members/:user/role`,
    'change-role',
    z.object({
      params: ofMember,
      query: z.strictObject(issuerInQuery),
      body: changeRole.omit({ ...inPath, user: true }),
    }),
    ({ params, query, body }) => ({
      type: 'change-role',
      conversationId: params.conversationId,
      user: userNamed(params.user, query.issuer),
      ...body,
    }),
  ),
  writeRoute(
    `POST ${conversation}/messages`,
    'send',
    z.object({ params: ofConversation, query: none, body: send.omit(inPath) }),
    ({ params, body }) => ({ type: 'send', ...params, ...body }),
  ),
  writeRoute(
    `PUT ${conversation}/messages/:seq`,
    'edit',
    z.object({ params: ofMessage, query: none, body: edit.omit({ ...inPath, seq: true }) }),
    ({ params, body }) => ({ type: 'edit', ...params, ...body }),
  ),
  writeRoute(
    `DELETE ${conversation}/messages/:seq`,
    'delete',
    z.object({ params: ofMessage, query: deleteMessage.omit({ ...inPath, seq: true }), body: noBody }),
    ({ params, query }) => ({ type: 'delete', ...params, ...query }),
  ),
  writeRoute(
    `PUT ${conversation}/marks`,
    'mark',
    z.object({ params: ofConversation, query: none, body: z.strictObject(markFields).refine(...saysAMark) }),
    ({ params, body }) => ({ type: 'mark', ...params, ...body }),
  ),
  writeRoute(
    `PATCH ${conversation}/settings`,
    'change-chat-settings',
    z.object({ params: ofConversation, query: none, body: changeChatSettings.omit(inPath) }),
    ({ params, body }) => ({ type: 'change-chat-settings', ...params, ...body }),
  ),
  writeRoute(
    'PUT /v1/me/blocks/:user',
    'block',
    z.object({
      params: ofUser,
      query: z.strictObject(issuerInQuery),
      body: block.omit({ type: true, user: true }),
    }),
    ({ params, query, body }) => ({ type: 'block', user: userNamed(params.user, query.issuer), ...body }),
  ),
  writeRoute(
    'DELETE /v1/me/blocks/:user',
    'unblock',
    z.object({ params: ofUser, query: unblock.omit({ type: true, user: true }).extend(issuerInQuery), body: noBody }),
    ({ params, query }) => ({
      type: 'unblock',
      commandId: query.commandId,
      user: userNamed(params.user, query.issuer),
    }),
  ),
  writeRoute(
    'PUT /v1/me/profile',
    'change-profile',
    z.object({ params: none, query: none, body: changeProfile.omit({ type: true }) }),
    ({ body }) => ({ type: 'change-profile', ...body }),
  ),
];

/** What a write answers with, status 200. */
export const acceptedBody = accepted.omit({ type: true, messageId: true, commandId: true });
export const savedBody = saved.omit({ type: true, commandId: true });
export const markedBody = marked.omit({ type: true });

/** RFC 9457. */
export interface Problem {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly retryAfterMs?: number;
  readonly serverTime?: number;
  readonly limiter?: string;
}
