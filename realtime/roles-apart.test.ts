import { fastify } from 'fastify';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { seeded, seedFor } from '../tests/seed.ts';
import { asPort, serveSockets, type SocketsUnderTest } from '../tests/sockets-under-test.ts';
import { newId, WireClient } from '../tests/wire-client.ts';
import { askRouters } from './ask-routers.ts';
import type { BusMessage } from './bus.ts';
import { FlushTurn } from './flush-turn.ts';
import { memoryBus } from './memory-bus.ts';
import { membershipsIn } from './memberships-in.ts';
import { rangesPath } from './ranges.ts';
import { routeElsewhere } from './route-elsewhere.ts';
import { routeHere } from './routing.ts';
import { serveRanges } from './serve-ranges.ts';

const internalToken = 'a token of the tests that services know each other by';

let stack: AsyncDisposableStack;
beforeEach(() => void (stack = new AsyncDisposableStack()));
afterEach(() => stack.disposeAsync());

interface Apart extends SocketsUnderTest {
  readonly router: string;
  /** Lets a second go by for the gateway. */
  readonly second: () => void;
  /** The router answers gateways no more, or again. */
  readonly setMute: (isMute: boolean) => void;
}

/** A router that is asked over HTTP, and a gateway that hears of its batches only those that are not lost. */
const serveApart = async (isLost: (message: BusMessage) => boolean): Promise<Apart> => {
  let router = '';
  let isMute = false;
  let second = (): void => undefined;
  const sockets = await serveSockets(stack, {
    async routing(deps) {
      const { eventLog, snapshots, clock, warn } = deps;
      const between = memoryBus(() => undefined);
      const heard = memoryBus(() => undefined);
      between.listen((message) => {
        if (!isLost(message)) heard.publish(message);
      });
      const shared = {
        memberships: membershipsIn(eventLog, snapshots),
        turn: new FlushTurn(() => undefined),
        isHeard: () => true,
      };
      const routing = routeHere({ ...deps, bus: between })(shared);
      stack.defer(() => routing.close());
      const server = fastify();
      server.addHook('onRequest', async () => {
        if (isMute) throw new Error('mute');
      });
      await server.register(serveRanges({ routing, internalToken, warn }));
      await server.listen({ port: 0, host: '127.0.0.1' });
      stack.defer(() => server.close());
      router = `http://127.0.0.1:${(server.server.address() as AddressInfo).port}`;
      const everySecond = (work: () => void) => {
        second = work;
        return () => undefined;
      };
      const ask = askRouters({ addresses: ['http://127.0.0.1:1', router], internalToken });
      return routeElsewhere({ eventLog, bus: heard, ask, clock, everySecond, warn });
    },
  });
  return { ...sockets, router, second: () => second(), setMute: (mute) => (isMute = mute) };
};

const live = async (port: number, user: string, device = 'phone', cursor: string | null = null): Promise<WireClient> =>
  stack.use(await WireClient.live(port, user, device, cursor));

const talk = async (port: number): Promise<{ ann: WireClient; ben: WireClient; conversationId: string }> => {
  const [ann, ben] = [await live(port, 'ann'), await live(port, 'ben')];
  const { conversationId } = await ann.ask({ type: 'start-direct', with: { name: 'ben' } });
  return { ann, ben, conversationId };
};

const say = async (client: WireClient, conversationId: string, count: number): Promise<void> => {
  for (let sent = 1; sent <= count; sent++) {
    const messageId = newId();
    client.text(conversationId, `text ${sent}`, messageId);
    await client.answerTo(messageId);
  }
};
const seqsOf = (client: WireClient): number[] => client.of('message').map(({ seq }) => seq);
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

test('D13: a gateway that misses 30 % of what a router says asks it, also past a router that is away, and gives everything once', async () => {
  const random = seeded(seedFor('D13'));
  let isPlanted = false;
  const { port, warnings } = await serveApart(() => isPlanted && random.next() < 0.3);
  const { ann, ben, conversationId } = await talk(port);
  await ben.next('conversation');
  isPlanted = true;
  await say(ann, conversationId, 200);
  isPlanted = false;
  await say(ann, conversationId, 1);
  await ben.next('message', ({ seq }) => seq === 201);
  expect(seqsOf(ben)).toEqual(upTo(201));
  expect(warnings).toEqual([]);
});

