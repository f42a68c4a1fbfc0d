import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { soaking } from '../tests/seed.ts';
import { sendStateOf } from './marks.ts';
import type { Message } from './state.ts';
import { SimulatedClient } from './simulated-client.fixture.ts';
import { me, SimulatedServer, talks, type Refusal } from './simulated-server.fixture.ts';

const refusals: readonly Refusal[] = [
  { code: 'rate_limited', retry: 'after', retryAfterMs: 700 },
  { code: 'unavailable', retry: 'same_id' },
  { code: 'text_too_long', retry: 'never' },
];

const talk = fc.constantFrom(...talks);
const fault = fc.oneof(
  fc.record({ do: fc.constant('cut' as const), code: fc.constantFrom(1006, 1011, 1012, 4401, 4408) }),
  fc.record({ do: fc.constant('restart' as const), storedOnly: fc.boolean() }),
  fc.record({ do: fc.constant('lose' as const), at: fc.nat({ max: 3 }) }),
  fc.record({ do: fc.constant('double' as const), at: fc.nat({ max: 3 }) }),
  fc.record({ do: fc.constant('refuse' as const), refusal: fc.constantFrom(...refusals) }),
);
const event = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('send' as const), talk }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('hear' as const), talk }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('edit' as const), talk }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('read' as const), talk }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('deliver' as const),
      from: fc.constantFrom('answers' as const, 'events' as const),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('sync' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 2_000 }) }) },
  { weight: 3, arbitrary: fault },
);
type Happening = typeof event extends fc.Arbitrary<infer H> ? H : never;

interface Said {
  readonly talk: string;
  readonly text: string;
}

/** What an application shows that starts from what is held and then listens. */
class Shown {
  readonly messages = new Map<string, Message[]>(talks.map((id) => [id, []]));

  constructor({ core, told }: SimulatedClient) {
    for (const [id, { held, record }] of core.state.chats) {
      this.messages.set(
        id,
        held.filter(({ seq }) => seq <= record.through),
      );
    }
    expect(told).toEqual([]);
  }

  add({ told }: SimulatedClient): void {
    for (const effect of told) {
      if (effect.name !== 'message') continue;
      const { conversationId, message } = effect.event;
      this.messages.get(conversationId)?.push(message);
    }
  }
}

/** A device is up to date when it begins, or in its first sync: as the read models have it, or from the log without them. */
type Start = 'settled' | 'first sync' | 'first sync from the log';

const run = ({ start, happenings }: { readonly start: Start; readonly happenings: readonly Happening[] }) => {
  const server = new SimulatedServer();
  server.readsChats = start !== 'first sync from the log';
  const client = new SimulatedClient(server);
  const said: Said[] = [];
  if (start === 'settled') client.settle();
  else for (const id of [...talks, ...talks]) server.say(id, 'before');
  client.told = [];
  let shown = new Shown(client);
  let count = 0;
  const restart = (): void => {
    client.restart();
    shown = new Shown(client);
  };
  for (const one of happenings) {
    if (one.do === 'send') {
      const text = `mine ${count++}`;
      client.send(one.talk, text);
      // A send counts once the application was told that it is stored.
      client.flush();
      said.push({ talk: one.talk, text });
    } else if (one.do === 'hear') server.say(one.talk, `theirs ${count++}`);
    else if (one.do === 'edit') {
      const seq = server.messages(one.talk).length;
      if (seq > 0) server.edit(one.talk, seq, `changed ${count++}`);
    } else if (one.do === 'read') {
      const seq = server.messages(one.talk).length;
      if (seq > 0) server.read(one.talk, seq);
    } else if (one.do === 'deliver') {
      // What the one asks for, the other may need: mostly something is stored between two frames.
      for (let n = 0; n < one.count && client.deliver(one.from); n++) if (n % 2 === 0) client.flush();
    } else if (one.do === 'flush') client.flush();
    else if (one.do === 'sync') server.sync();
    else if (one.do === 'wait') client.wait(one.ms);
    else if (one.do === 'cut') client.cut(one.code, one.code === 1012 ? 'retry in 321 ms' : '');
    else if (one.do === 'lose')
      server.events = server.events.filter(({ type }, index) => index !== one.at || type !== 'message');
    else if (one.do === 'double') server.events.splice(one.at, 0, ...server.events.slice(one.at, one.at + 2));
    else if (one.do === 'refuse') server.refusals.push(one.refusal);
    else {
      if (one.storedOnly) client.flush(true);
      restart();
    }
  }
  server.refusals.length = 0;
  // Without it, a loss at the very end would leave no trace.
  for (const id of talks) server.say(id, 'the end');
  client.settle();
  for (const id of talks) server.read(id, server.messages(id).length);
  client.settle();
  shown.add(client);
  return { server, client, said, shown };
};

