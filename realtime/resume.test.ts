import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeCursor, encodeCursor, logId } from '../schemas/position.ts';
import { serveInProcess, type InProcessServer } from '../tests/in-process-server.ts';
import { soaking } from '../tests/seed.ts';
import { WireClient } from '../tests/wire-client.ts';

/** Where what a device missed comes from: the ring of recent events, or the inbox and then the log on the disk. */
describe.each([
  ['from memory', {}],
  ['from the disk', { PARLEY_RECENT_EVENTS: '16' }],
])('%s', (_, settings) => {
  const stack = new AsyncDisposableStack();
  let server: InProcessServer;
  beforeAll(async () => {
    server = await serveInProcess(stack, settings);
  });
  afterAll(() => stack.disposeAsync());

  let people = 0;
  const name = (): string => `resumer ${people++}`;
  const live = async (user: string, device = 'phone', cursor: string | null = null): Promise<WireClient> =>
    stack.use(await WireClient.live(server.port, user, device, cursor));
  const chat = async () => {
    const [a, b] = [name(), name()];
    const [alice, bob] = [await live(a), await live(b)];
    const { conversationId } = await alice.ask({ type: 'start-direct', with: { name: b } });
    await bob.next('conversation');
    return { a, b, alice, bob, conversationId };
  };
  const seqs = (client: WireClient): number[] => client.of('message').map(({ seq }) => seq);
  const upTo = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);

  test('after a cursor comes everything behind it, once and in order, the own messages too; a null cursor means all', async () => {
    const { b, alice, bob, conversationId } = await chat();
    alice.text(conversationId, 'one');
    await bob.next('message');
    const { cursor } = await bob.next('synced');
    await bob.close();
    alice.text(conversationId, 'two');
    alice.text(conversationId, 'three');
    await alice.next('accepted', ({ seq }) => seq === 3);
    const again = await live(b, 'phone', cursor);
    expect(seqs(again)).toEqual([2, 3]);
    again.text(conversationId, 'four');
    await again.next('accepted');
    const tablet = await live(b, 'tablet');
    expect(tablet.frames.map(({ type }) => type)).toEqual([
      'welcome',
      'conversation',
      ...upTo(4).map(() => 'message'),
      'synced',
    ]);
  });

  test('synced names a place behind every frame written so far, and moves on within seconds', async () => {
    const { b, alice, bob, conversationId } = await chat();
    for (const seq of upTo(50)) alice.text(conversationId, `message ${seq}`);
    await bob.next('message', ({ seq }) => seq === 50);
    const { cursor } = await bob.next('synced');
    expect(seqs(await live(b, 'phone', cursor))).toEqual([]);
    // The sender's cursor moves with what was accepted, though no message frame came.
    const own = await alice.next('synced', (frame) => frame.cursor === cursor);
    expect(own.cursor).toBe(cursor);
  });

  test('a second resume on the same socket begins again from its cursor', async () => {
    const { alice, bob, conversationId } = await chat();
    alice.text(conversationId, 'one');
    await bob.next('message');
    bob.send({ type: 'resume', cursor: null });
    await bob.next('synced');
    expect(seqs(bob)).toEqual([1, 1]);
    alice.text(conversationId, 'two');
    await bob.next('message');
    expect(seqs(bob)).toEqual([1, 1, 2]);
  });

  describe('M4: a cursor that cannot be honoured is answered by reset, and the socket goes on', () => {
    const valid = (): [string, number] => {
      const { log, n } = server.eventLog.head();
      return [log, n];
    };
    test.each([
      ['malformed_cursor', () => 'garbage'],
      ['malformed_cursor', () => ''],
      ['malformed_cursor', () => `1.${valid()[0]}:-1`],
      ['malformed_cursor', () => `2.${valid()[0]}:1`],
      ['unknown_epoch', () => encodeCursor(new Map([[logId.parse('AAAAAAAAAAAAAAAAAAAAAA'), 1]]))],
      ['future_cursor', () => encodeCursor(new Map([[logId.parse(valid()[0]), valid()[1] + 1_000_000]]))],
    ])('%s', async (reason, cursor) => {
      const client = stack.use(await WireClient.open(server.port, name()));
      client.send({ type: 'resume', cursor: cursor() });
      expect(await client.next('reset')).toEqual({ type: 'reset', reason });
      client.send({ type: 'resume', cursor: null });
      await client.next('synced');
    });
  });

  test(
    'I3, I9: cut anywhere under load, a device that resumes has every message once and in order',
    async () => {
      const { a, b, alice, conversationId } = await chat();
      const stop = new AbortController();
      let sent = 0;
      const load = (async () => {
        while (!stop.signal.aborted) {
          alice.text(conversationId, `message ${++sent}`);
          if (sent % 16 === 0) await alice.next('accepted', ({ seq }) => (seq ?? 0) >= sent - 16);
        }
      })();
      let device = 0;
      try {
        await fc.assert(
          fc.asyncProperty(
            fc.constantFrom(a, b),
            fc.array(fc.record({ frames: fc.integer({ min: 1, max: 60 }), kill: fc.boolean() }), {
              minLength: 1,
              maxLength: 5,
            }),
            async (user, cuts) => {
              const tag = `device-${device++}`;
              const stored: number[] = [];
              let cursor: string | null = null;
              for (const { frames, kill } of cuts) {
                const client = await WireClient.open(server.port, user, tag);
                client.send({ type: 'resume', cursor });
                const wanted = stored.length + frames;
                await client.next('message', ({ seq }) => seq >= wanted);
                if (kill) client.ws.terminate();
                else client.ws.close();
                await client.ended;
                for (const frame of client.frames) {
                  if (frame.type === 'synced') ({ cursor } = frame);
                  if (frame.type === 'message' && frame.seq > stored.length) {
                    expect(frame.seq).toBe(stored.length + 1);
                    stored.push(frame.seq);
                  }
                }
                const onThisSocket = seqs(client);
                expect(onThisSocket).toEqual(upTo(onThisSocket.at(-1) ?? 0, onThisSocket[0]));
              }
            },
          ),
          { numRuns: soaking ? 2_000 : 30, endOnFailure: true },
        );
      } finally {
        stop.abort();
        await load;
      }
    },
    soaking ? 1_800_000 : 60_000,
  );

  test('N7: who reads nothing is put back to pulled catch-up at a bounded outbox, and has everything once it reads again', async () => {
    const { b, alice, conversationId } = await chat();
    const slow = await live(b, 'slow');
    slow.ws.pause();
    const text = 'x'.repeat(50_000);
    // More than the kernel holds for a peer that does not read, and the outbox with it.
    const count = 160;
    for (const seq of upTo(count)) {
      alice.text(conversationId, text);
      await alice.next('accepted', (frame) => frame.seq === seq);
    }
    const other = await live(b, 'other');
    if (seqs(other).length < count) await other.next('message', ({ seq }) => seq === count);
    expect(seqs(other)).toEqual(upTo(count));
    // On the way it was told how far it is: cut off there, it would not begin from the start again.
    const [told] = other.of('synced');
    if (told === undefined) throw new Error('never synced');
    const before = other.frames.slice(0, other.frames.indexOf(told)).filter(({ type }) => type === 'message').length;
    expect(before).toBeLessThan(count);
    const resumed = stack.use(await WireClient.open(server.port, b, 'other'));
    resumed.send({ type: 'resume', cursor: told.cursor });
    expect(await resumed.next('message')).toMatchObject({ seq: before + 1 });
    slow.ws.resume();
    await slow.next('message', ({ seq }) => seq === count);
    expect(seqs(slow)).toEqual(upTo(count));
    alice.text(conversationId, 'and live again');
    await slow.next('message', ({ seq }) => seq === count + 1);
    const { cursor } = await slow.next('synced');
    expect(decodeCursor(cursor)?.size).toBe(1);
  });
});
