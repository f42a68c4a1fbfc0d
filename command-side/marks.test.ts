import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LogStore } from '../event-log/log-store.ts';
import type { Command } from '../schemas/commands.ts';
import type { ConversationId } from '../schemas/ids.ts';
import { receiptsStream } from '../schemas/streams.ts';
import { accepted, codeOf, CommandsUnderTest, done, manySends } from '../tests/commands-under-test.ts';

const mark = (conversationId: ConversationId, said: { delivered?: number; read?: number }): Command => ({
  type: 'mark',
  conversationId,
  ...said,
});
const receiptsOf = ({ log }: CommandsUnderTest, id: ConversationId, limit = 1_000) =>
  log.readStream(receiptsStream(id), 0, 'forwards', limit);

const setUp = async (commands: CommandsUnderTest, messages = 5) => {
  const [ada, bob, cyd] = [await commands.user('ada'), await commands.user('bob'), await commands.user('cyd')];
  const group = await commands.group(ada, bob, cyd);
  for (let i = 1; i <= messages; i++) accepted(await commands.handler.submit(ada, commands.send(group, `text ${i}`)));
  return { ada, bob, cyd, group };
};

test('F24: a mark is in the log and is answered by where it stands; one that is behind writes nothing and says the same', async () => {
  await using commands = await CommandsUnderTest.open();
  const { bob, group } = await setUp(commands);
  const first = done(await commands.handler.submit(bob, mark(group, { delivered: 4, read: 2 })), 'marked');
  expect(first).toMatchObject({ conversationId: group, delivered: 4, read: 2 });
  for (const behind of [{ delivered: 3 }, { read: 1 }, { delivered: 4, read: 2 }]) {
    expect(done(await commands.handler.submit(bob, mark(group, behind)), 'marked')).toMatchObject({
      delivered: 4,
      read: 2,
      time: first.time,
    });
  }
  await commands.restart();
  const after = done(await commands.handler.submit(bob, mark(group, { read: 5 })), 'marked');
  expect(after).toMatchObject({ delivered: 5, read: 5 });
  const events = await receiptsOf(commands, group);
  expect(events.map(({ event }) => event)).toEqual([
    { type: 'receipts-advanced', marks: [{ userId: bob.userId, delivered: 4, read: 2 }] },
    { type: 'receipts-advanced', marks: [{ userId: bob.userId, delivered: 5, read: 5 }] },
  ]);
});

test('F26: marks of several users that come together are one event', async () => {
  await using commands = await CommandsUnderTest.open();
  const { ada, bob, cyd, group } = await setUp(commands);
  const answers = await Promise.all(
    [ada, bob, cyd, bob].map((one, index) => commands.handler.submit(one, mark(group, { read: index + 1 }))),
  );
  expect(answers.map(codeOf)).toEqual(['marked', 'marked', 'marked', 'marked']);
  const events = await receiptsOf(commands, group);
  // The first one found the queue empty; the others waited for its append.
  expect(events.map(({ event }) => event?.type === 'receipts-advanced' && event.marks.length)).toEqual([1, 2]);
});

test('M2: marks of a future message, of a stranger, and of what came before the present membership are refused and write nothing', async () => {
  await using commands = await CommandsUnderTest.open();
  const { ada, bob, group } = await setUp(commands);
  const dan = await commands.user('dan');
  const submit = async (by: typeof ada, said: Command): Promise<string> =>
    codeOf(await commands.handler.submit(by, said));
  for (const handler of [commands.handler, commands.newHandler()]) {
    expect(codeOf(await handler.submit(bob, mark(group, { delivered: 6 })))).toBe('message_not_found');
    expect(codeOf(await handler.submit(bob, mark(group, { delivered: 1, read: 6 })))).toBe('message_not_found');
    expect(codeOf(await handler.submit(dan, mark(group, { read: 1 })))).toBe('conversation_not_found');
  }
  const nowhere = await commands.direct(ada, dan);
  expect(await submit(bob, mark(nowhere, { read: 1 }))).toBe('conversation_not_found');
  const add = { type: 'add-member', commandId: commands.newId(), conversationId: group, user: dan.userId } as const;
  accepted(await commands.handler.submit(ada, add));
  expect(await submit(dan, mark(group, { read: 5 }))).toBe('message_not_found');
  accepted(await commands.handler.submit(ada, commands.send(group, 'text 6')));
  expect(await submit(dan, mark(group, { read: 6 }))).toBe('marked');
  const leave = { type: 'leave', commandId: commands.newId(), conversationId: group } as const;
  accepted(await commands.handler.submit(bob, leave));
  expect(await submit(bob, mark(group, { read: 1 }))).toBe('conversation_not_found');
  expect(await receiptsOf(commands, group)).toHaveLength(1);
});