const textsOf = (messages: readonly { readonly content: unknown }[]): unknown[] =>
  messages.map(({ content }) => content);

describe('whatever is cut, lost, doubled, late or killed', () => {
  const scene = fc.record({
    start: fc.constantFrom<Start>('settled', 'first sync', 'first sync from the log'),
    happenings: fc.array(event, { minLength: 10, maxLength: 150, size: 'max' }),
  });
  const runs = { numRuns: soaking ? 50_000 : 1_000 };
  const timeoutMs = soaking ? 600_000 : 30_000;

  test(
    'C1, C2, I3: every message is shown once, in its order, and as it is now',
    () => {
      fc.assert(
        fc.property(scene, (given) => {
          const { server, client, shown } = run(given);
          for (const id of talks) {
            const now = server.views(id, 0);
            expect(shown.messages.get(id)?.map(({ seq }) => seq)).toEqual(now.map(({ seq }) => seq));
            const held = client.core.state.chats.get(id)?.held ?? [];
            expect(held.map(({ seq, messageId }) => ({ seq, messageId }))).toEqual(
              now.map(({ seq, messageId }) => ({ seq, messageId })),
            );
            expect(textsOf(held)).toEqual(textsOf(now));
          }
        }),
        runs,
      );
    },
    timeoutMs,
  );

  test(
    'C10, C12, I2: what was said is stored once, in the order it was said, or is shown as refused',
    () => {
      fc.assert(
        fc.property(scene, (given) => {
          const { server, client, said } = run(given);
          const failed = [...client.core.state.failed.values()].map(({ draft }) => draft);
          for (const id of talks) {
            const stored = server.messages(id).filter(({ by }) => by === me);
            const refused = new Set(
              failed.map((draft) => (draft.type === 'send' ? JSON.stringify(draft.content) : '')),
            );
            const meant = said.filter((one) => one.talk === id).map(({ text }) => ({ type: 'text', text }));
            expect(textsOf(stored)).toEqual(meant.filter((content) => !refused.has(JSON.stringify(content))));
          }
          expect(client.core.state.lanes.size).toBe(0);
        }),
        runs,
      );
    },
    timeoutMs,
  );

  test(
    'I8: what others wrote is confirmed in the end, and no state and no version ever goes back',
    () => {
      const order = ['sending', 'sent', 'delivered', 'read', 'failed'];
      fc.assert(
        fc.property(scene, (given) => {
          const { server, client } = run(given);
          for (const id of talks) {
            const theirs = server.messages(id).filter(({ by }) => by !== me);
            expect(server.marks.get(id)?.delivered ?? 0).toBeGreaterThanOrEqual(theirs.at(-1)?.seq ?? 0);
          }
          for (const { record, held } of client.core.state.chats.values()) {
            const ours = held.filter(({ by }) => by === me);
            expect(ours.map(({ seq }) => sendStateOf(record, seq, me))).toEqual(ours.map(() => 'read'));
          }
          const furthest = new Map<string, number>();
          for (const effect of client.told) {
            if (effect.name === 'changed') {
              const { conversationId, seq, version } = effect.event;
              expect(version).toBeGreaterThan(furthest.get(`${conversationId} ${seq}`) ?? 0);
              furthest.set(`${conversationId} ${seq}`, version);
            }
            if (effect.name !== 'outgoing') continue;
            const { messageId, state } = effect.event;
            expect(order.indexOf(state)).toBeGreaterThanOrEqual(furthest.get(messageId) ?? 0);
            furthest.set(messageId, order.indexOf(state));
          }
        }),
        runs,
      );
    },
    timeoutMs,
  );
});
