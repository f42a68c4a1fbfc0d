import type { MessageContent } from '../schemas/content.ts';
import type { CommandId, ConversationId, Seq, UserId } from '../schemas/ids.ts';
import { timeOfUuid } from '../schemas/uuid-v7.ts';
import { commandIdOf, conversationIdOf, userIdOf } from './inbox-codes.ts';

export type Row = Readonly<Record<string, unknown>>;

/** A partition of the log of a conversation's changes, by the revision of the event that changed. */
export const chunkOf = (revision: number): number => Math.floor(revision / 5_000);
/** Of the log of changed profiles, by place. */
export const personChunkOf = (place: number): number => Math.floor(place / 4_194_304);
/** Of the ids of commands, by the time in them. */
export const dayOf = (id: CommandId): number => Math.floor(timeOfUuid(id) / 86_400_000);

/**
 * The stamp of what an event of a revision wrote. An erasure overwrites it at one more (`erasureOf`): that outranks it, and
 * nothing later.
 */
export const stampOf = (revision: number): number => 2 * (revision + 1);
export const erasureOf = (stamp: number): number => stamp + 1;

/** What `state` says of a message's content. `long`: it lies in `long_text`. */
export const messageState = { text: 0, json: 1, deleted: 2, long: 3, none: 4 } as const;

/** UTF-16 units above which a text lies in a table of its own: 5,000 of the others are some megabytes. */
const longest = 2_000;

export interface StoredContent {
  readonly state: number;
  readonly content: string;
}

/** Nothing is left of it: the key is gone, or the author was erased. */
export const noContent: StoredContent = { state: messageState.none, content: '' };

export const storedContent = (content: MessageContent | null): StoredContent => {
  if (content === null) return noContent;
  if (content.type !== 'text') return { state: messageState.json, content: JSON.stringify(content) };
  const { text } = content;
  return { state: text.length > longest ? messageState.long : messageState.text, content: text };
};

export const contentOf = ({ state, content }: StoredContent): MessageContent | null => {
  if (state === messageState.none || state === messageState.deleted) return null;
  return state === messageState.json ? (JSON.parse(content) as MessageContent) : { type: 'text', text: content };
};

/** The newest message of a conversation, as lists show it. */
export interface Preview {
  readonly seq: Seq;
  readonly id: CommandId;
  readonly by: UserId;
  readonly time: number;
  readonly replyTo: Seq | null;
  readonly deleted: boolean;
  readonly content: MessageContent | null;
  readonly cut: boolean;
  readonly version: number;
  readonly changedAt: number | null;
}

const bytesIn = (row: Row, column: string): Buffer => {
  const value: unknown = row[column];
  if (!Buffer.isBuffer(value)) throw new Error(`${column} is no id`);
  return value;
};
export const userIdIn = (row: Row, column: string): UserId => userIdOf(bytesIn(row, column));
export const conversationIdIn = (row: Row, column: string): ConversationId => conversationIdOf(bytesIn(row, column));
export const commandIdIn = (row: Row, column: string): CommandId => commandIdOf(bytesIn(row, column));

/** Undefined: never written. */
export const numberOr = <Otherwise>(row: Row, column: string, otherwise: Otherwise): number | Otherwise => {
  const value: unknown = row[column];
  if (value === null || value === undefined) return otherwise;
  if (typeof value !== 'number' && typeof value !== 'bigint') throw new Error(`${column} is no number`);
  return Number(value);
};
export const numberIn = (row: Row, column: string): number => {
  const value = numberOr(row, column, undefined);
  if (value === undefined) throw new Error(`${column} is missing`);
  return value;
};
/** Where -1 stands for null. */
export const positiveOrNull = (row: Row, column: string): number | null => {
  const value = numberOr(row, column, -1);
  return value < 0 ? null : value;
};
/** Where '' stands for null. */
export const textOrNull = (row: Row, column: string): string | null => {
  const value: unknown = row[column];
  return typeof value === 'string' && value !== '' ? value : null;
};
export const isTrue = (row: Row, column: string): boolean => row[column] === true;

export const previewIn = (row: Row): Preview | undefined => {
  const text = textOrNull(row, 'last');
  return text === null ? undefined : (JSON.parse(text) as Preview);
};
