import { once } from 'node:events';
import { status, type ServerWritableStream } from '@grpc/grpc-js';
import type { ReadReq, ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import { CallError, streamDeleted } from './call-error.ts';
import type { Log } from './log.ts';
import { eventAnswer, streamNotFoundAnswer } from './read-answers.ts';
import { type ReadRequest, readRequestOf } from './read-request.ts';
import type { Store } from './store.ts';
import { type StoredEvent, tombstoneRevision } from './stored-event.ts';
import { isSoftDeleted } from './stream-metadata.ts';
import { subscribe } from './subscription.ts';

export type ReadCall = ServerWritableStream<ReadReq, ReadResp>;

const pageSize = 100;

/** Beyond every position. */
const farEnd = 2n ** 63n - 1n;

export const read =
  (log: Log) =>
  (call: ReadCall): void => {
    const stopped = new AbortController();
    for (const event of ['cancelled', 'close', 'error']) call.on(event, () => stopped.abort());
    const request = readRequestOf(call.request);
    const answer = (message: ReadResp): Promise<void> => written(call, message, stopped.signal);
    const work =
      request.limit === undefined
        ? subscribe(log, request, answer, stopped.signal)
        : readOnce(log.store, request, request.limit, answer, stopped.signal);
    work.then(
      () => call.end(),
      (error: unknown) => {
        if (!stopped.signal.aborted) call.emit('error', error);
      },
    );
  };

/** When the caller can take more, or is gone. */
const written = async (call: ReadCall, message: ReadResp, stopped: AbortSignal): Promise<void> => {
  if (stopped.aborted || call.write(message)) return;
  await once(call, 'drain', { signal: stopped }).catch(() => undefined);
};

const readOnce = async (
  store: Store,
  request: ReadRequest,
  limit: bigint,
  answer: (message: ReadResp) => Promise<void>,
  stopped: AbortSignal,
): Promise<void> => {
  if (limit === 0n) {
    const result = request.stream === undefined ? 'ReadAllResult' : 'ReadStreamResult';
    throw new CallError(status.UNKNOWN, `Unexpected ${result}: Error`);
  }
  if (request.stream !== undefined && (await isAbsent(store, request.stream, answer))) return;
  const pages =
    request.stream === undefined ? pagesOfAll(store, request) : pagesOfStream(store, request, request.stream);
  let left = limit;
  for (const page of pages) {
    for (const event of page) {
      if (request.filter && !request.filter.matches(event)) continue;
      if (left === 0n || stopped.aborted) return;
      left -= 1n;
      await answer(eventAnswer(event));
    }
    if (left === 0n) return;
  }
};

const isAbsent = async (
  store: Store,
  stream: string,
  answer: (message: ReadResp) => Promise<void>,
): Promise<boolean> => {
  const last = store.lastRevisionOf(stream);
  if (last === tombstoneRevision) throw streamDeleted(stream);
  if (last >= 0n && !isSoftDeleted(store.metadataOf(stream))) return false;
  await answer(streamNotFoundAnswer(stream));
  return true;
};

function* pagesOfStream(store: Store, { from, direction }: ReadRequest, stream: string): Generator<StoredEvent[]> {
  const now = BigInt(Date.now()) * 10_000n;
  const backwards = direction === 'backwards';
  for (let next = from === 'start' ? 0n : from === 'end' ? farEnd : from; ;) {
    const page = store.readStream(stream, next, direction, pageSize, now);
    const last = page.at(-1);
    if (!last) return;
    yield page;
    next = backwards ? last.revision - 1n : last.revision + 1n;
  }
}

function* pagesOfAll(store: Store, { from, direction }: ReadRequest): Generator<StoredEvent[]> {
  if (typeof from === 'bigint' && !store.isPosition(from)) {
    throw new CallError(status.UNKNOWN, 'Unexpected ReadAllResult: InvalidPosition');
  }
  const backwards = direction === 'backwards';
  for (let next = from === 'start' ? 0n : from === 'end' ? farEnd : from; ;) {
    const page = store.readAll(next, direction, pageSize);
    const last = page.at(-1);
    if (!last) return;
    yield page;
    next = backwards ? last.position : last.position + 1n;
  }
}
