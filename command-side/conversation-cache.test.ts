import { expect, test } from 'vitest';
import { foldConversation } from '../domain/evolve-conversation.ts';
import type { Command } from '../schemas/commands.ts';
import type { ConversationId } from '../schemas/ids.ts';
import { conversationStream } from '../schemas/streams.ts';
import { accepted, CommandsUnderTest } from '../tests/commands-under-test.ts';
import { conversationCache, type Tip } from './conversation-cache.ts';
import type { Snapshot } from './snapshot-store.ts';
import { snapshotEveryEvents } from './stream-cache.ts';

/** What a command side with nothing in memory makes of the log and the snapshots. */
const coldTip = async ({ log: eventLog, snapshots }: CommandsUnderTest, id: ConversationId): Promise<Tip> => {
  const tip = await conversationCache({ eventLog, snapshots }).load(id);
  if ('blocked' in tip) throw new Error('blocked');
  return tip;
};

const foldedFromTheStart = async (commands: CommandsUnderTest, id: ConversationId) =>
  foldConversation({ state: undefined, revision: -1 }, await commands.events(id));

const setUp = async (commands: CommandsUnderTest): Promise<ConversationId> => {
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const group = await commands.group(ada, bob);
  const some = (count: number): Promise<unknown> =>
    Promise.all(
      Array.from({ length: count }, async (_, i) =>
        accepted(await commands.handler.submit(i % 2 ? ada : bob, commands.send(group, `text ${i}`))),
      ),
    );
  for (let i = 0; i < 3; i++) {
    await some(700);
    const deleted: Command = { type: 'delete', commandId: commands.newId(), conversationId: group, seq: 10 + 2 * i };
    accepted(await commands.handler.submit(ada, deleted));
  }
  return group;
};

test('a cold start gives the state that was warm, and a snapshot is what it starts from', async () => {
  await using commands = await CommandsUnderTest.open();
  const group = await setUp(commands);
  await commands.restart();
  const tip = await coldTip(commands, group);
  expect({ state: tip.state, revision: tip.revision }).toEqual(await foldedFromTheStart(commands, group));
  expect(tip.snapshotAt).toBeGreaterThanOrEqual(snapshotEveryEvents);
  expect(tip.link).toBe((await commands.events(group)).at(-1)?.link);
});

test.each<[string, (snapshot: Snapshot) => Snapshot]>([
  [
    'a link the log does not have',
    (snapshot) => ({ ...snapshot, link: snapshot.link.split('').toReversed().join('') }),
  ],
  ['a revision past the end', (snapshot) => ({ ...snapshot, revision: 1_000_000 })],
  ['another version of the code', (snapshot) => ({ ...snapshot, codeVersion: -1 })],
])('a snapshot with %s is not used', async (_, spoil) => {
  await using commands = await CommandsUnderTest.open();
  const group = await setUp(commands);
  const stream = conversationStream(group);
  await commands.restart();
  const snapshot = await commands.snapshots.load(stream);
  if (snapshot === undefined) throw new Error('there is a snapshot');
  await commands.snapshots.save(stream, { ...spoil(snapshot), state: '{"no":"state"}' });
  const tip = await coldTip(commands, group);
  expect({ state: tip.state, revision: tip.revision }).toEqual(await foldedFromTheStart(commands, group));
});

test('the cache forgets the conversation not used for longest, and loads it again', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const groups: ConversationId[] = [];
  for (let i = 0; i < 5; i++) groups.push(await commands.group(ada, bob));
  const cache = conversationCache({ eventLog: commands.log, snapshots: commands.snapshots }, 35);
  for (const group of groups) await cache.load(group);
  expect(groups.map((group) => cache.get(group) !== undefined)).toEqual([false, false, true, true, true]);
  const [first] = groups;
  if (first !== undefined) expect(await cache.load(first)).toMatchObject({ revision: 1 });
});
