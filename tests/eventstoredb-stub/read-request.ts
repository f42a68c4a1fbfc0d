import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js';
import { type EventFilter, filterOf } from './event-filter.ts';
import type { Direction } from './store.ts';
import { nameOf } from './wire.ts';

export type Start = bigint | 'start' | 'end';

/** A read, or a subscription: one call has both. */
export interface ReadRequest {
  /** undefined: all of them. */
  readonly stream: string | undefined;
  readonly from: Start;
  readonly direction: Direction;
  readonly filter: EventFilter | undefined;
  /** undefined: a subscription. */
  readonly limit: bigint | undefined;
}

export const readRequestOf = (request: ReadReq): ReadRequest => {
  const options = request.getOptions();
  const stream = options?.getStream();
  const all = options?.getAll();
  const start = stream ?? all;
  const position = stream?.getRevision() ?? all?.getPosition()?.getCommitPosition();
  const filter = options?.getFilter();
  return {
    stream: stream && nameOf(stream.getStreamIdentifier()),
    from: start?.hasStart() ? 'start' : start?.hasEnd() ? 'end' : BigInt(position ?? 0),
    direction:
      options?.getReadDirection() === streams.ReadReq.Options.ReadDirection.BACKWARDS ? 'backwards' : 'forwards',
    filter: filter && filterOf(filter),
    limit: options?.hasSubscription() ? undefined : BigInt(options?.getCount() ?? 0),
  };
};
