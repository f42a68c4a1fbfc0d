import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ServerFrame, ServerFrameOf } from '../schemas/frames.ts';
import { serveInProcess, type InProcessServer } from '../tests/in-process-server.ts';
import { soaking } from '../tests/seed.ts';
import { serveSockets } from '../tests/sockets-under-test.ts';
import { WireClient } from '../tests/wire-client.ts';

const stack = new AsyncDisposableStack();
let server: InProcessServer;
beforeAll(async () => {
  server = await serveInProcess(stack, { PARLEY_RECENT_EVENTS: '64' });
});
afterAll(() => stack.disposeAsync());

let people = 0;
const name = (): string => `newcomer ${people++}`;
const live = async (user: string, device = 'phone'): Promise<WireClient> =>
  stack.use(await WireClient.live(server.port, user, device));
const open = async (user: string, device: string): Promise<WireClient> =>
  stack.use(await WireClient.open(server.port, user, device));
const userIdOf = (client: WireClient): string => client.of('welcome')[0]?.userId ?? '';

const startSync = async (user: string, device: string, after: string | null = null): Promise<WireClient> => {
  const client = await open(user, device);
  client.send({ type: 'first-sync', after });
  return client;
};
const synced = async (user: string, device: string, after: string | null = null): Promise<WireClient> => {
  const client = await startSync(user, device, after);
  await client.next('synced', ({ caughtUp }) => caughtUp);
  return client;
};

/** Waits until the inbox has what the log has. */
const inboxHasAll = async (): Promise<void> => {
  const head = server.eventLog.locate(server.eventLog.head());
  if (head.where !== 'known') throw new Error(head.where);
  await server.follower.waitFor(head.place, Infinity);
};

const chatsIn = (frames: readonly ServerFrame[]) =>
  frames.flatMap((frame) =>
    frame.type === 'changes' ? frame.changes.flatMap((change) => (change.type === 'chat' ? [change.chat] : [])) : [],
  );
const groups = async (owner: WireClient, count: number, members: readonly object[] = []): Promise<string[]> => {
  const made: string[] = [];
  for (let n = 0; n < count; n++) {
    const { conversationId } = await owner.ask({ type: 'create-group', name: `group ${n}`, members });
    made.push(conversationId);
  }
  return made;
};
const say = async (by: WireClient, conversationId: string, texts: readonly string[]): Promise<void> => {
  for (const text of texts) by.text(conversationId, text);
  let left = texts.length;
  while (left > 0) {
    await by.next('accepted', (frame) => frame.conversationId === conversationId && frame.seq !== undefined);
    left--;
  }
};

test('C15: a new device gets every chat once, the newest page of the 20 newest, and what happens from then on', async () => {
  const [a, b] = [name(), name()];
  const [ann, bob] = [await live(a), await live(b)];
  const made = await groups(ann, 230, [{ name: b }]);
  const last = made.at(-1) ?? '';
  await say(
    bob,
    last,
    Array.from({ length: 60 }, (_, n) => `number ${n + 1}`),
  );
  await bob.ask({ type: 'edit', conversationId: last, seq: 60, content: { type: 'text', text: 'the newest' } });
  bob.send({ type: 'mark', conversationId: made[0], read: 0, delivered: 0 });
  await inboxHasAll();

  const tablet = await synced(a, 'tablet');
  expect([...new Set(tablet.frames.map(({ type }) => type))]).toEqual(['welcome', 'changes', 'history', 'synced']);
  const chats = chatsIn(tablet.frames);
  expect(chats.map(({ conversationId }) => conversationId)).toEqual(made);
  expect(chats.at(-1)).toMatchObject({
    unread: 60,
    seq: 60,
    lastMessage: { seq: 60, content: { text: 'the newest' } },
  });
  const histories = tablet.of('history');
  expect(histories.map(({ conversationId }) => conversationId)).toEqual(made.toReversed().slice(0, 20));
  const [newest] = histories;
  expect(newest?.messages.map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, n) => n + 11));
  expect(newest).toMatchObject({
    isFirst: false,
    members: [{ userId: userIdOf(ann) }, { userId: userIdOf(bob), read: 60 }],
  });
  expect(histories[1]).toMatchObject({ messages: [], isFirst: true });

  await say(bob, last, ['live']);
  expect(await tablet.next('message')).toMatchObject({ conversationId: last, seq: 61 });
});

