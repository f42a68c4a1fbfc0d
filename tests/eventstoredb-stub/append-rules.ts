import type { ProposedEvent } from './stored-event.ts';

export const maxAppendSize = 1024 * 1024;

/** Bodies alone count, as in the real server. */
export const isTooLarge = (events: readonly ProposedEvent[]): boolean =>
  events.reduce((size, { data }) => size + data.length, 0) > maxAppendSize;

/** Why the server calls an append a bad request, in its words; undefined: it does not. */
export const badRequest = (stream: string, events: readonly (ProposedEvent | undefined)[]): string | undefined => {
  if (stream === '') return "Value cannot be null. (Parameter 'value')";
  for (const event of events) {
    if (!event) return 'Unrecognized Guid format.';
    if (event.type === '') return "Empty eventType provided. (Parameter 'eventType')";
  }
  return undefined;
};
