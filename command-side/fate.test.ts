import { expect, test } from 'vitest';
import type { EventLog } from '../event-log/event-log.ts';
import type { AppendRequest, LogStore, StoreOutcome } from '../event-log/log-store.ts';
import type { Command } from '../schemas/commands.ts';
import { conversationStream } from '../schemas/streams.ts';
import { accepted, codeOf, CommandsUnderTest } from '../tests/commands-under-test.ts';
import { fateDeadlineMs } from './append-until-known.ts';

type Fault = (request: AppendRequest, append: LogStore['append']) => Promise<StoreOutcome>;

/** Stands between the log and the real store, and does to appends what a test says. */
const faulty = () => {
  let fault: Fault | undefined;
  const seen: AppendRequest[] = [];
  return {
    seen,
    set: (next: Fault | undefined) => (fault = next),
    store: (store: LogStore): LogStore => ({
      soleWriter: store.soleWriter,
      away: () => store.away(),
      failed: store.failed,
      head: () => store.head(),
      onCommitted: (listener) => store.onCommitted(listener),
      readStream: (...asked) => store.readStream(...asked),
      readAll: (...asked) => store.readAll(...asked),
      close: () => store.close(),
      append(request) {
        seen.push(request);
        return fault === undefined ? store.append(request) : fault(request, (given) => store.append(given));
      },
    }),
  };
};

const unknown: StoreOutcome = { outcome: 'unknown', cause: new Error('a planted fault') };

const setUp = async () => {
  const faults = faulty();
  const commands = await CommandsUnderTest.open({ store: faults.store });
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  return {
    faults,
    commands,
    ada,
    bob,
    conversation: await commands.direct(ada, bob),
    [Symbol.asyncDispose]: () => commands[Symbol.asyncDispose](),
  };
};

test('M3: an append whose answer is lost after it was written is repeated as it was, and stands once', async () => {
  await using scene = await setUp();
  const { faults, commands, ada, conversation } = scene;
  let times = 0;
  faults.set(async (request, append) => {
    const outcome = await append(request);
    return ++times <= 3 ? unknown : outcome;
  });
  const batch = Array.from({ length: 5 }, (_, i) => commands.send(conversation, `text ${i}`));
  const answers = await Promise.all(batch.map((command) => commands.handler.submit(ada, command)));
  expect(answers.map((answer) => accepted(answer).seq)).toEqual([1, 2, 3, 4, 5]);
  const [first, ...repeats] = faults.seen.slice(-5, -1);
  for (const repeat of repeats) expect(repeat).toEqual(first);
  expect(await commands.texts(conversation)).toHaveLength(5);
  for (const [index, command] of batch.entries()) {
    const again = accepted(await commands.handler.submit(ada, command));
    expect(again).toMatchObject({ seq: index + 1, chain: answers.map(accepted)[index]?.chain });
  }
});

test('M3: an append that was lost before it was written is written by the repeat', async () => {
  await using scene = await setUp();
  const { faults, commands, ada, conversation } = scene;
  let times = 0;
  faults.set(async (request, append) => (++times <= 2 ? unknown : append(request)));
  expect(accepted(await commands.handler.submit(ada, commands.send(conversation, 'a text'))).seq).toBe(1);
  expect(await commands.texts(conversation)).toEqual(['a text']);
});

test.each([true, false])(
  'M3: a fate unknown until the deadline is `unavailable`, and the resend is right (written: %s)',
  async (written) => {
    await using scene = await setUp();
    const { faults, commands, ada, bob, conversation } = scene;
    faults.set(async (request, append) => {
      if (written) await append(request);
      commands.clock.monotonicOffset += fateDeadlineMs;
      return unknown;
    });
    const command = commands.send(conversation, 'a text');
    const answer = await commands.handler.submit(ada, command);
    expect(answer).toMatchObject({ ok: false, rejection: { code: 'unavailable' } });
    faults.set(undefined);
    accepted(await commands.handler.submit(bob, commands.send(conversation, 'of another')));
    const again = accepted(await commands.handler.submit(ada, command));
    expect(again.seq).toBe(written ? 1 : 2);
    expect((await commands.texts(conversation)).toSorted()).toEqual(['a text', 'of another']);
  },
);

test('M3: a refusal after an unknown attempt does not make the fate known', async () => {
  await using scene = await setUp();
  const { faults, commands, ada, conversation } = scene;
  let late: (() => Promise<StoreOutcome>) | undefined;
  faults.set(async (request, append) => {
    if (late !== undefined) {
      commands.clock.monotonicOffset += fateDeadlineMs;
      return { outcome: 'refused', why: 'storage_full' };
    }
    late = () => append(request);
    return unknown;
  });
  const command = commands.send(conversation, 'a text');
  expect(codeOf(await commands.handler.submit(ada, command))).toBe('unavailable');
  faults.set(undefined);
  await late?.();
  expect(accepted(await commands.handler.submit(ada, command)).seq).toBe(1);
  expect(await commands.texts(conversation)).toEqual(['a text']);
});

