import { setTimeout as pause } from 'node:timers/promises';
import { EventStoreDBClient } from '@eventstore/db-client';
import streams from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { guardAnswers } from './eventstoredb-answers.ts';
import { asError, faultOf, isForGood } from './eventstoredb-errors.ts';
import { LogAway, LogDamaged, LogUnusable } from './event-log.ts';

/** A client and its way to close, which it lacks. */
export interface Connection {
  readonly client: EventStoreDBClient;
  close(): Promise<void>;
}

/** What the client has and does not show. */
interface Inside {
  getChannel(): Promise<{ close(): void }>;
  readonly capabilities: Promise<{ readonly serverVersion: string; supports(method: unknown): boolean }>;
}

const closeMs = 1_000;
const answerMs = 3_000;
/** The oldest version that was tried: events of a stream say where they lie, and positions are checked. */
const oldest = [23, 10] as const;

/** With `false` a conflict does not say which revision there is; without keepalive a connection that fell silent is never missed. */
const oursToDecide = ['throwOnAppendFailure', 'keepAliveInterval', 'keepAliveTimeout'];

/** Each has a connection of its own: to cancel a read makes the client drop it, and what is under way with it. */
export const connect = (url: string): Connection => {
  const decided = oursToDecide.find((name) => new RegExp(`[?&]${name}=`, 'i').test(url));
  if (decided !== undefined) throw new LogUnusable(`${decided} is not to be set in the address`);
  guardAnswers();
  let client: EventStoreDBClient;
  try {
    client = EventStoreDBClient.connectionString(url);
  } catch (thrown) {
    // It repeats the whole address, secrets included.
    throw new LogUnusable(
      `the address is not understood: ${asError(thrown).message.split('\n')[0]?.replaceAll(url, '') ?? ''}`,
    );
  }
  const inside = client as unknown as Inside;
  return {
    client,
    async close() {
      await Promise.race([client.dispose(), pause(closeMs, undefined, { ref: false })]);
      inside.getChannel().then(
        (channel) => channel.close(),
        () => undefined,
      );
    },
  };
};

/** Throws `LogUnusable` for a server that will not do, `LogAway` for one that does not answer. */
export const checkServer = async ({ client }: Connection): Promise<void> => {
  const inside = client as unknown as Inside;
  const features = await inTime(inside.capabilities, answerMs).catch((thrown: unknown) => {
    throw startError(thrown);
  });
  const [major = 0, minor = 0] = features.serverVersion.split('.').map(Number);
  const isOld = !(major > oldest[0] || (major === oldest[0] && minor >= oldest[1]));
  if (isOld || !features.supports(streams.StreamsService.batchAppend)) {
    const found =
      features.serverVersion === 'unknown' ? 'a server of unknown version' : `EventStoreDB ${features.serverVersion}`;
    throw new LogUnusable(`${found} is not supported: it must be ${oldest.join('.')} or newer`);
  }
};

/** What keeps a log from being opened: for good, or for now. */
export const startError = (thrown: unknown): Error => {
  if (thrown instanceof LogUnusable || thrown instanceof LogAway) return thrown;
  const error = asError(thrown);
  if (thrown instanceof LogDamaged)
    return new LogUnusable(`it holds what is no log of Parley's: ${error.message}`, { cause: error });
  const fault = faultOf(error);
  if (!isForGood(fault)) return new LogAway(error.message, { cause: error });
  return new LogUnusable(
    fault === 'denied' ? `access was denied: ${error.message || 'no user, or a wrong password'}` : error.message,
    {
      cause: error,
    },
  );
};

/** The client sets no deadline of its own: who waits for a silent server waits for ever. */
export const inTime = async <T>(answer: Promise<T>, ms: number): Promise<T> => {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new LogAway(`no answer within ${ms} ms`)), ms);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
    // Whatever it comes to later.
    answer.catch(() => undefined);
  }
};