test('M3: a mark whose append is lost or answered late stands once', async () => {
  let faults = 3;
  const store = (real: LogStore): LogStore => ({
    ...delegating(real),
    async append(request) {
      const outcome = await real.append(request);
      const isReceipt = request.stream.startsWith('receipts-');
      return isReceipt && faults-- > 0 ? { outcome: 'unknown', cause: new Error('a planted fault') } : outcome;
    },
  });
  await using commands = await CommandsUnderTest.open({ store });
  const { bob, group } = await setUp(commands);
  expect(codeOf(await commands.handler.submit(bob, mark(group, { read: 3 })))).toBe('marked');
  expect(await receiptsOf(commands, group)).toHaveLength(1);
});

test('I8, D7: two command sides mark at once, and the log never goes back', async () => {
  await using commands = await CommandsUnderTest.open();
  const { ada, bob, cyd, group } = await setUp(commands, 20);
  const other = commands.newHandler();
  const step = fc.tuple(fc.boolean(), fc.constantFrom(ada, bob, cyd), fc.integer({ min: 1, max: 20 }), fc.boolean());
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      const answers = await Promise.all(
        steps.map(([here, by, seq, isRead]) =>
          (here ? commands.handler : other).submit(by, mark(group, isRead ? { read: seq } : { delivered: seq })),
        ),
      );
      for (const [index, answer] of answers.entries()) {
        // Refused only for losing the race to the other too often; then it was not written.
        if (!answer.ok) expect(answer.rejection.code).toBe('unavailable');
        else expect(done(answer, 'marked').delivered).toBeGreaterThanOrEqual(steps[index]?.[2] ?? 0);
      }
    }),
    { numRuns: 30 },
  );
  const last = new Map<string, number>();
  for (const { event } of await receiptsOf(commands, group)) {
    for (const { userId, delivered, read } of event?.type === 'receipts-advanced' ? event.marks : []) {
      expect(delivered + read).toBeGreaterThan(last.get(userId) ?? 0);
      last.set(userId, delivered + read);
    }
  }
});

test('S15: marks have an allowance of their own, and take nothing from the sends', async () => {
  const limits = { ...manySends, sendBurst: 20, sendsPerSecond: 0.001, markBurst: 3, marksPerSecond: 0.001 };
  await using commands = await CommandsUnderTest.open({ limits });
  const { bob, group } = await setUp(commands);
  const marks = [];
  for (let seq = 1; seq <= 5; seq++) marks.push(await commands.handler.submit(bob, mark(group, { delivered: seq })));
  expect(marks.map(codeOf)).toEqual(['marked', 'marked', 'marked', 'rate_limited', 'rate_limited']);
  expect(marks[4]).toMatchObject({ rejection: { limiter: 'receipts' } });
  for (let i = 0; i < 20; i++) accepted(await commands.handler.submit(bob, commands.send(group, 'still free')));
});

test('a conversation with many receipts is opened from a snapshot', async () => {
  await using commands = await CommandsUnderTest.open();
  const { ada, bob, group } = await setUp(commands, 510);
  for (let seq = 1; seq <= 510; seq++) {
    for (const one of [ada, bob]) done(await commands.handler.submit(one, mark(group, { read: seq })), 'marked');
  }
  await commands.restart();
  const snapshot = await commands.snapshots.load(receiptsStream(group));
  expect(snapshot?.revision).toBeGreaterThanOrEqual(999);
  const behind = done(await commands.handler.submit(bob, mark(group, { read: 1 })), 'marked');
  expect(behind.read).toBe(510);
});

const delegating = (store: LogStore): LogStore => ({
  soleWriter: store.soleWriter,
  away: () => store.away(),
  failed: store.failed,
  head: () => store.head(),
  onCommitted: (listener) => store.onCommitted(listener),
  readStream: (...asked) => store.readStream(...asked),
  readAll: (...asked) => store.readAll(...asked),
  close: () => store.close(),
  append: (request) => store.append(request),
});
