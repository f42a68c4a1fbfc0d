import { expect, test } from 'vitest';
import { accepted, codeOf, CommandsUnderTest, manySends } from '../tests/commands-under-test.ts';
import type { Command } from '../schemas/commands.ts';
import type { Accepted } from './command-gateway.ts';
import { idWindowSize } from '../schemas/limits.ts';

const texts = (count: number, word: string): string[] => Array.from({ length: count }, (_, i) => `${word} ${i}`);

test('M1: a hundred copies at once from two devices are one message with one answer', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, adasLaptop, bob] = [
    await commands.user('ada'),
    await commands.user('ada', 'laptop'),
    await commands.user('bob'),
  ];
  const conversation = await commands.direct(ada, bob);
  const command = commands.send(conversation, 'once');
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, i) => commands.handler.submit(i % 2 === 0 ? ada : adasLaptop, command)),
  );
  const [first] = answers.map(accepted);
  expect(first?.seq).toBe(1);
  expect(answers.map(accepted)).toEqual(Array.from({ length: 100 }, () => first));
  expect(await commands.texts(conversation)).toEqual(['once']);
});

test('M1: copies that come one by one while the first is in flight get its answer', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.direct(ada, bob);
  const command = commands.send(conversation, 'once');
  const first = commands.handler.submit(ada, command);
  const others = [];
  for (let i = 0; i < 50; i++) {
    others.push(
      commands.handler.submit(ada, command),
      commands.handler.submit(bob, commands.send(conversation, `${i}`)),
    );
    await Promise.resolve();
  }
  const answer = accepted(await first);
  for (const [index, other] of (await Promise.all(others)).entries()) {
    if (index % 2 === 0) expect(accepted(other)).toMatchObject({ seq: answer.seq, chain: answer.chain });
  }
  expect(await commands.texts(conversation)).toHaveLength(51);
});

test('M1: an id refused, written and repeated in one batch gets the answer of the one that was written', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.direct(ada, bob);
  const id = commands.newId();
  const said = ['while this is written', 'x'.repeat(manySends.textCharacters + 1), 'a', 'a', 'another body'];
  const answers = await Promise.all(
    said.map((text, index) =>
      commands.handler.submit(ada, commands.send(conversation, text, index === 0 ? commands.newId() : id)),
    ),
  );
  expect(answers.map(codeOf)).toEqual(['accepted', 'text_too_long', 'accepted', 'accepted', 'message_id_reused']);
  const [, , written, repeated] = answers;
  expect(repeated?.ok && repeated.done).toEqual(written?.ok && written.done);
  expect(await commands.texts(conversation)).toEqual(['while this is written', 'a']);
});

test('M1: after the id window passed, a send, an edit, a delete and a rename still get their first answers', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.group(ada, bob);
  const old: Command[] = [
    commands.send(conversation, 'the first'),
    commands.send(conversation, 'the second'),
    {
      type: 'edit',
      commandId: commands.newId(),
      conversationId: conversation,
      seq: 1,
      content: { type: 'text', text: 'edited' },
    },
    { type: 'delete', commandId: commands.newId(), conversationId: conversation, seq: 2 },
    { type: 'rename', commandId: commands.newId(), conversationId: conversation, name: 'renamed' },
  ];
  const first: Accepted[] = [];
  for (const command of old) first.push(accepted(await commands.handler.submit(ada, command)));

  commands.clock.offset += 60_000;
  const count = idWindowSize * 2 + 500;
  for (let sent = 0; sent < count; sent += 500) {
    const answers = texts(500, `later ${sent}`).map((text) =>
      commands.handler.submit(bob, commands.send(conversation, text)),
    );
    for (const answer of await Promise.all(answers)) accepted(answer);
  }

  const again = async (): Promise<void> => {
    for (const [index, command] of old.entries()) {
      const { seq, time, chain } = accepted(await commands.handler.submit(ada, command));
      expect({ seq, time, chain }).toEqual({
        seq: first[index]?.seq,
        time: first[index]?.time,
        chain: first[index]?.chain,
      });
    }
    const [send] = old;
    if (send?.type !== 'send') throw new Error('the first is a send');
    const other = { ...send, content: { type: 'text' as const, text: 'another body' } };
    expect(codeOf(await commands.handler.submit(ada, other))).toBe('message_id_reused');
    expect(codeOf(await commands.handler.submit(bob, send))).toBe('message_id_reused');
    const copies = await Promise.all(Array.from({ length: 100 }, () => commands.handler.submit(ada, send)));
    expect(new Set(copies.map((answer) => accepted(answer).chain))).toEqual(new Set([first[0]?.chain]));
  };
  await again();
  await commands.restart();
  await again();
  expect(await commands.texts(conversation)).toHaveLength(count + 2);

  // An id as old that was never used is new, and keeps its place among those of its sender.
  const late = commands.newId(commands.clock.now() - 90_000);
  const answers = await Promise.all([
    commands.handler.submit(ada, commands.send(conversation, 'late', late)),
    commands.handler.submit(ada, commands.send(conversation, 'after it')),
  ]);
  expect(answers.map((answer) => accepted(answer).seq)).toEqual([count + 3, count + 4]);
});

