import { expect, test } from 'vitest';
import type { ServerFrameOf } from '../schemas/frames.ts';
import { commandId } from '../schemas/ids.ts';
import { SimulatedClient } from './simulated-client.fixture.ts';
import { other, SimulatedServer, talks } from './simulated-server.fixture.ts';

const [talk] = talks;
if (talk === undefined) throw new Error('a talk is needed');

const connected = (): { server: SimulatedServer; client: SimulatedClient } => {
  const server = new SimulatedServer();
  const client = new SimulatedClient(server);
  client.settle();
  client.told = [];
  return { server, client };
};

const told = (client: SimulatedClient, name: 'presence' | 'typing'): unknown[] => {
  client.flush();
  return client.told.splice(0).flatMap((effect) => (effect.name === name ? [effect.event] : []));
};
const sent = (server: SimulatedServer, type: string): unknown[] =>
  server.ephemeral.splice(0).filter((frame) => frame.type === type);
const presence = (online: boolean, version: number): ServerFrameOf<'presence'> => {
  const state = { lastSeen: null, availability: 'available', statusText: null, live: true } as const;
  return { type: 'presence', users: [{ userId: other, online, version, ...state }] };
};

test('F43: our typing is told every three seconds at most, and to nobody while we are away', () => {
  const { server, client } = connected();
  const type = (): void => {
    client.take({ type: 'typing', conversationId: talk });
    client.flush();
  };
  type();
  client.wait(2_999);
  type();
  expect(sent(server, 'typing')).toHaveLength(1);
  client.wait(1);
  type();
  expect(sent(server, 'typing')).toHaveLength(1);
  client.cut();
  client.wait(10_000);
  client.take({ type: 'typing', conversationId: talk });
  client.settle();
  expect(sent(server, 'typing')).toHaveLength(0);
});

test('F43: typing of others ends with their message, or after five seconds', () => {
  const { server, client } = connected();
  const typing = { type: 'typing', conversationId: talk, by: other } as const;
  server.events.push(typing, typing);
  while (client.deliver('events'));
  expect(told(client, 'typing')).toEqual([{ conversationId: talk, userId: other, typing: true }]);
  server.say(talk, 'here it is');
  client.deliver('events');
  expect(told(client, 'typing')).toEqual([{ conversationId: talk, userId: other, typing: false }]);
  server.events.push(typing);
  client.deliver('events');
  client.wait(4_999);
  expect(told(client, 'typing')).toHaveLength(1);
  client.wait(1);
  expect(told(client, 'typing')).toEqual([{ conversationId: talk, userId: other, typing: false }]);
});

test('F41: whom one watches is named again on every connection, and not more often than the limiter likes', () => {
  const { server, client } = connected();
  const watch = (): void => {
    client.take({ type: 'watch', userIds: [other] });
    client.flush();
  };
  watch();
  watch();
  watch();
  expect(sent(server, 'subscribe-presence')).toHaveLength(1);
  client.wait(1_000);
  client.flush();
  expect(sent(server, 'subscribe-presence')).toHaveLength(1);
  server.answers.push({ type: 'error', code: 'rate_limited', message: '', limiter: 'presence', retryAfterMs: 7_000 });
  client.deliver('answers');
  client.wait(6_999);
  client.flush();
  expect(sent(server, 'subscribe-presence')).toHaveLength(0);
  client.cut();
  client.settle();
  expect(sent(server, 'subscribe-presence')).toHaveLength(1);
});

test('F41: of two states of a user the one with the greater version counts', () => {
  const { server, client } = connected();
  server.events.push(presence(true, 3), presence(false, 2), presence(false, 3));
  while (client.deliver('events'));
  expect(told(client, 'presence')).toMatchObject([{ online: true }, { online: false, version: 3 }]);
});

test('F69: who signs out is not connected any more, and does not come back', () => {
  const { server, client } = connected();
  const key = '01900000-0000-7000-8000-000000000001';
  client.take({ type: 'command', key, draft: { type: 'sign-out' } });
  client.flush();
  server.answers.push({ type: 'saved', commandId: commandId.parse(key), time: 0, chain: '', readAfter: '' });
  client.deliver('answers');
  client.flush();
  client.cut(4401);
  client.wait(3_600_000);
  expect(client.core.state.connection.phase).toBe('ended');
  expect(client.outcomes.get(key)).toMatchObject({ ok: true });
});
