import { once } from 'node:events';
import { status, type ServerWritableStream } from '@grpc/grpc-js';
import type { ReadReq, ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import { CallError, notReady, streamDeleted } from './call-error.ts';
import type { Endpoint } from './faults.ts';
import type { Node } from './node.ts';
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
  (node: Node) =>
  (call: ReadCall): void => {
    const { log, faults, connections } = node;
    const cancelled = new AbortController();
    for (const event of ['cancelled', 'close', 'error']) call.on(event, () => cancelled.abort());
    const stopped = AbortSignal.any([cancelled.signal, log.closed]);
    const answer = (message: ReadResp): Promise<void> => written(call, message, stopped);
    const answerAll = async (): Promise<void> => {
      const request = readRequestOf(call.request);
      const { leader } = faults.behaviour;
      if (leader && call.metadata.get('requires-leader')[0] === 'true') throw notLeader(leader);
      if (request.limit === undefined) await subscribe(node, request, answer, stopped);
      else await readOnce(log.store, request, request.limit, answer, stopped);
    };
    const end = (error?: unknown): void => {
      if (stopped.aborted) return;
      if (error === undefined) call.end();
      else call.emit('error', error);
    };
    const start = (): void => void answerAll().then(() => end(), end);
    switch (faults.forRead()) {
      case undefined:
        start();
        break;
      case 'late':
        setTimeout(start, faults.behaviour.lateMs);
        break;
      case 'not-ready':
        end(notReady());
        break;
      case 'cut':
        connections.cut(call.getPeer());
        break;
      case 'reset':
        connections.resetReads(call.getPeer());
        break;
      case 'unanswered':
        break;
    }
  };

const notLeader = ({ host, port }: Endpoint): CallError =>
  new CallError(status.NOT_FOUND, 'Leader info available', {
    exception: 'not-leader',
    'leader-endpoint-host': host,
    'leader-endpoint-port': String(port),
  });

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
    if (left === 0n || stopped.aborted) return;
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
