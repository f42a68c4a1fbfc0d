import { expect, test } from 'vitest';
import { emptyIdWindow } from '../domain/id-window.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { loadMembership } from '../realtime/load-membership.ts';
import { accepted, CommandsUnderTest } from '../tests/commands-under-test.ts';
import { conversationCache } from './conversation-cache.ts';
import { findMessage } from './find-message.ts';
import { lookUpId } from './look-up-id.ts';

/** As if every event were so big that a page holds two of them. */
const inShortPages = (log: EventLog): EventLog => {
  const read = log.readStream.bind(log);
  const readStream: EventLog['readStream'] = (stream, from, direction, limit) =>
    read(stream, from, direction, Math.min(limit, 2));
  return Object.assign(log, { readStream });
};

test('a page shorter than asked for is not the end: states, messages and ids are found behind it', async () => {
  await using commands = await CommandsUnderTest.open({ log: inShortPages });
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const group = await commands.group(ada, bob);
  const sends = Array.from({ length: 9 }, (_, index) => commands.send(group, `text ${index}`));
  for (const send of sends) accepted(await commands.handler.submit(ada, send));

  const { log: eventLog, snapshots } = commands;
  const tip = await conversationCache({ eventLog, snapshots }).load(group);
  if ('blocked' in tip) throw new Error('blocked');
  expect(tip.state?.seq).toBe(9);
  expect(await loadMembership(eventLog, snapshots, group)).toMatchObject({ revision: tip.revision, blocked: false });
  for (let seq = 1; seq <= 9; seq++) {
    expect(await findMessage(eventLog, group, tip, seq)).toEqual({ author: ada.userId, contentType: 'text' });
  }
  const [first] = sends;
  if (first?.type !== 'send' || tip.state === undefined) throw new Error('nothing was sent');
  const nothingStored = () => Promise.resolve({ absentUpTo: 0 });
  const withoutWindow = { ...tip, state: { ...tip.state, window: emptyIdWindow(0) } };
  expect(await lookUpId(eventLog, nothingStored, group, withoutWindow, first.messageId)).toMatchObject({
    known: { seq: 1 },
  });
  expect(await lookUpId(eventLog, nothingStored, group, withoutWindow, commands.newId(0))).toBe('new');
});
