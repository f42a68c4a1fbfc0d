import { expect, test } from 'vitest';
import type { UserId } from '../schemas/ids.ts';
import { presenceStream, userStream } from '../schemas/streams.ts';
import { codeOf, CommandsUnderTest, done } from '../tests/commands-under-test.ts';

const presenceOf = async ({ log }: CommandsUnderTest, user: UserId) =>
  (await log.readStream(presenceStream(user), 0, 'forwards', 100)).map(({ event }) => event);

test('F38: coming and going are events once each, also when two processes say so at the same time', async () => {
  await using commands = await CommandsUnderTest.open();
  const { userId } = await commands.user('ada');
  const handlers = [commands.handler, commands.newHandler()];
  const both = (say: (one: (typeof handlers)[number]) => Promise<boolean>) => Promise.all(handlers.map(say));
  expect(await both(({ presence }) => presence.comeOnline(userId))).toEqual([true, true]);
  expect(await both(({ presence }) => presence.goOffline(userId, 5))).toEqual([true, true]);
  expect(await presenceOf(commands, userId)).toMatchObject([{ type: 'came-online' }, { type: 'went-offline' }]);
  await commands.restart();
  expect(await commands.handler.presence.goOffline(userId, 5)).toBe(true);
  expect(await commands.handler.presence.comeOnline(userId)).toBe(true);
  expect(await presenceOf(commands, userId)).toHaveLength(3);
  await commands.handler.drain();
  expect(await commands.handler.presence.goOffline(userId, 5)).toBe(false);
});

test('F41: an announced status is answered and in the log; one that says the same writes nothing', async () => {
  await using commands = await CommandsUnderTest.open();
  const ada = await commands.user('ada');
  const announce = { type: 'announce-status', availability: 'busy', text: 'at work' } as const;
  const answer = await commands.handler.submit(ada, { ...announce, commandId: commands.newId() });
  expect(done(answer, 'announced').time).toBeLessThanOrEqual(commands.clock.now());
  const away = { type: 'announce-status', availability: 'away' } as const;
  for (let times = 0; times < 2; times++) {
    expect(codeOf(await commands.handler.submit(ada, { ...away, commandId: commands.newId() }))).toBe('announced');
  }
  expect(await presenceOf(commands, ada.userId)).toEqual([
    { type: 'status-announced', availability: 'busy', text: 'at work' },
    { type: 'status-announced', availability: 'away', text: null },
  ]);
});

test('F69, I2: signing out ends the sessions of this device, of one named or of all, and a resend ends them only once', async () => {
  await using commands = await CommandsUnderTest.open();
  const ada = await commands.user('ada', 'phone');
  const commandId = commands.newId();
  const first = done(await commands.handler.submit(ada, { type: 'sign-out', commandId }), 'saved');
  expect(done(await commands.handler.submit(ada, { type: 'sign-out', commandId }), 'saved')).toMatchObject({
    time: first.time,
    chain: first.chain,
  });
  const other = { type: 'sign-out', commandId, deviceId: null } as const;
  expect(codeOf(await commands.handler.submit(ada, other))).toBe('command_id_reused');
  expect(codeOf(await commands.handler.submit(ada, { ...other, commandId: commands.newId() }))).toBe('saved');
  const events = await commands.log.readStream(userStream(ada.userId), 1, 'forwards', 10);
  expect(events.map(({ event }) => event)).toMatchObject([
    { type: 'sessions-ended', deviceId: 'phone', commandId, reason: 'signed-out' },
    { type: 'sessions-ended', deviceId: null },
  ]);
});
