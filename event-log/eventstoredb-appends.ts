import { NO_STREAM, WrongExpectedVersionError, type AppendResult } from '@eventstore/db-client';
import { connect, inTime, type Connection } from './eventstoredb-connection.ts';
import { asError, failedAppend, faultOf } from './eventstoredb-errors.ts';
import { proposed, refusalOf } from './eventstoredb-layout.ts';
import { parseEnvelope } from './envelope.ts';
import { LogAway, LogUnusable } from './event-log.ts';
import type { AppendRequest, EncodedEvent, StoredEvent, StoreOutcome } from './log-store.ts';

export interface AppendTimes {
  /** After so long the fate is unknown. */
  readonly answerMs: number;
  /** What the server is told; it may keep an append for longer. */
  readonly serverMs: number;
  /** So long an append waits for a server that is away, before it is refused. */
  readonly awayMs: number;
}

export const usualTimes: AppendTimes = { answerMs: 4_000, serverMs: 3_000, awayMs: 5_000 };

/** Under way at once: more makes each wait longer and gains little. */
const mostUnderWay = { appends: 256, bytes: 8 * 1_048_576 } as const;

export interface AppendsOptions {
  readonly url: string;
  readonly prefix: string;
  readonly times: AppendTimes;
  /** Resolves while the log is known to be the one that was followed. */
  readonly sound: () => Promise<void>;
  /** What stands in a stream where an append would go. */
  readonly standing: (request: AppendRequest) => Promise<readonly StoredEvent[]>;
  readonly sent: SentEvents;
}

/** Events by their ids in the server: told before they are sent, so that they are known again when they come back. */
export interface SentEvents {
  remember(id: string, event: EncodedEvent): void;
  /** They are not written, or have come back already. */
  forget(id: string): void;
  /** Whether everything up to `n` has come back. */
  hasHeard(n: number): boolean;
}

interface Waiting {
  readonly request: AppendRequest;
  readonly bytes: number;
  readonly answer: (outcome: StoreOutcome) => void;
}

export interface EventstoredbAppends {
  append(request: AppendRequest): Promise<StoreOutcome>;
  /** n of the last event of an append that was answered. */
  acknowledged(): number;
  /** Waits for what is under way. */
  close(): Promise<void>;
}

/** The client keeps what it waits for in one place for all clients of a process: what one loses, all lose. */
let appending = false;

