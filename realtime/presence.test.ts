import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ServerFrameOf } from '../schemas/frames.ts';
import { serveInProcess, type InProcessServer } from '../tests/in-process-server.ts';
import { WireClient, newId } from '../tests/wire-client.ts';

const stack = new AsyncDisposableStack();
let server: InProcessServer;
beforeAll(async () => {
  server = await serveInProcess(stack, {
    PARLEY_PRESENCE_HEARTBEAT: '1',
    PARLEY_PRESENCE_OFFLINE_AFTER: '2',
    PARLEY_PRESENCE_MEMBERS: '3',
  });
});
afterAll(() => stack.disposeAsync());

type Seen = ServerFrameOf<'presence'>['users'][number];

let people = 0;
const name = (): string => `present ${people++}`;
const live = async (user: string, device = 'phone'): Promise<WireClient> =>
  stack.use(await WireClient.live(server.port, user, device));
const userIdOf = (client: WireClient): string => client.of('welcome')[0]?.userId ?? '';
const subscribe = async (client: WireClient, ...users: readonly string[]): Promise<readonly Seen[]> => {
  client.send({ type: 'subscribe-presence', users });
  return (await client.next('presence', ({ users: answered }) => answered.length === users.length)).users;
};
/** The next that is said of a user. */
const next = async (client: WireClient, user: string, fits: (seen: Seen) => boolean): Promise<Seen> => {
  const ofUser = (frame: ServerFrameOf<'presence'>): Seen | undefined =>
    frame.users.find((seen) => seen.userId === user && fits(seen));
  const seen = ofUser(await client.next('presence', (frame) => ofUser(frame) !== undefined));
  if (seen === undefined) throw new Error('it was there');
  return seen;
};
/** A user whom somebody else watches, and who is online. */
const pair = async () => {
  const [a, b] = [name(), name()];
  const [ann, bob] = [await live(a), await live(b)];
  const { conversationId } = await ann.ask({ type: 'start-direct', with: { name: b } });
  await bob.next('conversation');
  const bobId = userIdOf(bob);
  const [now] = await subscribe(ann, bobId);
  const online = now?.online === true ? now : await next(ann, bobId, (seen) => seen.online);
  return { a, b, ann, bob, bobId, conversationId, online };
};

test('F38, F39: who comes is online, and offline with its last sign of life when its last device is gone', async () => {
  const { b, ann, bob, bobId, online } = await pair();
  expect(online).toMatchObject({ userId: bobId, lastSeen: null, availability: 'available', live: true });
  const laptop = await live(b, 'laptop');
  await bob.close();
  const startedAt = Date.now();
  await laptop.close();
  const offline = await next(ann, bobId, (seen) => !seen.online);
  expect(offline.version).toBe(online.version + 1);
  expect(offline.lastSeen).toBeGreaterThan(startedAt - 5_000);
  await live(b);
  const back = await next(ann, bobId, (seen) => seen.online);
  expect(back).toMatchObject({ version: online.version + 2, lastSeen: null });
});

test('N1, F38: a connection that is lost and back within the lease is seen by nobody', async () => {
  const { b, ann, bob, bobId, online } = await pair();
  for (let times = 0; times < 3; times++) {
    bob.ws.terminate();
    await bob.ended;
    const again = await live(b, `phone ${times}`.replace(' ', '-'));
    again.send({ type: 'announce-status', commandId: newId(), availability: times === 1 ? 'available' : 'busy' });
    await next(ann, bobId, (seen) => seen.version === online.version + times + 1);
  }
  const seen = ann.of('presence').flatMap(({ users }) => users);
  expect(seen.filter(({ version }) => version > online.version).map((one) => one.online)).toEqual([true, true, true]);
});

test('F69, S2: signing out closes the device’s sockets; the last device out is offline at once', async () => {
  const { b, ann, bob, bobId } = await pair();
  const laptop = await live(b, 'laptop');
  bob.send({ type: 'sign-out', commandId: newId() });
  expect((await bob.ended).code).toBe(4401);
  expect(bob.of('saved')).toHaveLength(1);
  laptop.send({ type: 'announce-status', commandId: newId(), availability: 'away', text: 'on the laptop' });
  expect(await next(ann, bobId, ({ availability }) => availability === 'away')).toMatchObject({
    online: true,
    statusText: 'on the laptop',
  });
  const phone = await live(b);
  phone.send({ type: 'sign-out', commandId: newId(), deviceId: null });
  expect((await phone.ended).code).toBe(4401);
  expect((await laptop.ended).code).toBe(4401);
  const signedOutAt = Date.now();
  const offline = await next(ann, bobId, (seen) => !seen.online);
  expect(Math.abs((offline.lastSeen ?? 0) - signedOutAt)).toBeLessThan(5_000);
});

