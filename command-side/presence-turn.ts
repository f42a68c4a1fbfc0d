import { isPresenceEvent } from '../domain/fold.ts';
import {
  decidePresence,
  evolvePresence,
  foldPresence,
  presenceCodeVersion,
  presenceFromSnapshot,
  presenceToSnapshot,
  type Presence,
  type PresenceCommand,
} from '../domain/presence.ts';
import type { NewEvent } from '../schemas/events.ts';
import { newEventId, type UserId } from '../schemas/ids.ts';
import { presenceStream } from '../schemas/streams.ts';
import { announcedAs, refused } from './answers.ts';
import type { Clock, RandomBytes } from './clock.ts';
import type { DecideItems, TurnItem } from './decide-in-turn.ts';
import { streamCache, type StreamCache, type StreamCacheDeps } from './stream-cache.ts';

/** A command in the queue of a user's presence. */
export interface PendingPresence extends TurnItem {
  readonly command: PresenceCommand;
}

export const presenceCache = (deps: StreamCacheDeps, mostWeight = 200_000): StreamCache<UserId, Presence> =>
  streamCache(
    deps,
    {
      stream: presenceStream,
      fold: foldPresence,
      evolve: (before, event, recording) =>
        isPresenceEvent(event) ? evolvePresence(before, event, recording) : before,
      codeVersion: presenceCodeVersion,
      toSnapshot: presenceToSnapshot,
      fromSnapshot: presenceFromSnapshot,
      weightOf: () => 1,
    },
    mostWeight,
  );

export const presenceTurn =
  ({
    clock,
    randomBytes,
  }: {
    readonly clock: Clock;
    readonly randomBytes: RandomBytes;
  }): DecideItems<UserId, Presence, PendingPresence> =>
  (id, tip, items) => {
    const time = clock.now();
    let { state } = tip;
    const events: NewEvent[] = [];
    const writers: PendingPresence[] = [];
    for (const item of items) {
      const decision = decidePresence(state, item.command);
      if (decision.outcome !== 'events') continue;
      writers.push(item);
      for (const event of decision.events) {
        const eventId = newEventId(time, randomBytes(10));
        events.push({ eventId, time, causationId: eventId, correlationId: eventId, event });
        state = evolvePresence(state, event, { time });
      }
    }
    return {
      count: items.length,
      events,
      writers: () => writers,
      settle(_, after) {
        for (const { answer } of items) answer(announcedAs(id, after.time, after.position));
      },
      settleFailed(rejection) {
        for (const { answer } of items) answer(refused(rejection));
      },
      findOut: () => Promise.resolve(true),
    };
  };
