import { z } from 'zod';
import { command } from './commands.ts';
import { errors, type ErrorCode } from './errors.ts';
import { conversationId, deviceId, seq, userId } from './ids.ts';
import { defaultLimits, frameBytes } from './limits.ts';
import { absent } from './parse.ts';

/** Where a command side takes the connections of the processes that hand commands over. */
export const commandLinksPath = '/internal/commands';

/** Its number rises when a process of before could take a message for something else. */
export const commandLinksProtocol = 'parley-commands.1';

/** How many requests of one connection may be under way, and how many bytes they may take. */
export const mostLinkRequests = 4_096;
export const mostLinkBytes = 16 * 1_024 * 1_024;

/** How many of them one message may bring. */
export const mostRequestsAMessage = 512;

/** The largest message: the largest frame that any setting allows a client, who sends it, and some others. */
export const linkMessageBytes = frameBytes(defaultLimits) + 65_536;

const caller = z.object({ userId, deviceId, issuer: z.string() });

/** Strict: a command side that left out what it does not know would carry out something else. */
export const linkRequest = z.discriminatedUnion('is', [
  z.strictObject({ is: z.literal('command'), caller: caller.strict(), command }),
  z.strictObject({ is: z.literal('come-online'), user: userId }),
  z.strictObject({ is: z.literal('go-offline'), user: userId, lastSeen: z.number() }),
  z.strictObject({ is: z.literal('sign-in'), token: z.string() }),
]);
export type LinkRequest = z.infer<typeof linkRequest>;

const time = z.int();
const chain = z.string();
const readAfter = z.string();

const done = z.discriminatedUnion('type', [
  z.object({ type: z.literal('accepted'), conversationId, seq: absent(seq), time, chain, readAfter }),
  z.object({ type: z.literal('saved'), time, chain, readAfter }),
  z.object({ type: z.literal('marked'), conversationId, delivered: seq, read: seq, time, readAfter }),
  z.object({ type: z.literal('announced'), time, readAfter }),
]);

const rejection = z.object({
  code: z.enum(Object.keys(errors) as [ErrorCode, ...ErrorCode[]]),
  message: z.string(),
  retryAfterMs: z.number().exactOptional(),
  serverTime: z.number().exactOptional(),
  limiter: z.string().exactOptional(),
});

/** Not strict: a newer command side may say more than this process knows of. */
export const linkAnswer = z.discriminatedUnion('is', [
  z.object({ is: z.literal('done'), done, repeated: z.literal(true).exactOptional() }),
  z.object({ is: z.literal('refused'), rejection }),
  z.object({ is: z.literal('presence'), said: z.boolean() }),
  z.object({ is: z.literal('signed-in'), caller, expiresAt: z.number() }),
  /** Nothing was done: it is for another command side. */
  z.object({ is: z.literal('draining') }),
]);
export type LinkAnswer = z.infer<typeof linkAnswer>;

/** A request or an answer by the number the client gave the request. What it holds is read one by one. */
export type Numbered = readonly [number: number, body: unknown];

const isNumbered = (given: unknown): given is Numbered =>
  Array.isArray(given) && given.length === 2 && Number.isSafeInteger(given[0]);

/** Both ways a message is a list; an empty one of a command side says that it drains. undefined: it is something else. */
export const numberedList = (given: unknown, most: number): readonly Numbered[] | undefined =>
  Array.isArray(given) && given.length <= most && given.every(isNumbered) ? given : undefined;
