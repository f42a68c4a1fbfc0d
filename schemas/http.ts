import { z } from 'zod';
import {
  addMember,
  announceStatus,
  block,
  changeChatSettings,
  changeProfile,
  changeRole,
  createGroup,
  deleteMessage,
  edit,
  isUserCommandType,
  leave,
  markFields,
  rename,
  reservedPart,
  saysAMark,
  send,
  signOut,
  startDirect,
  unblock,
  type Command,
  type UserRef,
} from './commands.ts';
import { wellFormed } from './content.ts';
import { errors, type Rejection } from './errors.ts';
import { accepted, announced, errorCode, marked, refusalDetails, saved } from './frames.ts';
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
  readonly call: WriteCall;
  /** The body of a 200. */
  readonly answer: z.ZodObject;
  readonly parse: (raw: RawCall) => Parsed<Command>;
}

type WriteCall = z.ZodObject<{ params: z.ZodObject; query: z.ZodObject; body: z.ZodType }>;

/** What a write answers with, status 200. */
export const acceptedBody = accepted.omit({ type: true, messageId: true, commandId: true });
export const savedBody = saved.omit({ type: true, commandId: true });
export const markedBody = marked.omit({ type: true });
export const announcedBody = announced.omit({ type: true, commandId: true });

const answerOf = (type: Command['type']): z.ZodObject => {
  if (type === 'mark') return markedBody;
  if (type === 'announce-status') return announcedBody;
  return isUserCommandType(type) ? savedBody : acceptedBody;
};

const writeRoute = <Call extends WriteCall>(
  address: `${WriteRoute['method']} ${string}`,
  command: Command['type'],
  call: Call,
  toCommand: (call: z.infer<Call>) => Command,
): WriteRoute => ({
  method: writeMethods.find((method) => address.startsWith(method)) ?? 'POST',
  path: address.slice(address.indexOf(' ') + 1),
  command,
  call,
  answer: answerOf(command),
  parse(raw) {
    const reserved = reservedPart(raw.body);
    if (reserved !== undefined) return { ok: false, code: 'unsupported', message: `${reserved} is not supported yet` };
    const parsed = call.safeParse(raw);
    return parsed.success ? { ok: true, value: toCommand(parsed.data) } : invalid(parsed.error);
  },
});

export const none = z.strictObject({});
/** What a DELETE needs stands in its address: not every proxy passes a body on. */
const noBody = z.undefined('must be empty').optional();
const idInQuery = z.strictObject({ commandId });

export const ofConversation = z.strictObject({ conversationId });
export const seqInPath = z
  .string()
  .regex(/^[1-9][0-9]{0,14}$/, 'must be the seq of a message')
  .transform(Number)
  .pipe(seq.min(1));
export const ofMessage = z.strictObject({ conversationId, seq: seqInPath });

/** In an address a user is its id, or `@` and its name; `issuer` in the query says whose name, unless the caller's. */
export const userInPath = z
  .string()
  .transform((text) => (text.startsWith('@') ? { name: text.slice(1) } : text))
  .pipe(z.union([userId, z.strictObject({ name: wellFormed.min(1).max(500) })], 'must be a user id, or @ and a name'));
const ofMember = z.strictObject({ conversationId, user: userInPath });
export const ofUser = z.strictObject({ user: userInPath });
export const issuerInQuery = { issuer: wellFormed.min(1).max(500).optional() };

export const userNamed = (user: z.infer<typeof userInPath>, issuer: string | undefined): UserRef =>
  typeof user === 'string' || issuer === undefined ? user : { ...user, issuer };

const inPath = { type: true, conversationId: true } as const;
export const conversationPath = '/v1/conversations/:conversationId';

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
    `PUT ${conversationPath}/name`,
    'rename',
    z.object({ params: ofConversation, query: none, body: rename.omit(inPath) }),
    ({ params, body }) => ({ type: 'rename', ...params, ...body }),
  ),
  writeRoute(
    `POST ${conversationPath}/members`,
    'add-member',
    z.object({ params: ofConversation, query: none, body: addMember.omit(inPath) }),
    ({ params, body }) => ({ type: 'add-member', ...params, ...body }),
  ),
  writeRoute(
    `DELETE ${conversationPath}/members/me`,
    'leave',
    z.object({ params: ofConversation, query: leave.omit(inPath), body: noBody }),
    ({ params, query }) => ({ type: 'leave', ...params, ...query }),
  ),
  writeRoute(
    `DELETE ${conversationPath}/members/:user`,
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
    `PUT ${conversationPath}/members/:user/role`,
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
    `POST ${conversationPath}/messages`,
    'send',
    z.object({ params: ofConversation, query: none, body: send.omit(inPath) }),
    ({ params, body }) => ({ type: 'send', ...params, ...body }),
  ),
  writeRoute(
    `PUT ${conversationPath}/messages/:seq`,
    'edit',
    z.object({ params: ofMessage, query: none, body: edit.omit({ ...inPath, seq: true }) }),
    ({ params, body }) => ({ type: 'edit', ...params, ...body }),
  ),
  writeRoute(
    `DELETE ${conversationPath}/messages/:seq`,
    'delete',
    z.object({ params: ofMessage, query: deleteMessage.omit({ ...inPath, seq: true }), body: noBody }),
    ({ params, query }) => ({ type: 'delete', ...params, ...query }),
  ),
  writeRoute(
    `PUT ${conversationPath}/marks`,
    'mark',
    z.object({ params: ofConversation, query: none, body: z.strictObject(markFields).refine(...saysAMark) }),
    ({ params, body }) => ({ type: 'mark', ...params, ...body }),
  ),
  writeRoute(
    `PATCH ${conversationPath}/settings`,
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
  writeRoute(
    'PUT /v1/me/status',
    'announce-status',
    z.object({ params: none, query: none, body: announceStatus.omit({ type: true }) }),
    ({ body }) => ({ type: 'announce-status', ...body }),
  ),
  writeRoute(
    'POST /v1/me/sign-out',
    'sign-out',
    z.object({ params: none, query: none, body: signOut.omit({ type: true }) }),
    ({ body }) => ({ type: 'sign-out', ...body }),
  ),
];

/** RFC 9457, with what a client may compute with. */
export const problem = z
  .strictObject({
    type: z.literal('about:blank'),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: errorCode,
    ...refusalDetails,
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof problem>;

/** A refusal as a problem document; `titleOf` gives the phrase of an HTTP status. */
export const problemOf = (
  { code, message, ...more }: Rejection,
  titleOf: (status: number) => string | undefined,
): Problem => {
  const { http: status, retry } = errors[code];
  return { type: 'about:blank', title: titleOf(status) ?? 'Refused', status, detail: message, code, retry, ...more };
};
