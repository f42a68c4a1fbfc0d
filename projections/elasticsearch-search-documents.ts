import type { MessageContent } from '../schemas/content.ts';
import type { ConversationId, Seq, UserId } from '../schemas/ids.ts';
import { tokenize } from '../schemas/tokenizer.ts';
import type { kinds } from './elasticsearch-search-index.ts';
import { searchedText } from './project-search.ts';

/** An id as it stands in the index. */
export const hexOf = (id: string): string => Buffer.from(id, 'base64url').toString('hex');
export const conversationIn = (hex: string): ConversationId => idIn(hex) as ConversationId;
export const userIn = (hex: string): UserId => idIn(hex) as UserId;
const idIn = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url');

/** Where a message stands, whatever becomes of its content. */
export interface MessageBase {
  readonly kind: typeof kinds.message;
  readonly conversation: string;
  readonly seq: Seq;
  readonly sender: string;
  readonly time: number;
  readonly place: number;
}

export interface MessageDocument extends MessageBase {
  readonly type: MessageContent['type'];
  readonly words: string;
  readonly content: MessageContent;
}

export interface MemberDocument {
  readonly kind: typeof kinds.member;
  readonly user: string;
  readonly conversation: string;
  readonly visibleFrom: Seq;
}

export interface BlockDocument {
  readonly kind: typeof kinds.block;
  readonly user: string;
  readonly blocked: string;
}

export interface ErasedDocument {
  readonly kind: typeof kinds.erased;
  readonly user: string;
}

export interface Stub {
  readonly kind: typeof kinds.stub;
}

export type SearchDocument = MessageDocument | MemberDocument | BlockDocument | ErasedDocument | Stub;

/** What a document is called, and the id whose shard it lies in. */
export interface DocumentKey {
  readonly id: string;
  readonly routing: string;
}

export const messageKey = (conversation: string, seq: Seq): DocumentKey => ({
  id: `message:${conversation}:${seq}`,
  routing: conversation,
});
export const memberKey = (conversation: string, user: string): DocumentKey => ({
  id: `member:${conversation}:${user}`,
  routing: conversation,
});
export const blockKey = (user: string, blocked: string): DocumentKey => ({
  id: `block:${user}:${blocked}`,
  routing: user,
});
export const erasedKey = (user: string): DocumentKey => ({ id: `erased:${user}`, routing: user });

/** Whole, with the terms of the content, each once. */
export const messageDocument = (base: MessageBase, content: MessageContent): MessageDocument => ({
  ...base,
  type: content.type,
  words: [...new Set(tokenize(searchedText(content)).map(({ term }) => term))].join(' '),
  content,
});

/** A document as a function of one stream: of several writes of it, that of the greatest revision stays. */
export const versionAt = (revision: number): number => 2 * (revision + 1);
/** Outranks what it erases, and nothing that came later. */
export const versionOfErasing = (version: number): number => version + 1;

export interface Write extends DocumentKey {
  readonly version: number;
  readonly document: SearchDocument;
}
