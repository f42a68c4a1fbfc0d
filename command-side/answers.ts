import type { FirstAnswer } from '../domain/conversation.ts';
import type { Marks } from '../domain/receipts.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import { slotOf, type ConversationId, type Seq, type UserId } from '../schemas/ids.ts';
import { encodeReadAfter, type LogPosition } from '../schemas/position.ts';
import type { CommandAnswer } from './command-gateway.ts';

/** What the first handling of a command is answered with. */
export interface FirstAnswered {
  /** Of a send. */
  readonly seq?: Seq | undefined;
  readonly time: number;
  readonly chain: string;
}

export const refused = (rejection: Rejection): CommandAnswer => ({ ok: false, rejection });

export const unavailable = (why: string): Rejection => reject('unavailable', `${why}; sending it again is safe`);

export const idReused = (type: string): Rejection =>
  type === 'send'
    ? reject('message_id_reused', 'messageId: it stands for another body or another sender')
    : reject('command_id_reused', 'commandId: it stands for another command or another user');

export const rateLimited = (limiter: 'user' | 'receipts', retryAfterMs: number): Rejection =>
  reject('rate_limited', 'too many commands of one user; nothing was written', { limiter, retryAfterMs });

const busyRetryMs = 250;

export const busy = (limiter: string): Rejection =>
  reject('busy', `the queue ${limiter} is full; nothing was written`, { limiter, retryAfterMs: busyRetryMs });

/** Without a mac (the author's key is gone) only the sender can be compared. */
export const isSame = (first: FirstAnswer, { by, mac }: { by: FirstAnswer['by']; mac: string | undefined }): boolean =>
  first.by === by && (mac === undefined || first.mac === mac);

const readAfter = ({ log, n }: LogPosition, slots: readonly number[]): string =>
  encodeReadAfter({ positions: new Map([[log, n]]), slots });

export const acceptedAs = (
  conversationId: ConversationId,
  { seq, time, chain }: FirstAnswered,
  position: LogPosition,
): CommandAnswer => ({
  ok: true,
  done: {
    type: 'accepted',
    conversationId,
    seq,
    time,
    chain,
    readAfter: readAfter(position, [slotOf(conversationId)]),
  },
});

/** The first answer, given again. */
export const again = (answer: CommandAnswer): CommandAnswer => (answer.ok ? { ...answer, repeated: true } : answer);

export const savedAs = (
  { time, chain }: FirstAnswered,
  position: LogPosition,
  slots: readonly number[],
): CommandAnswer => ({ ok: true, done: { type: 'saved', time, chain, readAfter: readAfter(position, slots) } });

export const markedAs = (
  conversationId: ConversationId,
  { delivered, read }: Marks,
  time: number,
  position: LogPosition,
): CommandAnswer => ({
  ok: true,
  done: {
    type: 'marked',
    conversationId,
    delivered,
    read,
    time,
    readAfter: readAfter(position, [slotOf(conversationId)]),
  },
});

export const announcedAs = (user: UserId, time: number, position: LogPosition): CommandAnswer => ({
  ok: true,
  done: { type: 'announced', time, readAfter: readAfter(position, [slotOf(user)]) },
});
