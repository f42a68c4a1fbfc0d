import { isReceiptsEvent } from '../domain/fold.ts';
import { receiptsCodeVersion, receiptsFromSnapshot, receiptsToSnapshot } from '../domain/receipts-snapshot.ts';
import { evolveReceipts, foldReceipts, type Receipts } from '../domain/receipts.ts';
import type { ConversationId } from '../schemas/ids.ts';
import { receiptsStream } from '../schemas/streams.ts';
import { streamCache, type StreamCache, type StreamCacheDeps } from './stream-cache.ts';

export type ReceiptsCache = StreamCache<ConversationId, Receipts>;

export const receiptsCache = (deps: StreamCacheDeps, mostWeight = 100_000): ReceiptsCache =>
  streamCache(
    deps,
    {
      stream: receiptsStream,
      fold: foldReceipts,
      evolve: (before, event) => (isReceiptsEvent(event) ? evolveReceipts(before, event) : before),
      codeVersion: receiptsCodeVersion,
      toSnapshot: receiptsToSnapshot,
      fromSnapshot: receiptsFromSnapshot,
      weightOf: (receipts) => 2 + (receipts?.size ?? 0) / 2,
    },
    mostWeight,
  );
