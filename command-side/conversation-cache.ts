import type { Conversation } from '../domain/conversation.ts';
import {
  conversationCodeVersion,
  conversationFromSnapshot,
  conversationToSnapshot,
} from '../domain/conversation-snapshot.ts';
import { evolve, foldConversation } from '../domain/evolve-conversation.ts';
import { isConversationEvent } from '../domain/fold.ts';
import { answersIn } from '../domain/id-window.ts';
import type { ConversationId } from '../schemas/ids.ts';
import { conversationStream } from '../schemas/streams.ts';
import { streamCache, type StreamCache, type StreamCacheDeps, type StreamTip } from './stream-cache.ts';

/** A conversation's stream as far as this process has seen it. */
export type Tip = StreamTip<Conversation>;
export type ConversationCache = StreamCache<ConversationId, Conversation>;

export const conversationCache = (
  deps: StreamCacheDeps,
  /** How many remembered ids (some 300 bytes each) all cached conversations may hold together. */
  mostIds = 300_000,
): ConversationCache =>
  streamCache(
    deps,
    {
      stream: conversationStream,
      fold: foldConversation,
      evolve: (before, event, recording) => (isConversationEvent(event) ? evolve(before, event, recording) : before),
      codeVersion: conversationCodeVersion,
      toSnapshot: conversationToSnapshot,
      fromSnapshot: conversationFromSnapshot,
      // Beside its ids a conversation costs about as much as a few of them, and its members one each.
      weightOf: (state) => (state === undefined ? 8 : 8 + answersIn(state.window) + state.members.size),
    },
    mostIds,
  );