test('S5: strangers and those who block look like somebody who is never there; a block ends what is shown, and its end brings it back', async () => {
  const { a, b, ann, bob, bobId, online } = await pair();
  const stranger = await live(name());
  const nobody = { online: false, lastSeen: null, availability: 'available', statusText: null, live: true };
  for (const userId of [bobId, 'A'.repeat(22)])
    expect(await subscribe(stranger, userId)).toEqual([{ ...nobody, version: 0, userId }]);
  await bob.save({ type: 'block', user: { name: a } });
  expect(await next(ann, bobId, (seen) => !seen.online)).toEqual({
    ...nobody,
    version: online.version,
    userId: bobId,
  });
  bob.send({ type: 'announce-status', commandId: newId(), availability: 'busy' });
  await bob.next('announced');
  expect(await subscribe(ann, bobId)).toEqual([{ ...nobody, version: 0, userId: bobId }]);
  await bob.save({ type: 'unblock', user: { name: a } });
  expect(await next(ann, bobId, (seen) => seen.online)).toMatchObject({ availability: 'busy' });
  await ann.save({ type: 'block', user: { name: b } });
  expect(await next(ann, bobId, (seen) => !seen.online)).toMatchObject(nobody);
});

test('S4: with the last conversation they share ends what each is shown of the other', async () => {
  const [a, b] = [name(), name()];
  const [ann, bob] = [await live(a), await live(b)];
  const { conversationId } = await ann.ask({ type: 'create-group', name: 'Two', members: [{ name: b }] });
  await bob.next('conversation');
  const [annId, bobId] = [userIdOf(ann), userIdOf(bob)];
  for (const [one, other] of [
    [ann, bobId],
    [bob, annId],
  ] as const) {
    const [seen] = await subscribe(one, other);
    if (seen?.online !== true) await next(one, other, (now) => now.online);
  }
  await bob.ask({ type: 'leave', conversationId });
  expect(await next(ann, bobId, (seen) => !seen.online)).toMatchObject({ lastSeen: null });
  expect(await next(bob, annId, (seen) => !seen.online)).toMatchObject({ lastSeen: null });
  bob.send({ type: 'announce-status', commandId: newId(), availability: 'busy' });
  await bob.next('announced');
  const chat = await ann.ask({ type: 'start-direct', with: { name: b } });
  await bob.next('conversation', (frame) => frame.conversationId === chat.conversationId);
  expect(
    ann.of('presence').flatMap(({ users }) => users.filter(({ availability }) => availability === 'busy')),
  ).toEqual([]);
});

test('F42: of those met only in a big group one learns by asking, many in one request, and nothing by itself', async () => {
  const names = [name(), name(), name(), name()];
  const [ann, ...others] = await Promise.all(names.map((one) => live(one)));
  if (ann === undefined) throw new Error('ann');
  const members = names.slice(1).map((one) => ({ name: one }));
  await ann.ask({ type: 'create-group', name: 'Crowd', members });
  const ids = others.map(userIdOf);
  const asked = async (): Promise<readonly Seen[]> => subscribe(ann, ...ids);
  const friend = await live(name());
  for (const member of names.slice(1)) await friend.ask({ type: 'start-direct', with: { name: member } });
  const known = await subscribe(friend, ...ids);
  for (const { userId, online } of known) if (!online) await next(friend, userId, (now) => now.online);
  const seen = await asked();
  expect(seen.map(({ live: isLive }) => isLive)).toEqual([false, false, false]);
  others[0]?.send({ type: 'announce-status', commandId: newId(), availability: 'busy' });
  await others[0]?.next('announced');
  await next(friend, ids[0] ?? '', ({ availability }) => availability === 'busy');
  expect(ann.of('presence')).toHaveLength(1);
  expect((await asked())[0]).toMatchObject({ availability: 'busy', version: (seen[0]?.version ?? 0) + 1 });
});

test('F68, C13: requests are limited for each user, 200 users each, and what is left out is shown no more', async () => {
  const { ann, bob, bobId, online } = await pair();
  await subscribe(ann);
  bob.send({ type: 'announce-status', commandId: newId(), availability: 'busy' });
  await bob.next('announced');
  expect(await subscribe(ann, bobId)).toMatchObject([{ version: online.version + 1 }]);
  ann.send({ type: 'subscribe-presence', users: Array.from({ length: 201 }, () => bobId) });
  expect(await ann.next('error')).toMatchObject({ code: 'invalid' });
  for (let times = 0; times < 30; times++) ann.send({ type: 'subscribe-presence', users: [] });
  const refused = await ann.next('error', ({ code }) => code === 'rate_limited');
  expect(refused).toMatchObject({ limiter: 'presence' });
  expect(refused.retryAfterMs).toBeGreaterThan(0);
});
