import type { AccountsStore } from '../command-side/accounts-store.ts';
import { eventFields } from '../event-log/event-fields.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { keySubjectOf, type KeySubject, type ParleyEvent } from '../schemas/events.ts';
import { streamKinds } from '../schemas/streams.ts';

export interface MissingKey {
  readonly subject: KeySubject;
  /** The first event that cannot be read without it. */
  readonly position: number;
  readonly events: number;
}

/**
 * Keys that are gone although nobody destroyed them: what their subjects wrote is lost, and looks as if they had been
 * erased. Reads the whole log.
 */
export const missingKeys = async (eventLog: EventLog, accounts: AccountsStore): Promise<readonly MissingKey[]> => {
  const missing = new Map<KeySubject, MissingKey>();
  const tail = eventLog.tail({ from: 0, streamKinds, signal: new AbortController().signal });
  const head = eventLog.locate(eventLog.head());
  for (let through = 0; head.where === 'known' && through < head.place;) {
    const batch = await tail.pull();
    through = batch.throughPlace;
    for (const { event, stream, position } of batch.events) {
      const subject = event === undefined || !lacksField(event) ? undefined : keySubjectOf(stream, event);
      if (subject === undefined) continue;
      const { position: first, events } = missing.get(subject) ?? { position: position.n, events: 0 };
      missing.set(subject, { subject, position: first, events: events + 1 });
    }
  }
  // Asked last: whose key was destroyed meanwhile is no finding.
  for (const subject of await accounts.destroyed()) missing.delete(subject);
  return [...missing.values()];
};

const personalFields = new Map(
  Object.entries(eventFields).map(([type, fields]) => [
    type,
    Object.entries(fields).flatMap(([name, field]) => ('personal' in field ? [name] : [])),
  ]),
);

/** A personal field is null in an event only where its key is gone. */
const lacksField = (event: ParleyEvent): boolean => {
  const personal = personalFields.get(event.type) ?? [];
  return Object.entries(event).some(([name, value]) => value === null && personal.includes(name));
};
