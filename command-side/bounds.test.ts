import { expect, test } from 'vitest';
import type { EventLog } from '../event-log/event-log.ts';
import type { Command } from '../schemas/commands.ts';
import { conversationId, type ConversationId } from '../schemas/ids.ts';
import { defaultLimits } from '../schemas/limits.ts';
import { kindOf } from '../schemas/streams.ts';
import { accepted, codeOf, CommandsUnderTest, manySends } from '../tests/commands-under-test.ts';
import type { Caller } from './command-gateway.ts';
import type { CommandHandler } from './handle-command.ts';

test('S15: a user has a burst and then its rate; what is refused names the limiter, when to retry, and wrote nothing', async () => {
  const limits = { ...defaultLimits, sendBurst: 5, sendsPerSecond: 2 };
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.direct(ada, bob);
  const handler = commands.newHandler(limits);
  const frozen = commands.clock.monotonic();
  commands.clock.monotonic = () => frozen + commands.clock.monotonicOffset;
  const sendAll = (count: number) =>
    Promise.all(Array.from({ length: count }, () => handler.submit(ada, commands.send(conversation, 'a text'))));

  const answers = await sendAll(7);
  expect(answers.map(codeOf)).toEqual([...Array.from({ length: 5 }, () => 'accepted'), 'rate_limited', 'rate_limited']);
  expect(answers[5]).toMatchObject({ rejection: { limiter: 'user', retryAfterMs: 500 } });
  expect(codeOf(await handler.submit(bob, commands.send(conversation, 'another user')))).toBe('accepted');
  expect(await commands.texts(conversation)).toHaveLength(6);

  commands.clock.offset += 3_600_000;
  expect((await sendAll(1)).map(codeOf)).toEqual(['rate_limited']);
  commands.clock.monotonicOffset += 500;
  expect((await sendAll(2)).map(codeOf)).toEqual(['accepted', 'rate_limited']);
  commands.clock.monotonicOffset += 3_600_000;
  expect((await sendAll(6)).map(codeOf)).toEqual([...Array.from({ length: 5 }, () => 'accepted'), 'rate_limited']);
});

test('a conversation’s queue is bounded: beyond it `busy` with a retry time, and another conversation goes on', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const [busy, other] = [await commands.direct(ada, bob), await commands.group(ada, bob)];
  const sends = Array.from({ length: 1_500 }, (_, i) => commands.send(busy, `text ${i}`));
  const answers = sends.map((command) => commands.handler.submit(ada, command));
  const elsewhere = commands.handler.submit(ada, commands.send(other, 'elsewhere'));
  const refused = (await Promise.all(answers)).filter((answer) => !answer.ok);
  expect(codeOf(await elsewhere)).toBe('accepted');
  // One is under way, a thousand wait.
  expect(refused).toHaveLength(499);
  expect(refused[0]).toMatchObject({ rejection: { code: 'busy', limiter: 'conversation', retryAfterMs: 250 } });
  expect(await commands.texts(busy)).toHaveLength(1_001);
  for (const command of sends) accepted(await commands.handler.submit(ada, command));
  expect((await commands.texts(busy)).toSorted()).toEqual(sends.map((_, i) => `text ${i}`).toSorted());
});

test('S15: a look-up that only its turn in the queue asks for costs its user as much as one before it', async () => {
  const limits = { ...defaultLimits, sendBurst: 1_010, sendsPerSecond: 1 };
  await using commands = await CommandsUnderTest.open();
  const [ada, bob, cyd] = [await commands.user('ada'), await commands.user('bob'), await commands.user('cyd')];
  const [group, elsewhere] = [await commands.group(ada, bob, cyd), await commands.group(ada)];
  const sendAll = (handler: CommandHandler, by: Caller, conversation: ConversationId, count: number) =>
    Promise.all(
      Array.from({ length: count }, () => handler.submit(by, commands.send(conversation, 'a text')).then(codeOf)),
    );
  const time = commands.clock.now();
  commands.clock.frozenAt = time;
  await sendAll(commands.handler, bob, group, 300);
  commands.clock.frozenAt = time + 1;
  for (const count of [800, 800]) await sendAll(commands.handler, bob, group, count);

  const handler = commands.newHandler(limits);
  const frozen = commands.clock.monotonic();
  commands.clock.monotonic = () => frozen;
  await Promise.all([sendAll(handler, cyd, group, 1), sendAll(handler, ada, elsewhere, 1_000)]);
  commands.clock.frozenAt = time + 2;
  // New when it comes; when its turn comes, ids of its time have left the window.
  const before = sendAll(handler, cyd, group, 950);
  const late = handler.submit(ada, commands.send(group, 'late', commands.newId(time)));
  expect(new Set(await before)).toEqual(new Set(['accepted']));
  expect(await late).toMatchObject({ rejection: { code: 'rate_limited', limiter: 'user', retryAfterMs: 1_000 } });
  expect(await commands.texts(group)).toHaveLength(2_851);
});

