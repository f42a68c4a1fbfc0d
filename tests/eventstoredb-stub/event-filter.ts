import type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js';
import type { StoredEvent } from './stored-event.ts';

export interface EventFilter {
  matches(event: StoredEvent): boolean;
  /** After how many events looked at a subscription says how far it is. */
  readonly checkpointEvery: number;
}

/** How many events the real server looks at in one go when the client does not say. */
const defaultWindow = 32;

export const filterOf = (options: ReadReq.Options.FilterOptions): EventFilter => {
  const onStream = options.getStreamIdentifier();
  const expression = onStream ?? options.getEventType();
  const prefixes = expression?.getPrefixList() ?? [];
  const pattern = new RegExp(expression?.getRegex() ?? '');
  const window = options.hasMax() ? options.getMax() : defaultWindow;
  return {
    matches: (event) => {
      const text = onStream ? event.stream : event.type;
      return prefixes.length > 0 ? prefixes.some((prefix) => text.startsWith(prefix)) : pattern.test(text);
    },
    checkpointEvery: window * Math.max(1, options.getCheckpointintervalmultiplier()),
  };
};
