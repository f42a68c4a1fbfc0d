import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { EventLog } from '../event-log/event-log.ts';
import { follow } from '../projections/follow.ts';
import { inboxKinds } from '../projections/project-inbox.ts';
import { openSqliteInbox, openSqliteInboxWriter } from '../projections/sqlite-inbox.ts';
import { timeOfUuid, type ConversationId } from '../schemas/ids.ts';
import { idWindowSize } from '../schemas/limits.ts';
import { conversationStream } from '../schemas/streams.ts';
import { accepted, codeOf, CommandsUnderTest, noInbox } from '../tests/commands-under-test.ts';
import type { Caller } from './command-gateway.ts';
import { findStored, type StoredCommands } from './find-stored.ts';

/** A log that counts the events of conversations that are read from it. */
const counting = (log: EventLog, count: (events: number) => void): EventLog => {
  const read = log.readStream.bind(log);
  const readStream: EventLog['readStream'] = async (...given) => {
    const events = await read(...given);
    if (given[0].startsWith('conversation-')) count(events.length);
    return events;
  };
  return Object.assign(log, { readStream });
};

const sendMany = async (commands: CommandsUnderTest, by: Caller, conversation: ConversationId): Promise<void> => {
  const sends = Array.from({ length: 500 }, (_, index) => commands.send(conversation, `one of many ${index}`));
  for (const answer of await Promise.all(sends.map((send) => commands.handler.submit(by, send)))) accepted(answer);
};

const passTheWindow = async (commands: CommandsUnderTest, by: Caller, conversation: ConversationId): Promise<void> => {
  for (let sent = 0; sent <= idWindowSize; sent += 500) await sendMany(commands, by, conversation);
};

test('M1: old ids are answered from the inbox up to where it stands, and from the stream behind that', async () => {
  let eventsRead = 0;
  let stored = noInbox;
  const inbox: StoredCommands = { findCommand: (...asked) => stored.findCommand(...asked) };
  await using commands = await CommandsUnderTest.open({
    inbox,
    log: (log) => counting(log, (events) => (eventsRead += events)),
  });
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.group(ada, bob);
  const inInbox = commands.send(conversation, 'the inbox knows it');
  const first = accepted(await commands.handler.submit(ada, inInbox));
  await passTheWindow(commands, bob, conversation);

  await using stack = new AsyncDisposableStack();
  const path = join(commands.directory, 'inbox.sqlite');
  const writer = await openSqliteInboxWriter(path);
  stack.defer(() => writer.close());
  const { log: eventLog, clock, randomBytes } = commands;
  const follower = follow({ eventLog, writer, streamKinds: inboxKinds, clock, randomBytes, warn: () => undefined });
  const [last] = await eventLog.readStream(conversationStream(conversation), 'end', 'backwards', 1);
  const located = last === undefined ? undefined : eventLog.locate(last.position);
  if (located?.where !== 'known') throw new Error('the last event lies in this log');
  expect(await follower.waitFor(located.place, clock.monotonic() + 20_000)).toBe(true);
  await follower.close();
  const reader = await openSqliteInbox(path);
  stack.defer(() => reader.close());
  stored = reader;

  eventsRead = 0;
  expect(accepted(await commands.handler.submit(ada, inInbox))).toMatchObject({ seq: 1, chain: first.chain });
  expect(eventsRead).toBe(1);
  if (inInbox.type !== 'send') throw new Error('a send');
  const sameId = commands.send(conversation, 'another body', inInbox.messageId);
  expect(codeOf(await commands.handler.submit(ada, sameId))).toBe('message_id_reused');
  expect(codeOf(await commands.handler.submit(bob, inInbox))).toBe('message_id_reused');

  // The inbox has this much and stops; what comes now only the stream knows.
  const inStream = commands.send(conversation, 'only the stream knows it');
  const behind = accepted(await commands.handler.submit(ada, inStream));
  await passTheWindow(commands, bob, conversation);
  expect(accepted(await commands.handler.submit(ada, inStream))).toMatchObject({
    seq: behind.seq,
    chain: behind.chain,
  });

  // New, though its time is old: a miss is final up to the safe place, so the stream before that is not read.
  const old = commands.newId(timeOfUuid(inInbox.messageId) - 60_000);
  eventsRead = 0;
  const late = accepted(await commands.handler.submit(ada, commands.send(conversation, 'late', old)));
  expect(late.seq).toBe(5_002 + 1);
  expect(eventsRead).toBeLessThan(2_000);
  expect(await commands.texts(conversation)).toHaveLength(5_003);
});

test('M1: a store that points elsewhere has said nothing: the log has the last word', async () => {
  const inbox: StoredCommands = {
    findCommand: () => Promise.resolve({ revision: 3, safe: Number.MAX_SAFE_INTEGER }),
  };
  await using commands = await CommandsUnderTest.open({ inbox });
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.group(ada, bob);
  const send = commands.send(conversation, 'once');
  const first = accepted(await commands.handler.submit(ada, send));
  await passTheWindow(commands, bob, conversation);
  expect(accepted(await commands.handler.submit(ada, send))).toMatchObject({ seq: first.seq, chain: first.chain });
});

test('an inbox that cannot be read is reported once a minute, whatever is looked up meanwhile', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.group(ada, bob);
  const { log: eventLog, clock } = commands;
  const reports: unknown[] = [];
  const report = (details: Readonly<Record<string, unknown>>): void => void reports.push(details['err']);
  const find = findStored({ eventLog, inbox: noInbox, clock, report });
  for (let i = 0; i < 10; i++) expect(await find(conversation, commands.newId())).toEqual({ absentUpTo: 0 });
  expect(reports).toEqual([new Error('the inbox is away')]);
  clock.monotonicOffset += 60_001;
  await find(conversation, commands.newId());
  expect(reports).toHaveLength(2);
});
