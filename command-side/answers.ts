import type { FirstAnswer } from '../domain/conversation.ts';
import type { ConversationCommand } from '../domain/decide-conversation.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import { slotOf, type ConversationId } from '../schemas/ids.ts';
import { encodeReadAfter, type LogPosition } from '../schemas/position.ts';
import type { CommandAnswer } from './command-gateway.ts';

export const refused = (rejection: Rejection): CommandAnswer => ({ ok: false, rejection });

export const unavailable = (why: string): Rejection => reject('unavailable', `${why}; sending it again is safe`);

export const idReused = ({ type }: Pick<ConversationCommand, 'type'>): Rejection =>
  type === 'send'
    ? reject('message_id_reused', 'messageId: it stands for another body or another sender')
    : reject('command_id_reused', 'commandId: it stands for another command or another user');

/** Without a mac (the author's key is gone) only the sender can be compared. */
export const isSame = (first: FirstAnswer, { by, mac }: { by: FirstAnswer['by']; mac: string | undefined }): boolean =>
  first.by === by && (mac === undefined || first.mac === mac);

export const acceptedAs = (
  conversationId: ConversationId,
  { seq, time, chain }: Pick<FirstAnswer, 'seq' | 'time' | 'chain'>,
  { log, n }: LogPosition,
): CommandAnswer => ({
  ok: true,
  accepted: {
    conversationId,
    seq,
    time,
    chain,
    readAfter: encodeReadAfter({ positions: new Map([[log, n]]), slots: [slotOf(conversationId)] }),
  },
});