test('C15: cut off, it goes on behind the last page that came, with what changed meanwhile', async () => {
  const [a, b] = [name(), name()];
  const [ann, bob] = [await live(a), await live(b)];
  const made = await groups(ann, 120, [{ name: b }]);
  await inboxHasAll();
  const cut = await startSync(a, 'tablet');
  const { next } = await cut.next('changes');
  cut.ws.terminate();
  await say(bob, made[3] ?? '', ['moved on']);
  await inboxHasAll();

  const again = await synced(a, 'tablet', next);
  const chats = chatsIn(again.frames);
  expect(chats.map(({ conversationId }) => conversationId)).toEqual([...made.slice(50), made[3]]);
  expect(chats.at(-1)).toMatchObject({ seq: 1, lastMessage: { seq: 1 } });
  // Who has the chats already gets their newest messages all the same.
  expect(again.of('history')[0]).toMatchObject({ conversationId: made[3], messages: [{ seq: 1 }] });
});

test(
  'I3, I9: under load and cut at random, views, pages and frames make every chat whole',
  async () => {
    const [a, b] = [name(), name()];
    const [ann, bob] = [await live(a), await live(b)];
    const made = await groups(ann, 150, [{ name: b }]);
    const stop = new AbortController();
    const sent = new Map<string, number>();
    const load = (async () => {
      for (let n = 0; !stop.signal.aborted; n++) {
        const id = made[(n * 37) % made.length] ?? '';
        await say(bob, id, ['under load']);
        sent.set(id, (sent.get(id) ?? 0) + 1);
      }
    })();
    let device = 0;
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 0, max: 3 }),
          fc.array(fc.nat(20), { maxLength: 3 }),
          async (pages, cuts) => {
            const tag = `device-${device++}`;
            const heard: ServerFrame[] = [];
            let after: string | null = null;
            const keep = ({ frames }: WireClient): void => {
              for (const frame of frames) {
                heard.push(frame);
                if (frame.type === 'changes') after = frame.next;
              }
            };
            const cutAfter = async (count: number, type: 'changes' | 'history'): Promise<void> => {
              const client = await startSync(a, tag, after);
              for (let n = 0; n < count; n++) await client.next(type);
              client.ws.terminate();
              await client.ended;
              keep(client);
            };
            await cutAfter(pages, 'changes');
            for (const count of cuts) await cutAfter(count, 'history');
            const client = await synced(a, tag, after);
            const known = new Map(sent);
            const reached = (id: string): number => newestSeq([...heard, ...client.frames], id);
            for (const [id, count] of known) {
              if (reached(id) < count)
                await client.next('message', (frame) => frame.conversationId === id && frame.seq >= count);
            }
            keep(client);
            await client.close();
            for (const id of made) expectWhole(heard, id);
          },
        ),
        { numRuns: soaking ? 300 : 12, endOnFailure: true },
      );
    } finally {
      stop.abort();
      await load;
    }
  },
  soaking ? 1_800_000 : 60_000,
);

const newestSeq = (frames: readonly ServerFrame[], id: string): number =>
  Math.max(
    0,
    ...chatsIn(frames).flatMap((chat) => (chat.conversationId === id ? [chat.seq] : [])),
    ...frames.flatMap((frame) => (frame.type === 'message' && frame.conversationId === id ? [frame.seq] : [])),
  );

/** A view covers what lies up to its seq, which history has on demand; each message after it, or of a new chat, has come. */
const expectWhole = (frames: readonly ServerFrame[], id: string): void => {
  let through: number | undefined;
  for (const frame of frames) {
    for (const chat of chatsIn([frame])) if (chat.conversationId === id) through = Math.max(through ?? 0, chat.seq);
    if (frame.type === 'conversation' && frame.conversationId === id) through ??= frame.visibleFrom;
    if (frame.type !== 'message' || frame.conversationId !== id) continue;
    if (through === undefined) throw new Error('a message of a chat that was not introduced');
    expect(frame.seq).toBeLessThanOrEqual(through + 1);
    through = Math.max(through, frame.seq);
  }
  expect(through).toBeDefined();
};