/** The one client of a process that appends: one message an append, at an exact revision. */
export const openAppends = ({ url, prefix, times, sound, standing, sent }: AppendsOptions): EventstoredbAppends => {
  if (appending) throw new LogUnusable('this process appends to an event log already');
  let connection = Promise.resolve(connect(url));
  appending = true;
  const queues: readonly [Waiting[], Waiting[], Waiting[]] = [[], [], []];
  const underWay = { appends: 0, bytes: 0 };
  let idle = Promise.withResolvers<undefined>();
  let acknowledged = 0;
  /** When an answer of any kind last came. */
  let answeredAt = 0;
  let closing = false;

  /** After a connection broke the client may fail for ever by what it remembers of it. */
  const renew = (failed: Connection): void => {
    connection = connection.then(async (current) => {
      if (current !== failed || closing) return current;
      await failed.close();
      return connect(url);
    });
  };

  const repeated = async (request: AppendRequest): Promise<StoreOutcome | undefined> => {
    const found = await standing(request);
    const isSame = (event: EncodedEvent, index: number): boolean => {
      const other = found[index];
      const idOf = ({ envelope }: EncodedEvent): Buffer => parseEnvelope(envelope).eventId;
      return other?.revision === request.expectedRevision + 1 + index && idOf(event).equals(idOf(other));
    };
    const last = found[request.events.length - 1];
    if (last === undefined || !request.events.every(isSame)) return undefined;
    return { outcome: 'appended', revision: last.revision, n: last.n, links: found.map(({ link }) => link) };
  };

  const appended = ({ events, expectedRevision }: AppendRequest, result: AppendResult): StoreOutcome => {
    const revision = expectedRevision + events.length;
    if (result.position === undefined || Number(result.nextExpectedRevision) !== revision) {
      const cause = new Error(`an append at ${expectedRevision} was answered with ${result.nextExpectedRevision}`);
      return { outcome: 'unknown', cause };
    }
    const n = Number(result.position.commit);
    acknowledged = Math.max(acknowledged, n);
    return { outcome: 'appended', revision, n, links: events.map(({ link }) => link) };
  };

  const failure = async (request: AppendRequest, error: Error, used: Connection): Promise<StoreOutcome> => {
    const fault = faultOf(error);
    const isBroken = fault === 'gone' || fault === 'strange';
    if (isBroken) renew(used);
    else answeredAt = performance.now();
    switch (failedAppend(fault)) {
      case 'too_large':
        return { outcome: 'refused', why: 'too_large' };
      case 'not_taken':
        return { outcome: 'refused', why: 'unprepared', cause: error };
      case 'unknown':
        return { outcome: 'unknown', cause: error };
      case 'conflict': {
        const actual = error instanceof WrongExpectedVersionError ? error.actualVersion : undefined;
        const actualRevision = typeof actual === 'bigint' ? Number(actual) : -1;
        const couldStand = actualRevision >= request.expectedRevision + request.events.length;
        return (couldStand ? await repeated(request) : undefined) ?? { outcome: 'conflict', actualRevision };
      }
    }
  };

  const send = async ({ request }: Waiting): Promise<StoreOutcome> => {
    const { stream, expectedRevision, events } = request;
    const used = await connection;
    const proposals = events.map(proposed);
    for (const [index, { id }] of proposals.entries()) sent.remember(id, events[index] as EncodedEvent);
    let outcome: StoreOutcome;
    const sentAt = performance.now();
    try {
      const answer = used.client.appendToStream(`${prefix}${stream}`, proposals, {
        expectedRevision: expectedRevision === -1 ? NO_STREAM : BigInt(expectedRevision),
        deadline: times.serverMs,
      });
      outcome = appended(request, await inTime(answer, times.answerMs));
      answeredAt = performance.now();
    } catch (thrown) {
      if (thrown instanceof LogAway) {
        // Nobody was answered meanwhile: the stream of appends may be dead without the client knowing.
        if (answeredAt < sentAt) renew(used);
        outcome = { outcome: 'unknown', cause: thrown };
      } else outcome = await failure(request, asError(thrown), used);
    }
    const comesBack = outcome.outcome === 'appended' ? !sent.hasHeard(outcome.n) : outcome.outcome === 'unknown';
    if (!comesBack) for (const { id } of proposals) sent.forget(id);
    return outcome;
  };

  const settle = (waiting: Waiting, outcome: StoreOutcome): void => {
    underWay.appends--;
    underWay.bytes -= waiting.bytes;
    waiting.answer(outcome);
    pump();
  };

  const next = (): Waiting | undefined => {
    const queue = queues.find((one) => one.length > 0);
    const first = queue?.[0];
    const isFull = underWay.appends >= mostUnderWay.appends || underWay.bytes >= mostUnderWay.bytes;
    return first === undefined || isFull ? undefined : queue?.shift();
  };

  /** Messages before receipts before presence. */
  const pump = (): void => {
    for (let waiting = next(); waiting !== undefined; waiting = next()) {
      const taken = waiting;
      underWay.appends++;
      underWay.bytes += taken.bytes;
      whenSound(taken).then(
        (outcome) => settle(taken, outcome),
        (thrown: unknown) => settle(taken, { outcome: 'unknown', cause: asError(thrown) }),
      );
    }
    if (underWay.appends === 0) idle.resolve(undefined);
  };

  /** Nothing is appended to a log that may be an older copy of ours: what we know of its streams would fork it. */
  const whenSound = async (waiting: Waiting): Promise<StoreOutcome> => {
    try {
      await inTime(sound(), times.awayMs);
    } catch (thrown) {
      return { outcome: 'refused', why: 'unprepared', cause: asError(thrown) };
    }
    return send(waiting);
  };

  return {
    append(request) {
      if (closing) return Promise.resolve({ outcome: 'refused', why: 'closed' });
      const refusal = refusalOf(request);
      if (refusal === 'too_large') return Promise.resolve({ outcome: 'refused', why: 'too_large' });
      if (refusal !== undefined) return Promise.resolve({ outcome: 'refused', why: 'unprepared', cause: refusal });
      const bytes = request.events.reduce((sum, { envelope }) => sum + envelope.length, 0);
      return new Promise((answer) => {
        queues[request.priority].push({ request, bytes, answer });
        pump();
      });
    },
    acknowledged: () => acknowledged,
    async close() {
      if (!closing) {
        closing = true;
        idle = Promise.withResolvers();
        pump();
        await idle.promise;
        await (await connection).close();
        appending = false;
      }
      await idle.promise;
    },
  };
};
