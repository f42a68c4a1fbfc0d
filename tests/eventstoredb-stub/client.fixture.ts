import {
  type AllStreamSubscription,
  EventStoreDBClient,
  jsonEvent,
  type ResolvedEvent,
  type StreamSubscription,
} from '@eventstore/db-client';
import type { JSONEventData, JSONEventType } from '@eventstore/db-client';

type Message = JSONEventType<'message', { n: number }>;

/** The real client, unchanged. */
export const openClient = (url: string): EventStoreDBClient => EventStoreDBClient.connectionString(url);

export const message = (n: number, id?: string): JSONEventData<Message> =>
  jsonEvent<Message>({ type: 'message', data: { n }, ...(id !== undefined && { id }) });

export const messages = (from: number, count: number): JSONEventData<Message>[] =>
  Array.from({ length: count }, (_, i) => message(from + i));

const numberOf = ({ event }: ResolvedEvent): number => (event?.data as { n: number }).n;

export const eventsOf = async (read: AsyncIterable<ResolvedEvent>): Promise<ResolvedEvent[]> => {
  const events: ResolvedEvent[] = [];
  for await (const event of read) events.push(event);
  return events;
};

export const numbersIn = async (client: EventStoreDBClient, stream: string): Promise<number[]> =>
  (await eventsOf(client.readStream(stream))).map(numberOf);

/** What came of a promise that may well be refused: the error's class, and its code if it has one. */
export const outcomeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'done',
    (error: unknown) => errorName(error),
  );

export const errorName = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'number' ? ` ${error.code}` : '';
  return `${error.constructor.name}${code}`;
};

type Subscription = AllStreamSubscription | StreamSubscription;

/** What a subscription said, in order: the numbers of its events, and words. System events are left out. */
export const watch = (subscription: Subscription): (number | string)[] => {
  const seen: (number | string)[] = [];
  for (const word of ['confirmation', 'caughtUp', 'fellBehind'] as const) subscription.on(word, () => seen.push(word));
  subscription.on('error', (error) => seen.push(errorName(error)));
  subscription.on('data', (event: ResolvedEvent) => {
    if (event.event?.type === 'message') seen.push(numberOf(event));
  });
  return seen;
};