test('I6: it shows what the user may see, and of those it blocks no more than a seq', async () => {
  const [a, b, c] = [name(), name(), name()];
  const [ann, bob, cat] = [await live(a), await live(b), await live(c)];
  const [left, late, mixed] = await groups(ann, 3);
  for (const id of [left, late, mixed]) await say(ann, id ?? '', ['before']);
  for (const id of [left, late, mixed]) await ann.ask({ type: 'add-member', conversationId: id, user: { name: b } });
  await ann.ask({ type: 'add-member', conversationId: mixed, user: { name: c } });
  await ann.ask({ type: 'remove-member', conversationId: left, user: { name: b } });
  await cat.next('conversation');
  await say(cat, mixed ?? '', ['from somebody blocked']);
  await bob.save({ type: 'block', user: { name: c } });
  await inboxHasAll();

  const tablet = await synced(b, 'tablet');
  expect(chatsIn(tablet.frames)).toMatchObject([
    { conversationId: late, visibleFrom: 1, unread: 0, lastMessage: null },
    { conversationId: mixed, unread: 0, lastMessage: { seq: 2, state: 'hidden', content: null } },
  ]);
  expect(tablet.of('history')).toMatchObject([
    { conversationId: mixed, messages: [{ seq: 2, state: 'hidden', content: null }], isFirst: true },
    { conversationId: late, messages: [], isFirst: true },
  ]);
  expect(JSON.stringify(tablet.frames)).not.toContain('before');
});

test('I6: a block between two attempts hides what the pages before it showed', async () => {
  const [a, b] = [name(), name()];
  const [ann, bob] = [await live(a), await live(b)];
  const made = await groups(ann, 60, [{ name: b }]);
  for (const id of made) await say(bob, id, ['from somebody blocked']);
  await inboxHasAll();
  const cut = await startSync(a, 'tablet');
  const { next } = await cut.next('changes');
  cut.ws.terminate();
  await ann.save({ type: 'block', user: { name: b } });
  await inboxHasAll();
  const again = await synced(a, 'tablet', next);
  const last = new Map<string, { readonly state: string } | null>(
    chatsIn(again.frames).map(({ conversationId, lastMessage }) => [conversationId, lastMessage]),
  );
  expect(made.map((id) => last.get(id)?.state)).toEqual(made.map(() => 'hidden'));
  expect(JSON.stringify(again.frames)).not.toContain('from somebody blocked');
});

test('C15: a page of long texts is cut at its older end, so that a frame stays small; a single long one comes whole', async () => {
  const [a, b] = [name(), name()];
  const [ann, bob] = [await live(a), await live(b)];
  const [long, longest] = await groups(ann, 2, [{ name: b }]);
  await say(
    ann,
    long ?? '',
    Array.from({ length: 6 }, (_, n) => String(n).repeat(50_000)),
  );
  await say(ann, longest ?? '', ['short', '語'.repeat(100_000)]);
  await inboxHasAll();
  const tablet = await synced(b, 'tablet');
  const of = (id: string | undefined): ServerFrameOf<'history'> | undefined =>
    tablet.of('history').find(({ conversationId }) => conversationId === id);
  expect(of(long)?.messages.map(({ seq }) => seq)).toEqual([4, 5, 6]);
  expect(of(long)?.isFirst).toBe(false);
  expect(of(longest)?.messages.map(({ seq }) => seq)).toEqual([2]);
  expect(bob.of('message').length).toBe(8);
});

test('a cursor that is none is answered by reset, and a first sync from the beginning goes on', async () => {
  const client = await startSync(name(), 'phone', 'garbage');
  expect(await client.next('reset')).toMatchObject({ reason: 'malformed_cursor' });
  client.send({ type: 'first-sync', after: null });
  expect(await client.next('synced')).toMatchObject({ caughtUp: true });
});

test('an inbox that cannot be read costs a new device nothing: the log tells it everything', async () => {
  await using own = new AsyncDisposableStack();
  const sockets = await serveSockets(own);
  const ann = own.use(await WireClient.live(sockets.port, 'ann'));
  const { conversationId } = await ann.ask({ type: 'create-group', name: 'g', members: [] });
  await say(ann, conversationId, ['one', 'two']);
  const tablet = own.use(await WireClient.open(sockets.port, 'ann', 'tablet'));
  tablet.send({ type: 'first-sync', after: null });
  await tablet.next('synced', ({ caughtUp }) => caughtUp);
  expect(tablet.frames.map(({ type }) => type)).toEqual([
    'welcome',
    'conversation',
    'renamed',
    'message',
    'message',
    'synced',
  ]);
  expect(sockets.warnings).toEqual(['the inbox cannot be read: new devices are served from the log']);
});
