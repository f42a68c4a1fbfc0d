import { randomUUID } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import type { ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import { CallError, streamDeleted } from './call-error.ts';
import type { Node } from './node.ts';
import { caughtUpAnswer, checkpointAnswer, confirmationAnswer, eventAnswer } from './read-answers.ts';
import type { ReadRequest } from './read-request.ts';
import type { Store } from './store.ts';
import { type StoredEvent, tombstoneRevision } from './stored-event.ts';

/** Who falls further behind than this while live is read to again, and told when it has caught up. */
const liveWindow = 32;

/** Events after a place, and the place after each. */
interface Source {
  readonly from: bigint;
  after(place: bigint, limit: number): StoredEvent[];
  placeOf(event: StoredEvent): bigint;
  /** The last place there is. */
  end(): bigint;
}

export const subscribe = async (
  { log, faults }: Node,
  request: ReadRequest,
  answer: (message: ReadResp) => Promise<void>,
  stopped: AbortSignal,
): Promise<void> => {
  const { stream, filter } = request;
  if (stream !== undefined && log.store.lastRevisionOf(stream) === tombstoneRevision) throw streamDeleted(stream);
  await answer(confirmationAnswer(randomUUID()));
  const source = stream === undefined ? allOf(log.store, request) : streamOf(log.store, request, stream);
  let place = source.from;
  if (faults.behaviour.pastTheEnd === 'heard' && place > source.end()) place = source.end();
  let live = false;
  let unmarked = 0;
  const { endings } = faults;
  while (!stopped.aborted) {
    if (faults.endings !== endings) throw tooSlow();
    const { generation } = log;
    const { mute, slowSubscribers } = faults.behaviour;
    const page = mute ? [] : source.after(place, liveWindow + 1);
    if (page.length === 0) {
      if (!live && !mute) await answer(caughtUpAnswer());
      live ||= !mute;
      await log.grown(generation, stopped);
      continue;
    }
    if (page.length > liveWindow) {
      if (live && slowSubscribers === 'ended') throw tooSlow();
      live = false;
    }
    for (const event of page) {
      place = source.placeOf(event);
      if (!filter || filter.matches(event)) await answer(eventAnswer(event));
      unmarked += 1;
      if (filter && unmarked >= filter.checkpointEvery) {
        unmarked = 0;
        await answer(checkpointAnswer(event.position));
      }
      if (live && faults.endsSubscription()) throw tooSlow();
      if (live && faults.saysCaughtUpAgain()) await answer(caughtUpAnswer());
    }
  }
};

/** In the words of 23.10.6. */
const tooSlow = (): CallError =>
  new CallError(
    status.ABORTED,
    'Operation timed out: Consumer too slow to handle event while live. Client resubscription required.',
  );

const allOf = (store: Store, { from }: ReadRequest): Source => {
  if (typeof from === 'bigint' && !store.isPosition(from)) {
    throw new CallError(status.INVALID_ARGUMENT, 'Trying to read from an invalid position.');
  }
  return {
    from: from === 'start' ? -1n : from === 'end' ? store.endOfLog - 1n : from,
    after: (place, limit) => store.readAll(place + 1n, 'forwards', limit),
    placeOf: (event) => event.position,
    end: () => store.endOfLog - 1n,
  };
};

const streamOf = (store: Store, { from }: ReadRequest, stream: string): Source => ({
  from: from === 'start' ? -1n : from === 'end' ? store.lastRevisionOf(stream) : from,
  after: (place, limit) => store.readStream(stream, place + 1n, 'forwards', limit, BigInt(Date.now()) * 10_000n),
  placeOf: (event) => event.revision,
  end: () => store.lastRevisionOf(stream),
});