test('a conversation that cannot be started costs no key and no look-up of its members', async () => {
  let reads = 0;
  await using commands = await CommandsUnderTest.open({
    log: (log) => {
      const read = log.readStream.bind(log);
      const readStream: EventLog['readStream'] = (...asked) => {
        if (kindOf(asked[0]) === 'user') reads++;
        return read(...asked);
      };
      return Object.assign(log, { readStream });
    },
  });
  const ada = await commands.user('ada');
  const created: string[] = [];
  const createKey = commands.accounts.createKey.bind(commands.accounts);
  Object.assign(commands.accounts, {
    createKey: (...asked: Parameters<typeof createKey>) => {
      created.push(asked[0]);
      return createKey(...asked);
    },
  });
  const handler = commands.newHandler({ ...defaultLimits, groupMembers: 3 });
  reads = 0;
  const members = ['bob', 'cyd', 'dan'].map((name) => ({ name }));
  const group = { type: 'create-group' as const, name: 'a group', members };
  const ahead = commands.newId(commands.clock.now() + 3_600_000);
  const asked: Command[] = [
    { ...group, commandId: commands.newId() },
    { ...group, commandId: ahead, members: [] },
    { type: 'start-direct', commandId: commands.newId(), with: ada.userId },
  ];
  const answers = await Promise.all(asked.map((command) => handler.submit(ada, command)));
  expect(answers.map(codeOf)).toEqual(['group_full', 'id_time_ahead', 'own_user']);
  expect({ created, reads }).toEqual({ created: [], reads: 0 });
});

test('a fault where a command begins is answered `internal`, and its count ends', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.direct(ada, bob);
  const keyInMemory = (): never => {
    throw new Error('a fault');
  };
  Object.assign(commands.accounts, { keyInMemory });
  const handler = commands.newHandler();
  expect(codeOf(await handler.submit(ada, commands.send(conversation, 'x')))).toBe('internal');
  expect(commands.reports).toEqual(['a command could not be begun']);
  await handler.drain();
});

test('what waits goes into few appends', async () => {
  const appends: number[] = [];
  await using commands = await CommandsUnderTest.open({
    store: (store) => ({
      soleWriter: store.soleWriter,
      away: () => store.away(),
      failed: store.failed,
      head: () => store.head(),
      onCommitted: (listener) => store.onCommitted(listener),
      readStream: (...asked) => store.readStream(...asked),
      readAll: (...asked) => store.readAll(...asked),
      close: () => store.close(),
      append(request) {
        appends.push(request.events.length);
        return store.append(request);
      },
    }),
  });
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.direct(ada, bob);
  appends.length = 0;
  await Promise.all(
    Array.from({ length: 700 }, (_, i) => commands.handler.submit(ada, commands.send(conversation, `${i}`))),
  );
  expect(appends).toEqual([1, 256, 256, 187]);
  appends.length = 0;
  const long = 'x'.repeat(100_000);
  await Promise.all(Array.from({ length: 7 }, () => commands.handler.submit(ada, commands.send(conversation, long))));
  expect(appends).toEqual([1, 2, 2, 2]);
});

test('N9: draining refuses what comes and finishes what is under way', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.direct(ada, bob);
  const answers = Array.from({ length: 300 }, (_, i) =>
    commands.handler.submit(ada, commands.send(conversation, `${i}`)),
  );
  const drained = commands.handler.drain();
  const late = await commands.handler.submit(ada, commands.send(conversation, 'too late'));
  expect(codeOf(late)).toBe('draining');
  expect(late).toMatchObject({ rejection: { retryAfterMs: expect.any(Number) as number } });
  await drained;
  for (const answer of await Promise.all(answers)) accepted(answer);
  expect(await commands.texts(conversation)).toHaveLength(300);
});

test('a text of the greatest length passes in every script, one character more is refused by name', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.direct(ada, bob);
  for (const character of ['x', 'é', 'ย', 'ع', '字', '😀']) {
    const longest = character.repeat(manySends.textCharacters);
    accepted(await commands.handler.submit(ada, commands.send(conversation, longest)));
    const tooLong = await commands.handler.submit(ada, commands.send(conversation, longest + character));
    expect(codeOf(tooLong)).toBe('text_too_long');
  }
  expect((await commands.texts(conversation)).map((text) => text.slice(0, 2))).toEqual([
    'xx',
    'éé',
    'ยย',
    'عع',
    '字字',
    '😀',
  ]);
});

test('a conversation that is not there costs nothing that stays', async () => {
  await using commands = await CommandsUnderTest.open();
  const ada = await commands.user('ada');
  const missing = conversationId.parse('A'.repeat(22));
  const rename: Command = { type: 'rename', commandId: commands.newId(), conversationId: missing, name: 'x' };
  const asked = [commands.send(missing, 'x'), rename].map((command) => commands.handler.submit(ada, command));
  expect((await Promise.all(asked)).map(codeOf)).toEqual(['conversation_not_found', 'conversation_not_found']);
  expect(await commands.events(missing)).toEqual([]);
});
