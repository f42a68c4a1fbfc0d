import { expect, test } from 'vitest';
import type { UserCommand } from '../schemas/commands.ts';
import type { UserId } from '../schemas/ids.ts';
import { decodeReadAfter } from '../schemas/position.ts';
import { userStream } from '../schemas/streams.ts';
import { accepted, codeOf, CommandsUnderTest, done } from '../tests/commands-under-test.ts';

type Draft = UserCommand extends infer C ? (C extends UserCommand ? Omit<C, 'commandId'> : never) : never;

const open = async () => {
  const commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  return {
    commands,
    ada,
    bob,
    submit: (draft: Draft, commandId = commands.newId()) => commands.handler.submit(ada, { ...draft, commandId }),
    events: async () =>
      (await commands.log.readStream(userStream(ada.userId), 1, 'forwards', 1_000)).map(({ event }) => event),
    [Symbol.asyncDispose]: () => commands[Symbol.asyncDispose](),
  };
};
const block = (user: UserId): Draft => ({ type: 'block', user });
const unblock = (user: UserId): Draft => ({ type: 'unblock', user });

test('F7: blocks are in the log once each, by id or by name; a second block writes nothing', async () => {
  await using scene = await open();
  const { bob, submit, events } = scene;
  const saved = done(await submit({ type: 'block', user: { name: 'bob' } }), 'saved');
  // Whom a user blocks changes its unread counts, wherever these lie.
  expect(decodeReadAfter(saved.readAfter)?.slots).toHaveLength(64);
  expect(codeOf(await submit(block(bob.userId)))).toBe('saved');
  expect(codeOf(await submit({ type: 'block', user: { name: 'ada' } }))).toBe('own_user');
  expect(codeOf(await submit({ type: 'block', user: { name: 'nobody' } }))).toBe('user_not_found');
  expect(codeOf(await submit(unblock(bob.userId)))).toBe('saved');
  expect(codeOf(await submit({ type: 'unblock', user: { name: 'nobody' } }))).toBe('saved');
  expect((await events()).map((event) => event?.type)).toEqual(['user-blocked', 'user-unblocked']);
});

test('I2: a block that comes again after its unblock is answered as the first time and blocks nobody, also when its id is long past', async () => {
  await using scene = await open();
  const { commands, bob, submit, events } = scene;
  const id = commands.newId();
  const first = done(await submit(block(bob.userId), id), 'saved');
  done(await submit(unblock(bob.userId)), 'saved');
  const repeat = async (): Promise<void> => {
    const { time, chain } = done(await submit(block(bob.userId), id), 'saved');
    expect({ time, chain }).toEqual({ time: first.time, chain: first.chain });
  };
  await repeat();
  for (let i = 0; i < 150; i++) {
    done(await submit(block(bob.userId)), 'saved');
    done(await submit(unblock(bob.userId)), 'saved');
  }
  await repeat();
  await commands.restart();
  await repeat();
  expect(codeOf(await submit(unblock(bob.userId), id))).toBe('command_id_reused');
  const stored = await events();
  expect(stored).toHaveLength(302);
  expect(stored.at(-1)?.type).toBe('user-unblocked');
});

test('settings of a chat: what is left out stays, archived up to the last message; not of others’ chats, and a resend stands after leaving', async () => {
  await using scene = await open();
  const { commands, ada, bob, submit, events } = scene;
  const [cyd, group] = [await commands.user('cyd'), await commands.group(bob, ada)];
  accepted(await commands.handler.submit(bob, commands.send(group, 'a text')));
  const id = commands.newId();
  const pin: Draft = { type: 'change-chat-settings', conversationId: group, pinned: true };
  const first = done(await submit(pin, id), 'saved');
  done(await submit({ type: 'change-chat-settings', conversationId: group, mutedUntil: 99, archived: true }), 'saved');
  expect(await events()).toMatchObject([
    { type: 'chat-settings-changed', conversationId: group, mutedUntil: 0, pinned: true, archivedAt: null },
    { type: 'chat-settings-changed', conversationId: group, mutedUntil: 99, pinned: true, archivedAt: 1 },
  ]);
  const others = await commands.direct(bob, cyd);
  expect(codeOf(await submit({ type: 'change-chat-settings', conversationId: others, pinned: true }))).toBe(
    'conversation_not_found',
  );
  accepted(await commands.handler.submit(ada, { type: 'leave', commandId: commands.newId(), conversationId: group }));
  expect(done(await submit(pin, id), 'saved').chain).toBe(first.chain);
  expect(codeOf(await submit(pin))).toBe('conversation_not_found');
});

test('F5: a profile is stored whole, under the key of its user', async () => {
  await using scene = await open();
  const { submit, events } = scene;
  done(await submit({ type: 'change-profile', displayName: 'Ada', statusText: 'at work' }), 'saved');
  done(await submit({ type: 'change-profile', displayName: 'Ada L.' }), 'saved');
  expect(await events()).toMatchObject([
    { profile: { displayName: 'Ada', statusText: 'at work' } },
    { profile: { displayName: 'Ada L.' } },
  ]);
});

test('T1: an id too far ahead of the server is put off', async () => {
  await using scene = await open();
  const { commands, bob, submit } = scene;
  expect(codeOf(await submit(block(bob.userId), commands.newId(commands.clock.now() + 3_600_000)))).toBe(
    'id_time_ahead',
  );
});