test('I2: the same id with another body, sender or kind of command is refused', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.group(ada, bob);
  const id = commands.newId();
  accepted(await commands.handler.submit(ada, commands.send(conversation, 'mine', id)));
  expect(codeOf(await commands.handler.submit(ada, commands.send(conversation, 'other', id)))).toBe(
    'message_id_reused',
  );
  expect(codeOf(await commands.handler.submit(bob, commands.send(conversation, 'mine', id)))).toBe('message_id_reused');
  const rename: Command = { type: 'rename', commandId: id, conversationId: conversation, name: 'x' };
  expect(codeOf(await commands.handler.submit(ada, rename))).toBe('command_id_reused');
  const elsewhere = await commands.direct(ada, bob);
  expect(codeOf(await commands.handler.submit(ada, commands.send(elsewhere, 'other', id)))).toBe('accepted');
});

test('I2: a resend is answered before any rule: also when its sender has left', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.group(ada, bob);
  const send = commands.send(conversation, 'before I go');
  const leave: Command = { type: 'leave', commandId: commands.newId(), conversationId: conversation };
  const first = accepted(await commands.handler.submit(bob, send));
  const left = accepted(await commands.handler.submit(bob, leave));
  expect(accepted(await commands.handler.submit(bob, send)).chain).toBe(first.chain);
  expect(accepted(await commands.handler.submit(bob, leave)).chain).toBe(left.chain);
  expect(codeOf(await commands.handler.submit(bob, commands.send(conversation, 'and back')))).toBe(
    'conversation_not_found',
  );
});

test('a one-to-one conversation opened again, from either side, is the same and writes nothing', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const opened = await Promise.all([commands.direct(ada, bob), commands.direct(bob, ada), commands.direct(ada, bob)]);
  expect(new Set(opened).size).toBe(1);
  const byName = await commands.handler.submit(bob, {
    type: 'start-direct',
    commandId: commands.newId(),
    with: { name: 'ada' },
  });
  expect(accepted(byName).conversationId).toBe(opened[0]);
  for (const id of opened) expect(await commands.events(id)).toHaveLength(1);
});

test('a group created again by the same command is the same group; with another body it is refused', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const create: Command = {
    type: 'create-group',
    commandId: commands.newId(),
    name: 'one',
    members: [bob.userId, { name: 'bob' }],
  };
  const answers = await Promise.all([1, 2, 3].map(() => commands.handler.submit(ada, create)));
  expect(new Set(answers.map((answer) => accepted(answer).chain)).size).toBe(1);
  expect(codeOf(await commands.handler.submit(ada, { ...create, name: 'two' }))).toBe('command_id_reused');
  const [id] = answers.map((answer) => accepted(answer).conversationId);
  if (id !== undefined) expect(await commands.events(id)).toHaveLength(2);
});

test('who is not registered cannot be added, and can once registered', async () => {
  await using commands = await CommandsUnderTest.open();
  const ada = await commands.user('ada');
  const group = await commands.group(ada);
  const add = (): Command => ({
    type: 'add-member',
    commandId: commands.newId(),
    conversationId: group,
    user: { name: 'bob' },
  });
  const start = (): Command => ({ type: 'start-direct', commandId: commands.newId(), with: { name: 'bob' } });
  expect(codeOf(await commands.handler.submit(ada, add()))).toBe('user_not_found');
  expect(codeOf(await commands.handler.submit(ada, start()))).toBe('user_not_found');
  const bob = await commands.user('bob');
  expect(codeOf(await commands.handler.submit(bob, add()))).toBe('conversation_not_found');
  expect(codeOf(await commands.handler.submit(ada, add()))).toBe('accepted');
  expect(codeOf(await commands.handler.submit(ada, add()))).toBe('already_member');
  expect(codeOf(await commands.handler.submit(ada, start()))).toBe('accepted');
});

test('an erased author writes nothing more, and a resend is answered without the comparison', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.direct(ada, bob);
  const command = commands.send(conversation, 'soon gone');
  const first = accepted(await commands.handler.submit(ada, command));
  await commands.accounts.destroyKey(`user:${ada.userId}`);
  expect(accepted(await commands.handler.submit(ada, command)).chain).toBe(first.chain);
  expect(codeOf(await commands.handler.submit(ada, commands.send(conversation, 'more')))).toBe('unauthenticated');
  expect(codeOf(await commands.handler.submit(bob, command))).toBe('message_id_reused');
  await expect(commands.user('ada')).rejects.toThrow('the account is gone');
  const start: Command = { type: 'create-group', commandId: commands.newId(), name: 'x', members: [ada.userId] };
  expect(codeOf(await commands.handler.submit(bob, start))).toBe('user_not_found');
});

test('commands of one caller are decided in their order, whatever each has to find out', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const group = await commands.group(ada);
  await commands.restart();
  const common = { conversationId: group };
  const order: Command[] = [
    commands.send(group, 'one'),
    {
      type: 'edit',
      ...common,
      commandId: commands.newId(),
      seq: 1,
      content: { type: 'text', text: 'one, edited' },
    },
    { type: 'add-member', ...common, commandId: commands.newId(), user: bob.userId },
    commands.send(group, 'two'),
    { type: 'delete', ...common, commandId: commands.newId(), seq: 2 },
    { type: 'change-role', ...common, commandId: commands.newId(), user: bob.userId, role: 'admin' },
    { type: 'leave', ...common, commandId: commands.newId() },
    commands.send(group, 'three'),
  ];
  const answers = await Promise.all(order.map((command) => commands.handler.submit(ada, command)));
  expect(answers.map(codeOf)).toEqual([...order.slice(1).map(() => 'accepted'), 'conversation_not_found']);
  expect((await commands.events(group)).slice(2).map(({ type }) => type)).toEqual([
    'message-sent',
    'message-edited',
    'member-added',
    'message-sent',
    'message-deleted',
    'role-changed',
    'member-left',
  ]);
});
