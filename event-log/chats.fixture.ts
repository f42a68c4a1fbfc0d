import { randomBytes } from 'node:crypto';
import type { EventOf, NewEvent, ParleyEvent } from '../schemas/events.ts';
import { uuidV7, type CommandId, type ConversationId, type EventId, type UserId } from '../schemas/ids.ts';
import { conversationStream, receiptsStream, type StreamName } from '../schemas/streams.ts';
import type { DataKeysInMemory } from './data-keys.fixture.ts';
import type { EventLog, Tail, TailBatch } from './event-log.ts';

export const wallClock = { now: () => Date.now(), monotonic: () => performance.now() };

const newId = (): string => Buffer.from(randomBytes(16)).toString('base64url');

export const newEvent = (event: ParleyEvent): NewEvent => {
  const time = Date.now();
  const eventId = uuidV7(time, randomBytes(10)) as EventId;
  const causationId = 'commandId' in event ? event.commandId : eventId;
  return { eventId, time, causationId, correlationId: causationId, event };
};

export interface Chat {
  readonly id: ConversationId;
  readonly stream: StreamName;
  readonly receipts: StreamName;
  readonly author: UserId;
  /** The next message of the conversation. */
  readonly message: (text?: string) => NewEvent;
}

export const messageBy = (by: UserId, seq: number, text = `message ${seq}`): NewEvent => {
  const commandId = uuidV7(Date.now(), randomBytes(10)) as CommandId;
  const said: EventOf<'message-sent'> = {
    type: 'message-sent',
    commandId,
    idTimeMax: Date.now(),
    mac: newId(),
    by,
    seq,
    replyTo: null,
    content: { type: 'text', text },
  };
  return newEvent(said);
};

/** A conversation of its own with an author whose key exists. */
export const newChat = (keys: DataKeysInMemory): Chat => {
  const id = newId() as ConversationId;
  const author = newId() as UserId;
  keys.create(`user:${author}`);
  let seq = 0;
  const message = (text = `message ${seq + 1}`): NewEvent => messageBy(author, ++seq, text);
  return { id, stream: conversationStream(id), receipts: receiptsStream(id), author, message };
};

export const receipt = (userId: UserId, read: number): NewEvent =>
  newEvent({ type: 'receipts-advanced', marks: [{ userId, delivered: read, read }] });

/** Appends what must succeed. */
export const appendAll = async (
  log: EventLog,
  stream: StreamName,
  events: readonly NewEvent[],
  expectedRevision: number,
): Promise<number> => {
  const outcome = await log.append(stream, events, expectedRevision);
  if (outcome.outcome !== 'appended') throw new Error(`not appended: ${JSON.stringify(outcome)}`);
  return outcome.revision;
};

export const pullUntil = async (
  tail: Tail,
  enough: (batches: readonly TailBatch[]) => boolean,
): Promise<TailBatch[]> => {
  const batches: TailBatch[] = [];
  do batches.push(await tail.pull());
  while (!enough(batches));
  return batches;
};

export const isCaughtUp = (batches: readonly TailBatch[]): boolean => batches.at(-1)?.caughtUp ?? false;
export const eventsIn = (batches: readonly TailBatch[]): string[] =>
  batches.flatMap(({ events }) => events.map(({ eventId }) => eventId));
