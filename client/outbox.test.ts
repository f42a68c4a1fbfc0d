import { describe, expect, test } from 'vitest';
import { commandId } from '../schemas/ids.ts';
import { timeOfUuid } from '../schemas/uuid-v7.ts';
import { newId } from './outbox.ts';
import { SimulatedClient } from './simulated-client.fixture.ts';
import { SimulatedServer, talks, type Refusal } from './simulated-server.fixture.ts';

const [talk] = talks;
if (talk === undefined) throw new Error('a talk is needed');

const connected = (): { server: SimulatedServer; client: SimulatedClient } => {
  const server = new SimulatedServer();
  const client = new SimulatedClient(server);
  client.settle();
  client.told = [];
  return { server, client };
};
const textsIn = (server: SimulatedServer): unknown[] =>
  server.messages(talk).map(({ content }) => (content?.type === 'text' ? content.text : null));
const open = (client: SimulatedClient): string => {
  const key = newId(client.core, client.moment);
  client.take({ type: 'command', key, draft: { type: 'create-group', name: 'new', members: [] } });
  return key;
};

test('ids have the time of the server, whatever the clock here says', () => {
  const { server, client } = connected();
  expect(client.now).not.toBe(server.time);
  expect(timeOfUuid(newId(client.core, client.moment))).toBe(server.time);
});

test('C12: of one conversation one command is under way, and a refused one holds back those after it', () => {
  const { server, client } = connected();
  const refusal: Refusal = { code: 'rate_limited', retry: 'after', retryAfterMs: 5_000 };
  server.refusals.push(refusal);
  for (const text of ['one', 'two', 'three']) client.send(talk, text);
  client.flush();
  expect(server.answers).toHaveLength(1);
  client.deliver('answers');
  client.wait(4_999);
  client.flush();
  expect(server.answers).toHaveLength(0);
  client.wait(1);
  client.settle();
  expect(textsIn(server)).toEqual(['one', 'two', 'three']);
});

test('nothing goes out before it is stored', () => {
  const { server, client } = connected();
  client.send(talk, 'one');
  client.flush(true);
  expect(server.answers).toEqual([]);
  client.restart();
  client.settle();
  expect(textsIn(server)).toEqual(['one']);
});

test('a message refused for good stays as failed over a restart, holds back nothing, and goes when discarded', () => {
  const { server, client } = connected();
  server.refusals.push({ code: 'text_too_long', retry: 'never' });
  const key = client.send(talk, 'too long');
  client.send(talk, 'fits');
  client.settle();
  expect(textsIn(server)).toEqual(['fits']);
  expect(client.outcomes.get(key)).toMatchObject({ ok: false, code: 'text_too_long' });
  expect(client.told).toContainEqual(
    expect.objectContaining({ event: expect.objectContaining({ state: 'failed', code: 'text_too_long' }) as unknown }),
  );
  client.restart();
  expect([...client.core.state.failed.keys()]).toEqual([key]);
  client.take({ type: 'discard', key });
  client.flush();
  client.restart();
  expect(client.core.state.failed.size).toBe(0);
});

test('an id from the future gets another one of now, and the application hears of its own', () => {
  const { server, client } = connected();
  client.core.state.account = { ...client.core.state.account, ahead: 86_400_000 };
  server.refusals.push({ code: 'id_time_ahead', retry: 'after', serverTime: server.time });
  const key = client.send(talk, 'one');
  client.settle();
  const [stored] = server.messages(talk);
  expect(stored?.messageId).not.toBe(key);
  expect(timeOfUuid(stored?.messageId ?? '')).toBeLessThanOrEqual(server.time);
  expect(client.outcomes.get(key)).toMatchObject({ ok: true, answer: { seq: 1 } });
});

test('a command that needs a new token waits for a connection with one', () => {
  const { server, client } = connected();
  server.refusals.push({ code: 'unauthenticated', retry: 'after_login' });
  client.send(talk, 'one');
  client.flush();
  client.deliver('answers');
  expect(client.core.state.connection.phase).toBe('resting');
  client.settle();
  expect(textsIn(server)).toEqual(['one']);
});

describe('a conversation that is being opened', () => {
  test('takes what is said in it already, in order, over a restart', () => {
    const { server, client } = connected();
    client.cut();
    const provisional = open(client);
    client.send(provisional, 'one');
    const settings = { type: 'change-chat-settings', conversationId: provisional, pinned: true } as const;
    client.take({ type: 'command', key: newId(client.core, client.moment), draft: settings });
    client.send(provisional, 'two');
    client.flush();
    client.restart();
    client.flush();
    client.deliver('answers');
    client.flush();
    const answer = { conversationId: talk, time: 0, chain: '', readAfter: '' };
    const [waiting] = client.core.state.byId.values();
    server.answers.push({ type: 'accepted', commandId: commandId.parse(waiting?.item.id), ...answer });
    client.settle();
    // Who knows the provisional id only may go on with it.
    client.send(provisional, 'three');
    client.settle();
    expect(textsIn(server)).toEqual(['one', 'two', 'three']);
    expect(server.settings).toEqual([talk]);
    expect(client.told).toContainEqual(
      expect.objectContaining({ name: 'chat-opened', event: { provisional, conversationId: talk } }),
    );
  });

  test('and is refused takes with it what was said in it', () => {
    const { server, client } = connected();
    const provisional = open(client);
    const said = client.send(provisional, 'one');
    client.flush();
    const refused = { code: 'user_not_found', message: 'no such user', retry: 'never' } as const;
    server.answers.push({ type: 'rejected', commandId: provisional, ...refused });
    client.deliver('answers');
    client.flush();
    expect(client.outcomes.get(provisional)).toMatchObject({ ok: false, code: 'user_not_found' });
    expect(client.outcomes.get(said)).toMatchObject({ ok: false, code: 'user_not_found' });
    expect(client.core.state.lanes.size).toBe(0);
  });
});
