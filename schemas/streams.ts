import type { ConversationId, UserId } from './ids.ts';

/** A stream's kind is the text before the first `-` of its name. */
export const streamKinds = ['conversation', 'receipts', 'presence', 'user', 'reservation', 'audit', 'parley'] as const;
export type StreamKind = (typeof streamKinds)[number];

export const isStreamKind = (text: string): text is StreamKind => streamKinds.some((kind) => kind === text);

export type StreamName = `${StreamKind}-${string}`;

export const conversationStream = (id: ConversationId): StreamName => `conversation-${id}`;
export const receiptsStream = (id: ConversationId): StreamName => `receipts-${id}`;
export const presenceStream = (id: UserId): StreamName => `presence-${id}`;
export const userStream = (id: UserId): StreamName => `user-${id}`;
/** Holds the log's epochs; see event-log/epochs.ts. */
export const logStream: StreamName = 'parley-log';

export const kindOf = (stream: StreamName): StreamKind => stream.slice(0, stream.indexOf('-')) as StreamKind;

/** What follows the kind: for a conversation's stream the conversation's id. */
export const subjectOf = (stream: StreamName): string => stream.slice(stream.indexOf('-') + 1);

/** Streams whose events are linked by a hash chain. */
export const isChained = (stream: StreamName): boolean => {
  const kind = kindOf(stream);
  return kind === 'conversation' || kind === 'user';
};
