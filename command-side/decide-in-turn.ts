import { setTimeout as pause } from 'node:timers/promises';
import { LogAway, type AppendOutcome, type EventLog } from '../event-log/event-log.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import type { NewEvent } from '../schemas/events.ts';
import { uuidV7, type UserId } from '../schemas/ids.ts';
import type { StreamName } from '../schemas/streams.ts';
import { AccountsAway, type AccountsStore } from './accounts-store.ts';
import { refused, unavailable } from './answers.ts';
import { appendUntilKnown } from './append-until-known.ts';
import type { Clock, RandomBytes } from './clock.ts';
import type { CommandAnswer } from './command-gateway.ts';
import type { StreamCache, StreamTip } from './stream-cache.ts';
import type { Queued } from './stream-queue.ts';
import type { Warn } from './warn.ts';

export interface TurnDeps {
  readonly eventLog: EventLog;
  readonly accounts: AccountsStore;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly report: Warn;
  /** Called for each append that found its stream further. */
  readonly conflicted: () => void;
}

/** What waits in the queue of a stream. */
export interface TurnItem extends Queued {
  readonly by: UserId;
  readonly answer: (answer: CommandAnswer) => void;
}

export type Links = readonly (string | null)[];

/** The first so many items, decided; nothing of it is true until the events are appended. */
export interface Decided<Item> {
  readonly count: number;
  readonly events: readonly NewEvent[];
  /** Those who would not be answered as they will be if the events were not. */
  writers(): readonly Item[];
  settle(links: Links, tip: StreamTip<unknown>): void;
  /** The events are not known to be written. */
  settleFailed(rejection: Rejection): void;
  /** Where `count` is 0: finds out what the first item needs. False: that was already its answer. */
  findOut(): Promise<boolean>;
}

/** What one kind of stream has of its own. */
export type DecideItems<Id, State, Item> = (id: Id, tip: StreamTip<State>, items: readonly Item[]) => Decided<Item>;

type Refusal = Extract<AppendOutcome, { outcome: 'refused' }>['why'];

/** What became of the events. */
type Attempt<State> =
  | { readonly so: 'done'; readonly links: Links; readonly tip: StreamTip<State> }
  /** Somebody else wrote: decide on what is there now. */
  | { readonly so: 'overtaken' }
  /** Too much for one append, or one of several items spoils it for all. */
  | { readonly so: 'divide' }
  | { readonly so: 'failed'; readonly rejection: Rejection };

const mostConflicts = 5;
const conflictPauseMs = 4;

/** Decides and appends what waits for one stream in its order, and answers each item when its fate is known. Never throws. */
export const decideInTurn = <Id extends string, State, Item extends TurnItem>(
  { eventLog, accounts, clock, randomBytes, report, conflicted }: TurnDeps,
  cache: StreamCache<Id, State>,
  decide: DecideItems<Id, State, Item>,
) => {
  const rejectionFor = async (why: Refusal, writer: Item | undefined): Promise<Rejection> => {
    switch (why) {
      case 'storage_full':
        return reject('storage_full', 'the log has no room; nothing was written');
      case 'too_large':
        return reject('too_large', 'the command is larger than the log takes');
      case 'closed':
        return unavailable('the log is closed');
      case 'unprepared':
        return unavailable('a key or the log cannot be read; nothing was written');
      case 'key_missing':
        return writer !== undefined && (await accounts.keyOf(`user:${writer.by}`)) === undefined
          ? reject('unauthenticated', 'the account is gone')
          : unavailable('a key is missing');
      default:
        return why satisfies never;
    }
  };

  const faulted = (error: unknown, stream: StreamName): Rejection => {
    const fault = uuidV7(clock.now(), randomBytes(10));
    report({ err: error, fault, stream }, 'commands failed');
    return reject('internal', `a fault of the server, ${fault} in its log`);
  };

  const readOn = async (id: Id, tip: StreamTip<State>): Promise<'same' | 'newer'> => {
    const newer = await cache.readOn(id, tip);
    if ('blocked' in newer) cache.drop(id);
    else if (newer.revision === tip.revision) return 'same';
    else cache.put(id, newer);
    return 'newer';
  };

  const append = async (id: Id, tip: StreamTip<State>, decided: Decided<Item>): Promise<Attempt<State>> => {
    const stream = cache.stream(id);
    const { events } = decided;
    const outcome = await appendUntilKnown(eventLog, clock, stream, events, tip.revision);
    switch (outcome.outcome) {
      case 'appended':
        return { so: 'done', links: outcome.links, tip: cache.appended(id, tip, events, outcome) };
      case 'conflict':
        conflicted();
        if (outcome.actualRevision < tip.revision) cache.drop(id);
        else await readOn(id, tip);
        return { so: 'overtaken' };
      case 'refused': {
        if (outcome.why === 'unprepared') report({ err: outcome.cause, stream }, 'an append could not be prepared');
        const divisible = outcome.why === 'too_large' || outcome.why === 'key_missing';
        const writers = decided.writers();
        if (divisible && writers.length > 1) return { so: 'divide' };
        return { so: 'failed', rejection: await rejectionFor(outcome.why, writers[0]) };
      }
      case 'unknown':
        report({ err: outcome.cause, stream }, 'the fate of an append stayed unknown');
        cache.drop(id);
        return { so: 'failed', rejection: unavailable('the fate of the command is unknown') };
      default:
        return outcome satisfies never;
    }
  };

  return async (id: Id, items: readonly Item[]): Promise<void> => {
    let rest = items;
    let most = items.length;
    let conflicts = 0;
    try {
      while (rest.length > 0) {
        const tip = cache.get(id) ?? (await cache.load(id));
        if ('blocked' in tip) {
          const rejection = unavailable(`this server does not know ${tip.blocked.type} ${tip.blocked.schemaVersion}`);
          for (const { answer } of rest) answer(refused(rejection));
          return;
        }
        const decided = decide(id, tip, most < rest.length ? rest.slice(0, most) : rest);
        if (decided.count === 0) {
          if (!(await decided.findOut())) rest = rest.slice(1);
          continue;
        }
        let attempt: Attempt<State>;
        if (decided.events.length > 0) attempt = await append(id, tip, decided);
        // A stale state must never say "never".
        else if (eventLog.soleWriter || (await readOn(id, tip)) === 'same') attempt = { so: 'done', links: [], tip };
        else attempt = { so: 'overtaken' };

        if (attempt.so === 'overtaken' && ++conflicts <= mostConflicts) {
          await pause(((randomBytes(1)[0] ?? 0) / 255) * conflictPauseMs * 2 ** conflicts);
          continue;
        }
        if (attempt.so === 'divide') {
          most = Math.ceil(decided.count / 2);
          continue;
        }
        if (attempt.so === 'done') decided.settle(attempt.links, attempt.tip);
        else {
          const others = unavailable('others write here too fast');
          decided.settleFailed(attempt.so === 'failed' ? attempt.rejection : others);
        }
        rest = rest.slice(decided.count);
        most = rest.length;
        conflicts = 0;
      }
    } catch (error) {
      cache.drop(id);
      const isAway = error instanceof AccountsAway || error instanceof LogAway;
      const rejection = isAway ? unavailable(error.message) : faulted(error, cache.stream(id));
      for (const { answer } of rest) answer(refused(rejection));
    }
  };
};