test('without a bus messages come when the router is asked; while it does not answer sockets are told to wait', async () => {
  const apart = await serveApart(() => true);
  const { ann, ben, conversationId } = await talk(apart.port);
  await say(ann, conversationId, 3);
  await expect
    .poll(() => {
      apart.second();
      return seqsOf(ben);
    })
    .toEqual([1, 2, 3]);
  apart.setMute(true);
  await say(ann, conversationId, 1);
  await expect
    .poll(() => {
      apart.second();
      apart.tick();
      return ben.of('waiting').length;
    })
    .toBeGreaterThan(0);
  expect(apart.realtime.notReady()).toBe('no router is heard');
  expect(seqsOf(ben)).toEqual([1, 2, 3]);
  apart.setMute(false);
  await expect
    .poll(() => {
      apart.second();
      return seqsOf(ben);
    })
    .toEqual([1, 2, 3, 4]);
  expect(apart.realtime.notReady()).toBeUndefined();
});

test('I6 I9: whoever comes back after the members of a conversation changed gets what is theirs, and no more', async () => {
  const { port } = await serveApart(() => false);
  const { ann, ben, conversationId } = await talk(port);
  const cursor = ben.of('synced')[0]?.cursor ?? null;
  const { conversationId: group } = await ann.ask({ type: 'create-group', name: 'Circle', members: [{ name: 'ben' }] });
  const cyd = await live(port, 'cyd');
  await cyd.close();
  // Whoever pulls has the gateway look up who is in the group.
  await stack.use(await WireClient.live(port, 'ben', 'tablet', cursor)).close();
  await ann.ask({ type: 'add-member', conversationId: group, user: { name: 'cyd' } });
  await say(ann, group, 2);
  const back = stack.use(await WireClient.live(port, 'cyd', 'phone', cursor));
  expect(seqsOf(back)).toEqual([1, 2]);
  await back.close();
  await ann.ask({ type: 'remove-member', conversationId: group, user: { name: 'cyd' } });
  await say(ann, group, 2);
  await say(ann, conversationId, 1);
  const removed = stack.use(await WireClient.live(port, 'cyd', 'phone', cursor));
  expect(seqsOf(removed)).toEqual([]);
  expect(removed.of('member-removed')).toHaveLength(1);
});

test('a device that has more than this process has heard of the log is waited for, and not told to begin anew', async () => {
  let unheard = 0;
  const { port } = await serveSockets(stack, {
    log: (log) => ({
      ...asPort(log),
      soleWriter: false,
      locateCursor: (cursor) => (unheard-- > 0 ? { where: 'future' } : log.locateCursor(cursor)),
    }),
  });
  const { ann, conversationId } = await talk(port);
  await say(ann, conversationId, 1);
  const first = await live(port, 'ben', 'tablet');
  expect(seqsOf(first)).toEqual([1]);
  unheard = 3;
  const again = await live(port, 'ben', 'tablet', first.of('synced').at(-1)?.cursor ?? null);
  expect(again.of('reset')).toEqual([]);
  expect(seqsOf(again)).toEqual([]);
});

test('who does not hold the internal token finds nothing at the address of ranges, and no nonsense is answered', async () => {
  const { router } = await serveApart(() => false);
  const ask = async (query: string, token = internalToken) =>
    (await fetch(`${router}${rangesPath}${query}`, { headers: { authorization: `Bearer ${token}` } })).status;
  expect(await ask('?from=0', 'another token of the same length that is not the one!')).toBe(404);
  expect(await ask('?from=0')).toBe(200);
  for (const query of ['', '?from=-1', '?from=x', '?from=0&through=1e9', '?from=0&more=1', '?from=99999999999999999'])
    expect(await ask(query), query).toBe(400);
});
