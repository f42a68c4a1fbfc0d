import { expect, test } from 'vitest';
import { idTimeAheadMs, idWindowSize } from '../schemas/limits.ts';
import { accepted, codeOf, CommandsUnderTest } from '../tests/commands-under-test.ts';

const hour = 3_600_000;
const from2026To = (date: string): number => Date.parse(date) - Date.now();

test('T1: a wall clock that jumps neither doubles a message nor loses one, and the order stays that of the seqs', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.direct(ada, bob);
  const jumps = [0, hour, -hour, 10 * 365 * 24 * hour, from2026To('2038-01-19T03:14:08Z'), -hour, 0];
  const sent = [];
  for (const [index, offset] of jumps.entries()) {
    commands.clock.offset = offset;
    for (let i = 0; i < 20; i++) {
      const command = commands.send(conversation, `${index} ${i}`);
      sent.push({ command, answer: accepted(await commands.handler.submit(ada, command)) });
    }
    if (index === 3) await commands.restart();
  }
  expect(sent.map(({ answer }) => answer.seq)).toEqual(sent.map((_, index) => index + 1));
  for (const offset of jumps) {
    commands.clock.offset = offset;
    for (const { command, answer } of sent) {
      const { seq, chain, time } = accepted(await commands.handler.submit(ada, command));
      expect({ seq, chain, time }).toEqual({ seq: answer.seq, chain: answer.chain, time: answer.time });
    }
  }
  expect(await commands.texts(conversation)).toHaveLength(sent.length);
});

test('T1: with the clock set back, ids older than the window vouches for are looked up and stand once', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.direct(ada, bob);
  commands.clock.offset = hour;
  const count = idWindowSize * 2 + 500;
  for (let i = 0; i < count; i += 250) {
    await Promise.all(
      Array.from({ length: 250 }, () => commands.handler.submit(bob, commands.send(conversation, 'filling'))),
    );
  }
  commands.clock.offset = -hour;
  const command = commands.send(conversation, 'from the past');
  const first = accepted(await commands.handler.submit(ada, command));
  expect(first.seq).toBe(count + 1);
  await commands.restart();
  const copies = await Promise.all(Array.from({ length: 20 }, () => commands.handler.submit(ada, command)));
  expect(new Set(copies.map((answer) => accepted(answer).chain))).toEqual(new Set([first.chain]));
  expect(await commands.texts(conversation)).toHaveLength(count + 1);
});

test('T1: a frozen clock still gives every message an id, a seq and its place', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.direct(ada, bob);
  commands.clock.frozenAt = Date.now();
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, i) => commands.handler.submit(ada, commands.send(conversation, `${i}`))),
  );
  expect(answers.map((answer) => accepted(answer).seq)).toEqual(answers.map((_, index) => index + 1));
});

test('T1: an id more than five minutes ahead is put off, with the server’s time; a known one is not', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.direct(ada, bob);
  const now = 1_800_000_000_000;
  commands.clock.frozenAt = now;
  const atTheEdge = commands.send(conversation, 'at the edge', commands.newId(now + idTimeAheadMs));
  const first = accepted(await commands.handler.submit(ada, atTheEdge));
  const ahead = commands.send(conversation, 'ahead', commands.newId(now + idTimeAheadMs + 1_000));
  expect(await commands.handler.submit(ada, ahead)).toMatchObject({
    ok: false,
    rejection: { code: 'id_time_ahead', serverTime: now, retryAfterMs: 1_000 },
  });
  commands.clock.frozenAt = now - hour;
  expect(accepted(await commands.handler.submit(ada, atTheEdge)).chain).toBe(first.chain);
  commands.clock.frozenAt = now + 1_000;
  expect(codeOf(await commands.handler.submit(ada, ahead))).toBe('accepted');
});