test('D4: a full disk refuses what is new by name and still answers what is in the log', async () => {
  await using scene = await setUp();
  const { faults, commands, ada, conversation } = scene;
  const before = commands.send(conversation, 'before');
  const first = accepted(await commands.handler.submit(ada, before));
  faults.set(async () => ({ outcome: 'refused', why: 'storage_full' }));
  const answers = await Promise.all(
    [commands.send(conversation, 'no room'), before].map((command) => commands.handler.submit(ada, command)),
  );
  expect(answers.map(codeOf)).toEqual(['storage_full', 'accepted']);
  expect(answers.map((answer) => answer.ok && accepted(answer).chain)).toEqual([false, first.chain]);
  faults.set(undefined);
  expect(accepted(await commands.handler.submit(ada, commands.send(conversation, 'room'))).seq).toBe(2);
});

test('a batch the log finds too large is divided until only the one that is too large is refused', async () => {
  await using scene = await setUp();
  const { faults, commands, ada, conversation } = scene;
  const most = 20_000;
  faults.set(async (request, append) => {
    const bytes = request.events.reduce((sum, { envelope }) => sum + envelope.length, 0);
    return bytes > most ? { outcome: 'refused', why: 'too_large' } : append(request);
  });
  const texts = Array.from({ length: 40 }, (_, i) => (i === 17 ? 'x'.repeat(most) : 'y'.repeat(900)));
  const answers = await Promise.all(
    texts.map((text) => commands.handler.submit(ada, commands.send(conversation, text))),
  );
  expect(answers.flatMap((answer, index) => (answer.ok ? [] : [`${index} ${answer.rejection.code}`]))).toEqual([
    '17 too_large',
  ]);
  expect(await commands.texts(conversation)).toHaveLength(39);
});

test('of a batch only the sender whose key is gone is refused', async () => {
  await using scene = await setUp();
  const { faults, commands, ada, bob, conversation } = scene;
  let destroyed: Promise<void> | undefined;
  faults.set(async (request, append) => {
    const outcome = await append(request);
    await (destroyed ??= commands.accounts.destroyKey(`user:${ada.userId}`));
    return outcome;
  });
  const answers = await Promise.all(
    [ada, bob, ada, bob, bob].map((sender, i) =>
      commands.handler.submit(sender, commands.send(conversation, `text ${i}`)),
    ),
  );
  expect(answers.map(codeOf)).toEqual(['accepted', 'accepted', 'unauthenticated', 'accepted', 'accepted']);
});

test('an event that a newer version wrote, and calls critical, stops commands on its conversation alone', async () => {
  const planted = new Set<string>();
  const log = (real: EventLog): EventLog => ({
    ...delegating(real),
    readStream: async (stream, ...asked) => {
      const events = await real.readStream(stream, ...asked);
      return planted.has(stream)
        ? events.map((event) => ({ ...event, event: undefined, type: 'poll-held', schemaVersion: 1, critical: true }))
        : events;
    },
  });
  await using commands = await CommandsUnderTest.open({ log });
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const [one, other] = [await commands.direct(ada, bob), await commands.group(ada, bob)];
  planted.add(conversationStream(one));
  const handler = commands.newHandler();
  const rename: Command = { type: 'rename', commandId: commands.newId(), conversationId: other, name: 'fine' };
  expect(codeOf(await handler.submit(ada, commands.send(one, 'a text')))).toBe('unavailable');
  expect(codeOf(await handler.submit(ada, rename))).toBe('accepted');
});

const delegating = (log: EventLog): EventLog => ({
  append: (...asked) => log.append(...asked),
  readStream: (...asked) => log.readStream(...asked),
  head: () => log.head(),
  locate: (position) => log.locate(position),
  positionAt: (place) => log.positionAt(place),
  locateCursor: (cursor) => log.locateCursor(cursor),
  tail: (options) => log.tail(options),
  isRecent: (place) => log.isRecent(place),
  forgetRecent: () => log.forgetRecent(),
  soleWriter: log.soleWriter,
  away: () => log.away(),
  failed: log.failed,
  close: () => log.close(),
});

test('D7: many command sides on one log: seqs without a hole, no message twice, and no stale refusal', async () => {
  await using commands = await CommandsUnderTest.open({ log: (log) => ({ ...delegating(log), soleWriter: false }) });
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const group = await commands.group(ada);
  const sides = Array.from({ length: 3 }, () => commands.newHandler());
  // Each side has the group in memory as it was before bob came.
  for (const side of sides) expect(codeOf(await side.submit(bob, commands.send(group, 'no')))).not.toBe('accepted');
  const add: Command = { type: 'add-member', commandId: commands.newId(), conversationId: group, user: bob.userId };
  accepted(await commands.handler.submit(ada, add));

  const sends = Array.from({ length: 60 }, (_, i) => commands.send(group, `text ${i}`));
  const outcomes = await Promise.all(
    sides.flatMap((side) =>
      sends.map(async (command) => {
        let answer = await side.submit(bob, command);
        while (codeOf(answer) === 'unavailable') answer = await side.submit(bob, command);
        return accepted(answer);
      }),
    ),
  );
  expect((await commands.texts(group)).toSorted()).toEqual(sends.map((_, i) => `text ${i}`).toSorted());
  for (let i = 0; i < sends.length; i++) {
    const same = outcomes.filter((_, index) => index % sends.length === i);
    expect(new Set(same.map(({ seq, chain, time }) => `${seq} ${chain} ${time}`)).size).toBe(1);
  }
});
