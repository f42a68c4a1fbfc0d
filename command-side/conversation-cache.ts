import type { Conversation } from '../domain/conversation.ts';
import {
  conversationCodeVersion,
  conversationFromSnapshot,
  conversationToSnapshot,
} from '../domain/conversation-snapshot.ts';
import { foldConversation } from '../domain/evolve-conversation.ts';
import type { Blocked } from '../domain/fold.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { ConversationId } from '../schemas/ids.ts';
import type { LogPosition } from '../schemas/position.ts';
import { conversationStream } from '../schemas/streams.ts';
import type { SnapshotStore } from './snapshot-store.ts';

/** A conversation's stream as far as this process has seen it. */
export interface Tip {
  readonly state: Conversation | undefined;
  /** Of the last event; −1: the stream is missing. */
  readonly revision: number;
  /** Of the last event. */
  readonly link: string;
  readonly time: number;
  /** At or after the last event. */
  readonly position: LogPosition;
  /** The revision of the newest snapshot that was read or given to the store; −1: none. */
  readonly snapshotAt: number;
}

const missingTip = (position: LogPosition): Tip => ({
  state: undefined,
  revision: -1,
  link: '',
  time: 0,
  position,
  snapshotAt: -1,
});

export interface ConversationCache {
  /** From memory, if it is there. */
  get(id: ConversationId): Tip | undefined;
  /** From memory, else from the newest snapshot and the events after it. Loads of one conversation are shared. */
  load(id: ConversationId): Promise<Tip | Blocked>;
  /** The tip after everything the log has behind `from`; that same tip if there is nothing. */
  readOn(id: ConversationId, from: Tip): Promise<Tip | Blocked>;
  /** What the log is known to hold becomes the cached state; a snapshot is written when one is due. */
  put(id: ConversationId, tip: Tip): void;
  drop(id: ConversationId): void;
}

export interface ConversationCacheDeps {
  readonly eventLog: EventLog;
  readonly snapshots: SnapshotStore;
  /** How many remembered ids (some 300 bytes each) all cached conversations may hold together. */
  readonly mostIds?: number;
}

const pageEvents = 250;
export const snapshotEveryEvents = 1_000;

/** Beside its ids a conversation costs about as much as a few of them, and its members one each. */
const weightOf = ({ state }: Tip): number =>
  state === undefined ? 8 : 8 + state.window.settled.size + state.window.fresh.length + state.members.size;

export const conversationCache = ({
  eventLog,
  snapshots,
  mostIds = 300_000,
}: ConversationCacheDeps): ConversationCache => {
  // In the order of their last use.
  const tips = new Map<ConversationId, Tip>();
  const loading = new Map<ConversationId, Promise<Tip | Blocked>>();
  let weight = 0;

  const drop = (id: ConversationId): void => {
    const tip = tips.get(id);
    if (tip === undefined) return;
    weight -= weightOf(tip);
    tips.delete(id);
  };

  const keep = (id: ConversationId, tip: Tip): void => {
    drop(id);
    tips.set(id, tip);
    weight += weightOf(tip);
    if (weight <= mostIds) return;
    for (const oldest of tips.keys()) {
      if (weight <= mostIds || oldest === id) return;
      drop(oldest);
    }
  };

  const snapshotIfDue = (id: ConversationId, tip: Tip): Tip => {
    const { state, revision, link } = tip;
    if (state === undefined || revision - tip.snapshotAt < snapshotEveryEvents) return tip;
    void snapshots.save(conversationStream(id), {
      revision,
      log: tip.position.log,
      link,
      codeVersion: conversationCodeVersion,
      state: conversationToSnapshot(state),
    });
    return { ...tip, snapshotAt: revision };
  };

  const readOn = async (id: ConversationId, from: Tip): Promise<Tip | Blocked> => {
    let tip = from;
    for (;;) {
      const page = await eventLog.readStream(conversationStream(id), tip.revision + 1, 'forwards', pageEvents);
      const last = page.at(-1);
      if (last === undefined) return tip;
      const folded = foldConversation(tip, page);
      if ('blocked' in folded) return folded;
      tip = {
        state: folded.state,
        revision: folded.revision,
        link: last.link ?? '',
        time: last.time,
        position: last.position,
        snapshotAt: tip.snapshotAt,
      };
      if (page.length < pageEvents) return snapshotIfDue(id, tip);
    }
  };

  /** A snapshot counts if the log has the same link at its revision; in which of the logs on the line does not matter. */
  const fromSnapshot = async (id: ConversationId): Promise<Tip> => {
    const stream = conversationStream(id);
    const missing = missingTip(eventLog.head());
    const snapshot = await snapshots.load(stream);
    if (snapshot?.codeVersion !== conversationCodeVersion) return missing;
    const [event] = await eventLog.readStream(stream, snapshot.revision, 'forwards', 1);
    if (event === undefined || event.link !== snapshot.link) return missing;
    return {
      state: conversationFromSnapshot(snapshot.state),
      revision: snapshot.revision,
      link: snapshot.link,
      time: event.time,
      position: event.position,
      snapshotAt: snapshot.revision,
    };
  };

  const loadFromLog = async (id: ConversationId): Promise<Tip | Blocked> => {
    const tip = await readOn(id, await fromSnapshot(id));
    // An append may have put a newer one here meanwhile. Missing streams are not kept: anybody may ask for any number.
    const newest = tips.get(id);
    if ('blocked' in tip || tip.revision < 0) return tip;
    if (newest !== undefined && newest.revision >= tip.revision) return newest;
    keep(id, tip);
    return tip;
  };

  return {
    get(id) {
      const tip = tips.get(id);
      if (tip === undefined) return undefined;
      tips.delete(id);
      tips.set(id, tip);
      return tip;
    },
    async load(id) {
      const known = tips.get(id) ?? loading.get(id);
      if (known !== undefined) return known;
      const load = loadFromLog(id).finally(() => loading.delete(id));
      loading.set(id, load);
      return load;
    },
    readOn,
    put: (id, tip) => keep(id, snapshotIfDue(id, tip)),
    drop,
  };
};
