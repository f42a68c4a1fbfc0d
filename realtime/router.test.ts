import { expect, test } from 'vitest';
import { serveSockets } from '../tests/sockets-under-test.ts';
import { WireClient } from '../tests/wire-client.ts';
import { FlushTurn } from './flush-turn.ts';
import { memoryBus } from './memory-bus.ts';
import { membershipsIn } from './memberships-in.ts';
import { Router } from './router.ts';

test('a range ends where the router is: what lies behind it would go to who was there before', async () => {
  await using stack = new AsyncDisposableStack();
  const { port, commands } = await serveSockets(stack);
  const { log: eventLog, snapshots } = commands;
  const router = new Router({
    eventLog,
    memberships: membershipsIn(eventLog, snapshots),
    bus: memoryBus(() => undefined),
    turn: new FlushTurn(() => undefined),
    isHeard: () => true,
    limits: { receiptsMembers: 1_000 },
  });
  const { signal } = new AbortController();
  const ann = stack.use(await WireClient.live(port, 'ann'));
  const { conversationId } = await ann.ask({ type: 'create-group', name: 'Circle', members: [] });
  await ann.ask({ type: 'rename', conversationId, name: 'Round' });
  const head = eventLog.locate(eventLog.head());
  const place = head.where === 'known' ? head.place : 0;
  expect(place).toBeGreaterThan(router.at.place);
  expect(await router.range(router.at.place, place, signal)).toEqual([]);

  const following = new AbortController();
  const followed = router.follow(following.signal).catch(() => undefined);
  const batches = await router.range(0, place, signal);
  expect(batches.at(-1)?.through).toBe(place);
  // Begun, named, and named anew.
  expect(batches.flatMap(({ deliveries }) => deliveries.filter(({ is }) => is === 'frame'))).toHaveLength(3);
  following.abort();
  await followed;
});
