import type { EventOf } from '../schemas/events.ts';
import { logStream } from '../schemas/streams.ts';
import { decodeEvent } from './codec.ts';
import { parseEnvelope } from './envelope.ts';
import type { Epochs } from './epochs.ts';
import { LogDamaged } from './event-log.ts';
import type { LogStore, StoredEvent } from './log-store.ts';

const noKeys: ReadonlyMap<string, never> = new Map<string, never>();
const pageSize = 1_000;

export const epochIn = ({ envelope, n }: StoredEvent): EventOf<'epoch-started'> => {
  const { event } = decodeEvent(parseEnvelope(envelope), noKeys);
  if (event?.type !== 'epoch-started') throw new LogDamaged(`an event of ${logStream} that is not known`, { n });
  return event;
};

/** Every event of the stream that says which logs the line has. */
export const readLogStream = async (store: Pick<LogStore, 'readStream'>): Promise<readonly StoredEvent[]> => {
  const events: StoredEvent[] = [];
  for (;;) {
    const page = await store.readStream(logStream, events.length, 'forwards', pageSize);
    if (page.length === 0) return events;
    events.push(...page);
  }
};

/** False: there is none yet. */
export const readEpochs = async (store: Pick<LogStore, 'readStream'>, epochs: Epochs): Promise<boolean> => {
  for (const event of await readLogStream(store)) epochs.add(epochIn(event), event.n);
  return !epochs.isEmpty;
};
