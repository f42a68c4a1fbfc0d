import { expect, test } from 'vitest';
import type { Command } from '../schemas/commands.ts';
import { conversationId } from '../schemas/ids.ts';
import { defaultLimits } from '../schemas/limits.ts';
import { accepted, codeOf, CommandsUnderTest, manySends } from '../tests/commands-under-test.ts';

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
}, 30_000);

test('what waits goes into few appends', async () => {
  const appends: number[] = [];
  await using commands = await CommandsUnderTest.open({
    store: (store) => ({
      soleWriter: store.soleWriter,
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
