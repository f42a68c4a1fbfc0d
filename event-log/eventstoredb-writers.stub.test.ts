import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { openScene } from '../tests/eventstoredb-scene.ts';
import { messageBy } from './chats.fixture.ts';
import { verifyLog } from './verify-log.ts';

test('two processes that append to one stream make one chain, and each hears what the other wrote', async () => {
  await using its = await openScene();
  const chat = its.newChat();
  const key = await its.keys.keyOf(`user:${chat.author}`);
  const worker = new Worker(new URL('eventstoredb-writer.fixture.ts', import.meta.url), {
    workerData: {
      url: its.stub.url,
      stream: chat.stream,
      author: chat.author,
      key: key?.key.export(),
      name: key?.name,
    },
  });
  const ended = once(worker, 'exit');
  const told = once(worker, 'message');
  let [won, lost] = [0, 0];
  let revision = -1;
  while (won < 60) {
    const events = [messageBy(chat.author, revision + 2), messageBy(chat.author, revision + 3)];
    const outcome = await its.log.append(chat.stream, events, revision);
    if (outcome.outcome === 'appended') won++;
    else if (outcome.outcome === 'conflict') lost++;
    else throw new Error(outcome.outcome);
    revision = outcome.outcome === 'appended' ? outcome.revision : outcome.actualRevision;
  }
  const [theirs] = (await told) as [{ won: number; lost: number }];
  await ended;
  expect(theirs.won).toBe(60);
  expect(lost + theirs.lost).toBeGreaterThan(0);
  await expect.poll(() => its.heard.filter(({ stream }) => stream === chat.stream).length).toBe(240);
  const heard = its.heard.filter(({ stream }) => stream === chat.stream);
  expect(heard.map((event) => event.revision)).toEqual(heard.map((_, index) => index));
  expect(heard.filter(({ plain }) => plain === undefined)).toHaveLength(120);
  const walk = verifyLog(its.store);
  const step = await walk.next();
  expect(step).toMatchObject({ done: true, value: { events: 241, streams: 2 } });
});
