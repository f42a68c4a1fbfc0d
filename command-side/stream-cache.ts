import type { Folded } from '../domain/conversation.ts';
import type { Recording } from '../domain/evolve-conversation.ts';
import type { Blocked } from '../domain/fold.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { NewEvent, RecordedEvent } from '../schemas/events.ts';
import type { LogPosition } from '../schemas/position.ts';
import type { StreamName } from '../schemas/streams.ts';
import type { SnapshotStore } from './snapshot-store.ts';

/** A stream as far as this process has seen it. */
export interface StreamTip<State> {
  readonly state: State | undefined;
  /** Of the last event; −1: the stream is missing. */
  readonly revision: number;
  /** Of the last event; its event id where the stream has no chain. */
  readonly link: string;
  readonly time: number;
  /** At or after the last event. */
  readonly position: LogPosition;
  /** The revision of the newest snapshot that was read or given to the store; −1: none. */
  readonly snapshotAt: number;
}

/** What a kind of stream has of its own. */
export interface StreamFold<Id, State> {
  stream(id: Id): StreamName;
  fold(from: Folded<State>, events: readonly RecordedEvent[]): Folded<State> | Blocked;
  /** For an event this process has just written. */
  evolve(before: State | undefined, event: NewEvent['event'], recording: Recording): State | undefined;
  readonly codeVersion: number;
  toSnapshot(state: State): string;
  fromSnapshot(state: string): State;
  /** What a state costs in memory, in a unit of about 300 bytes. */
  weightOf(state: State | undefined): number;
}

export interface StreamCache<Id, State> {
  stream(id: Id): StreamName;
  /** From memory, if it is there. */
  get(id: Id): StreamTip<State> | undefined;
  /** From memory, else from the newest snapshot and the events after it. Loads of one stream are shared. */
  load(id: Id): Promise<StreamTip<State> | Blocked>;
  /** The tip after everything the log has behind `from`; that same tip if there is nothing. */
  readOn(id: Id, from: StreamTip<State>): Promise<StreamTip<State> | Blocked>;
  /** The tip once the log holds these events behind it, which becomes the cached one; a snapshot is written when one is due. */
  appended(
    id: Id,
    tip: StreamTip<State>,
    events: readonly NewEvent[],
    given: { readonly links: readonly (string | null)[]; readonly position: LogPosition },
  ): StreamTip<State>;
  /** What the log is known to hold becomes the cached state. */
  put(id: Id, tip: StreamTip<State>): void;
  drop(id: Id): void;
}

export interface StreamCacheDeps {
  readonly eventLog: EventLog;
  readonly snapshots: SnapshotStore;
}

const pageEvents = 250;
export const snapshotEveryEvents = 1_000;

export const streamCache = <Id extends string, State>(
  { eventLog, snapshots }: StreamCacheDeps,
  rules: StreamFold<Id, State>,
  mostWeight: number,
): StreamCache<Id, State> => {
  type Tip = StreamTip<State>;
  // In the order in which they were last loaded or written.
  const tips = new Map<Id, Tip>();
  const loading = new Map<Id, Promise<Tip | Blocked>>();
  let weight = 0;

  const drop = (id: Id): void => {
    const tip = tips.get(id);
    if (tip === undefined) return;
    weight -= rules.weightOf(tip.state);
    tips.delete(id);
  };

  const keep = (id: Id, tip: Tip): void => {
    drop(id);
    tips.set(id, tip);
    weight += rules.weightOf(tip.state);
    if (weight <= mostWeight) return;
    for (const oldest of tips.keys()) {
      if (weight <= mostWeight || oldest === id) return;
      drop(oldest);
    }
  };

  const snapshotIfDue = (id: Id, tip: Tip): Tip => {
    const { state, revision, link } = tip;
    if (state === undefined || revision - tip.snapshotAt < snapshotEveryEvents) return tip;
    void snapshots.save(rules.stream(id), {
      revision,
      log: tip.position.log,
      link,
      codeVersion: rules.codeVersion,
      state: rules.toSnapshot(state),
    });
    return { ...tip, snapshotAt: revision };
  };

  const readOn = async (id: Id, from: Tip): Promise<Tip | Blocked> => {
    let tip = from;
    for (;;) {
      const page = await eventLog.readStream(rules.stream(id), tip.revision + 1, 'forwards', pageEvents);
      const last = page.at(-1);
      if (last === undefined) return snapshotIfDue(id, tip);
      const folded = rules.fold(tip, page);
      if ('blocked' in folded) return folded;
      tip = {
        state: folded.state,
        revision: folded.revision,
        link: linkOf(last),
        time: last.time,
        position: last.position,
        snapshotAt: tip.snapshotAt,
      };
    }
  };

  /** A snapshot counts if the log has the same link at its revision; in which of the logs on the line does not matter. */
  const fromSnapshot = async (id: Id): Promise<Tip> => {
    const stream = rules.stream(id);
    const missing = { state: undefined, revision: -1, link: '', time: 0, position: eventLog.head(), snapshotAt: -1 };
    const snapshot = await snapshots.load(stream);
    if (snapshot?.codeVersion !== rules.codeVersion) return missing;
    const [event] = await eventLog.readStream(stream, snapshot.revision, 'forwards', 1);
    if (event === undefined || linkOf(event) !== snapshot.link) return missing;
    return {
      state: rules.fromSnapshot(snapshot.state),
      revision: snapshot.revision,
      link: snapshot.link,
      time: event.time,
      position: event.position,
      snapshotAt: snapshot.revision,
    };
  };

  const loadFromLog = async (id: Id): Promise<Tip | Blocked> => {
    const tip = await readOn(id, await fromSnapshot(id));
    // An append may have put a newer one here meanwhile. Missing streams are not kept: anybody may ask for any number.
    const newest = tips.get(id);
    if ('blocked' in tip || tip.revision < 0) return tip;
    if (newest !== undefined && newest.revision >= tip.revision) return newest;
    keep(id, tip);
    return tip;
  };

  const put = (id: Id, tip: Tip): Tip => {
    const put = snapshotIfDue(id, tip);
    keep(id, put);
    return put;
  };

  return {
    stream: (id) => rules.stream(id),
    get: (id) => tips.get(id),
    async load(id) {
      const known = tips.get(id) ?? loading.get(id);
      if (known !== undefined) return known;
      const load = loadFromLog(id).finally(() => loading.delete(id));
      loading.set(id, load);
      return load;
    },
    readOn,
    appended(id, tip, events, { links, position }) {
      let { state, revision, link, time } = tip;
      for (const [index, { eventId, event, time: at }] of events.entries()) {
        const own = links[index] ?? null;
        state = rules.evolve(state, event, { revision: ++revision, time: at, link: own });
        link = own ?? eventId;
        time = at;
      }
      return put(id, { state, revision, link, time, position, snapshotAt: tip.snapshotAt });
    },
    put: (id, tip) => void put(id, tip),
    drop,
  };
};

const linkOf = ({ link, eventId }: RecordedEvent): string => link ?? eventId;
