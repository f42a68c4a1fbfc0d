import { setTimeout as pause } from 'node:timers/promises';
import type { Folded } from '../domain/conversation.ts';
import { decideErasure } from '../domain/erase-user.ts';
import { foldUserSettings, type UserSettings } from '../domain/user-settings.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import { newEventId, type UserId } from '../schemas/ids.ts';
import { userStream } from '../schemas/streams.ts';
import type { UserEvent } from '../schemas/user-events.ts';
import { unavailable } from './answers.ts';
import { appendUntilKnown } from './append-until-known.ts';
import type { Clock, RandomBytes } from './clock.ts';

export interface EraseUserDeps {
  readonly eventLog: EventLog;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
}

export type Erased =
  { readonly outcome: 'erased' | 'unchanged' } | { readonly outcome: 'rejected'; readonly rejection: Rejection };

const mostAttempts = 5;
const pageSize = 1_000;

/**
 * Appends `user-erased`, an operator's command. It takes no turn in the queue of the user's own commands: the expected
 * revision is the fence, and whoever loses decides again.
 */
export const eraseUser = async (deps: EraseUserDeps, user: UserId): Promise<Erased> => {
  for (let attempt = 1; ; attempt++) {
    const folded = await load(deps.eventLog, user);
    if (folded === undefined) return unreadable;
    const decision = decideErasure(folded.state);
    if (decision.outcome !== 'events') return decision;
    const appended = await append(deps, user, decision.events, folded.revision);
    if (appended !== 'conflict') return appended;
    if (attempt === mostAttempts)
      return { outcome: 'rejected', rejection: unavailable('the user writes at the moment') };
    await pause(10 * attempt * (1 + (deps.randomBytes(1)[0] ?? 0) / 255));
  }
};

const unreadable: Erased = {
  outcome: 'rejected',
  rejection: unavailable('the stream of the user holds an event that this version does not know'),
};

/** Undefined: a critical event is not known here. */
const load = async (eventLog: EventLog, user: UserId): Promise<Folded<UserSettings> | undefined> => {
  let from: Folded<UserSettings> = { state: undefined, revision: -1 };
  for (;;) {
    const page = await eventLog.readStream(userStream(user), from.revision + 1, 'forwards', pageSize);
    if (page.length === 0) return from;
    const folded = foldUserSettings(from, page);
    if ('blocked' in folded) return undefined;
    from = folded;
  }
};

const append = async (
  { eventLog, clock, randomBytes }: EraseUserDeps,
  user: UserId,
  events: readonly UserEvent[],
  revision: number,
): Promise<Erased | 'conflict'> => {
  const time = clock.now();
  const recorded = events.map((event) => {
    const eventId = newEventId(time, randomBytes(10));
    return { eventId, time, causationId: eventId, correlationId: eventId, event };
  });
  const outcome = await appendUntilKnown(eventLog, clock, userStream(user), recorded, revision);
  switch (outcome.outcome) {
    case 'appended':
      return { outcome: 'erased' };
    case 'conflict':
      return 'conflict';
    case 'refused':
      return {
        outcome: 'rejected',
        rejection:
          outcome.why === 'storage_full'
            ? reject('storage_full', 'the log has no room')
            : unavailable(`the log refused: ${outcome.why}`),
      };
    case 'unknown':
      return { outcome: 'rejected', rejection: unavailable('the log does not answer') };
    default:
      return outcome satisfies never;
  }
};
