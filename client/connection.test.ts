import { describe, expect, test } from 'vitest';
import { backoff } from './connection.ts';
import { SimulatedClient } from './simulated-client.fixture.ts';
import { SimulatedServer, talks } from './simulated-server.fixture.ts';
import { wakesAt } from './step.ts';

const [talk = talks[0]] = talks;
if (talk === undefined) throw new Error('a talk is needed');

const connected = (): { server: SimulatedServer; client: SimulatedClient } => {
  const server = new SimulatedServer();
  const client = new SimulatedClient(server);
  client.settle();
  client.told = [];
  return { server, client };
};

/** The longest waits after failures in a row; chance only shortens them. */
const longest = { now: 0, randomBytes: (count: number) => new Uint8Array(count).fill(255) };

const statuses = ({ told }: SimulatedClient): unknown[] =>
  told.flatMap((effect) => (effect.name === 'connection' ? [effect.event.status] : []));

test('C14: the backoff has full jitter, doubles, and ends at 30 s', () => {
  expect([0, 1, 2, 3, 4, 5, 6, 60].map((attempts) => backoff(attempts, longest))).toEqual([
    1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000,
  ]);
  expect(backoff(9, { now: 0, randomBytes: (count) => new Uint8Array(count) })).toBe(1);
});

describe('C14: how often it failed is forgotten', () => {
  test('only when a handshake was completed', () => {
    const { client } = connected();
    client.cut();
    for (let failures = 1; failures < 4; failures++) {
      expect(client.core.state.failures).toBe(failures);
      client.wait(30_000);
      expect(client.core.state.connection.phase).toBe('opening');
      client.cut();
    }
    client.wait(30_000);
    client.flush();
    client.deliver('answers');
    expect(client.core.state.failures).toBe(4);
    client.cut();
    expect(client.core.state.failures).toBe(1);
  });

  test.each([1011, 1013, 4429])('not after a close that asks to come later: %i', (code) => {
    const { client } = connected();
    for (let failures = 1; failures < 4; failures++) {
      client.cut(code);
      expect(client.core.state.failures).toBe(failures);
      client.wait(30_000);
      client.flush();
      client.deliver('answers');
      expect(client.core.state.connection.phase).toBe('open');
    }
  });
});

test('the wait of a server that restarts is kept to the millisecond', () => {
  const { client } = connected();
  client.cut(1012, 'retry in 12345 ms');
  expect(client.core.state.connection).toEqual({ phase: 'resting', until: client.now + 12_345 });
});

test.each([1002, 1003, 1007, 1009])('it does not come back after %i', (code) => {
  const { client } = connected();
  client.cut(code);
  client.wait(3_600_000);
  client.flush();
  expect(client.core.state.connection).toEqual({ phase: 'ended' });
  expect(statuses(client)).toEqual(['ended']);
  expect(wakesAt(client.core)).toBe(Infinity);
});

test('a handshake that does not end is given up, and the server asked why', () => {
  const { client } = connected();
  client.cut();
  client.wait(1_000);
  const { connection } = client.core.state;
  client.wait(20_000);
  expect(connection.phase).toBe('opening');
  expect(client.core.state.connection.phase).toBe('resting');
  expect(client.core.effects).toContainEqual({ type: 'read', read: { name: 'probe' } });
});

test('the server is told to be waited for: its Retry-After counts when it is longer than the backoff', () => {
  const { client } = connected();
  client.cut();
  client.take({
    type: 'read-done',
    read: { name: 'probe' },
    result: { ok: false, code: 'draining', retry: 'after', retryAfterMs: 50_000 },
  });
  expect(client.core.state.connection).toEqual({ phase: 'resting', until: client.now + 50_000 });
});

test('a refused token is told, and the next connection asks for another', () => {
  const { client } = connected();
  client.cut();
  const result = { ok: false, code: 'unauthenticated', retry: 'after_login', retryAfterMs: 0 } as const;
  client.take({ type: 'read-done', read: { name: 'probe' }, result });
  client.flush();
  expect(client.told.map(({ name }) => name)).toContain('unauthenticated');
  client.wait(1_000);
  expect(client.core.state.connection.phase).toBe('opening');
});

test('N1: a silent connection is asked, and ended if nothing comes', () => {
  const { server, client } = connected();
  client.wait(29_999);
  expect(client.core.effects).toEqual([]);
  client.wait(1);
  expect(client.core.effects).toContainEqual(expect.objectContaining({ frame: { type: 'ping' } }));
  server.answers.push({ type: 'pong', time: 0 });
  client.deliver('answers');
  client.wait(59_999);
  expect(client.core.state.connection.phase).toBe('open');
  client.wait(1);
  expect(client.core.state.connection.phase).toBe('resting');
});

test('nothing of a connection that is over is heard any more', () => {
  const { server, client } = connected();
  const { connection } = client.core.state;
  const number = 'number' in connection ? connection.number : 0;
  client.cut();
  client.take({ type: 'frame', number, frame: server.say(talk, 'late') });
  client.take({ type: 'closed', number, code: 1009, reason: '' });
  expect(client.core.state.chats.get(talk)?.held).toEqual([]);
  expect(client.core.state.connection.phase).toBe('resting');
});

test('a storage of somebody else is neither shown nor sent', () => {
  const { server, client } = connected();
  client.send(talk, 'a secret');
  client.cut();
  client.core.state.account = { ...client.core.state.account, userId: 'somebody else' };
  client.wait(30_000);
  client.flush();
  client.deliver('answers');
  client.flush();
  expect(statuses(client)).toContain('ended');
  expect(server.messages(talk)).toEqual([]);
});

test('M4: a reset drops what came from the server, and what is to be said stays', () => {
  const { server, client } = connected();
  server.say(talk, 'hello');
  client.settle();
  client.cut();
  client.send(talk, 'mine');
  client.wait(30_000);
  client.flush();
  server.answers.push({ type: 'reset', reason: 'unknown_epoch' });
  client.deliver('answers');
  client.deliver('answers');
  expect(client.core.state.chats.size).toBe(0);
  expect(client.core.state.account.cursor).toBeNull();
  client.settle();
  expect(client.core.state.chats.get(talk)?.held.map(({ content }) => content)).toEqual([
    { type: 'text', text: 'hello' },
    { type: 'text', text: 'mine' },
  ]);
  expect(client.told.map(({ name }) => name)).toContain('reset');
});

test('waiting is passed on', () => {
  const { server, client } = connected();
  server.answers.push({ type: 'waiting', for: 'log' });
  client.deliver('answers');
  client.flush();
  expect(statuses(client)).toEqual(['waiting']);
});
