import { afterEach, beforeEach, expect, test } from 'vitest';
import { userStream } from '../schemas/streams.ts';
import { accepted, codeOf, CommandsUnderTest } from '../tests/commands-under-test.ts';
import type { Caller } from './command-gateway.ts';
import { eraseUser } from './erase-user.ts';
import { followErasures } from './follow-erasures.ts';

let commands: CommandsUnderTest;
beforeEach(async () => {
  commands = await CommandsUnderTest.open();
});
afterEach(() => commands[Symbol.asyncDispose]());

const erase = ({ userId }: Caller) => {
  const { log: eventLog, clock, randomBytes } = commands;
  return eraseUser({ eventLog, clock, randomBytes }, userId);
};
const placeOfHead = (): number => {
  const located = commands.log.locate(commands.log.head());
  return located.where === 'known' ? located.place : Infinity;
};
/** Follows until everything in the log was looked at. */
const destroyKeys = async (): Promise<void> => {
  const { log: eventLog, accounts, clock } = commands;
  const erasures = followErasures({
    eventLog,
    accounts,
    clock,
    warn: () => undefined,
    destroyed: () => undefined,
  });
  const reached = await erasures.waitFor(placeOfHead(), clock.monotonic() + 20_000);
  await erasures.close();
  expect(reached).toBe(true);
};
const eventsOf = async ({ userId }: Caller): Promise<string[]> =>
  (await commands.log.readStream(userStream(userId), 0, 'forwards', 100)).map(({ type }) => type);

test('an erasure stands once, refuses who is not there, and takes the key with it', async () => {
  const ada = await commands.user('ada');
  expect(await erase(ada)).toEqual({ outcome: 'erased' });
  expect(await erase(ada)).toEqual({ outcome: 'unchanged' });
  expect(await eventsOf(ada)).toEqual(['user-registered', 'user-erased']);
  await destroyKeys();
  expect(await erase(ada)).toEqual({ outcome: 'unchanged' });
  expect(await commands.accounts.destroyed()).toEqual([`user:${ada.userId}`]);
  const nobody = { ...ada, userId: (await commands.user('bob')).userId.replace(/^../, 'zz') as Caller['userId'] };
  expect(await erase(nobody)).toMatchObject({ outcome: 'rejected', rejection: { code: 'user_not_found' } });
});

test('two operators at once and a user who writes meanwhile leave one erasure', async () => {
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const blocks = Array.from({ length: 20 }, (_, i) =>
    commands.handler.submit(ada, {
      type: i % 2 === 0 ? 'block' : 'unblock',
      commandId: commands.newId(),
      user: bob.userId,
    }),
  );
  const outcomes = await Promise.all([erase(ada), erase(ada), ...blocks]);
  expect(
    outcomes
      .slice(0, 2)
      .map((one) => 'outcome' in one && one.outcome)
      .toSorted(),
  ).toEqual(['erased', 'unchanged']);
  const types = await eventsOf(ada);
  expect(types.filter((type) => type === 'user-erased')).toHaveLength(1);
  expect(types.at(-1)).toBe('user-erased');
});

test('D8: a process that ends between the event and the key, twenty times, destroys the key at its next start', async () => {
  for (let edge = 0; edge < 20; edge++) {
    const [ada, bob] = [await commands.user(`ada ${edge}`), await commands.user(`bob ${edge}`)];
    const chat = await commands.direct(ada, bob);
    const said = commands.send(chat, `canary ${edge}`);
    const first = accepted(await commands.handler.submit(ada, said));
    await erase(ada);
    // It ends before the key is destroyed, right after it, or after the position was stored.
    if (edge % 3 === 1) await commands.accounts.destroyKey(`user:${ada.userId}`);
    if (edge % 3 === 2) await destroyKeys();
    await commands.restart();
    await destroyKeys();
    expect(await commands.accounts.keyOf(`user:${ada.userId}`)).toBeUndefined();
    expect(await commands.texts(chat)).toEqual(['']);
    expect(accepted(await commands.handler.submit(ada, said))).toMatchObject({ seq: first.seq, chain: first.chain });
    expect(codeOf(await commands.handler.submit(ada, commands.send(chat, 'more')))).toBe('unauthenticated');
  }
});
