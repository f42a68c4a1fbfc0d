import { describe, expect, test } from 'vitest';
import { SimulatedClient } from './simulated-client.fixture.ts';
import { other, SimulatedServer, talks } from './simulated-server.fixture.ts';
import { unreadOf } from './chats.ts';

const [talk, second] = talks;
if (talk === undefined || second === undefined) throw new Error('two talks are needed');

const connected = (): { server: SimulatedServer; client: SimulatedClient } => {
  const server = new SimulatedServer();
  const client = new SimulatedClient(server);
  client.settle();
  client.told = [];
  return { server, client };
};

const hear = (server: SimulatedServer, client: SimulatedClient, count = 1): void => {
  for (let n = 0; n < count; n++) server.say(talk, 'theirs');
  while (client.deliver('events')) client.flush();
};
const unread = ({ core }: SimulatedClient): number => {
  const chat = core.state.chats.get(talk);
  return chat === undefined ? -1 : unreadOf(chat);
};

describe('confirming', () => {
  test('deliveries at most once a second, of the newest', () => {
    const { server, client } = connected();
    hear(server, client, 3);
    expect(server.answers.splice(0)).toHaveLength(1);
    client.take({ type: 'frame', number: 1, frame: { type: 'pong', time: 0 } });
    expect(server.marks.get(talk)).toEqual({ delivered: 1, read: 0 });
    // The answer was lost; the next one says all.
    client.cut();
    client.settle();
    expect(server.marks.get(talk)).toEqual({ delivered: 3, read: 0 });
  });

  test('within the second waits for its end', () => {
    const { server, client } = connected();
    hear(server, client);
    client.deliver('answers');
    hear(server, client);
    client.wait(999);
    client.flush();
    expect(server.marks.get(talk)?.delivered).toBe(1);
    client.wait(1);
    client.flush();
    expect(server.marks.get(talk)?.delivered).toBe(2);
  });

  test('reads at once, and one at a time', () => {
    const { server, client } = connected();
    hear(server, client, 3);
    client.deliver('answers');
    for (const seq of [1, 2, 3]) {
      client.take({ type: 'mark-read', conversationId: talk, seq });
      client.flush();
    }
    expect(server.answers).toHaveLength(1);
    expect(server.marks.get(talk)?.read).toBe(1);
    client.deliver('answers');
    client.flush();
    expect(server.marks.get(talk)?.read).toBe(3);
  });

  test('reads done offline outlive a restart', () => {
    const { server, client } = connected();
    hear(server, client, 3);
    client.cut();
    client.take({ type: 'mark-read', conversationId: talk, seq: Infinity });
    client.flush();
    client.restart();
    client.settle();
    expect(server.marks.get(talk)).toEqual({ delivered: 3, read: 3 });
  });

  test('nothing while catching up', () => {
    const { server, client } = connected();
    client.cut();
    for (let n = 0; n < 3; n++) server.say(talk, 'theirs');
    client.wait(1_000);
    client.flush();
    client.deliver('answers');
    client.flush();
    for (let n = 0; n < 3; n++) client.deliver('events');
    client.flush();
    expect(server.answers).toEqual([]);
    client.deliver('events');
    client.flush();
    expect(server.answers).toHaveLength(1);
  });

  test('marks that stand still, of whom we block, are not repeated', () => {
    const { server, client } = connected();
    hear(server, client);
    server.answers = [{ type: 'marked', conversationId: talk, delivered: 0, read: 0, time: 0, readAfter: '' }];
    client.deliver('answers');
    client.wait(5_000);
    client.flush();
    expect(server.answers).toEqual([]);
  });

  test('a limiter is obeyed, and what is refused for good is not repeated', () => {
    const { server, client } = connected();
    hear(server, client);
    const refused = { type: 'rejected', conversationId: talk, message: '' } as const;
    server.answers = [{ ...refused, code: 'rate_limited', retry: 'after', retryAfterMs: 4_000 }];
    client.deliver('answers');
    client.wait(3_999);
    client.flush();
    expect(server.answers).toEqual([]);
    client.wait(1);
    client.flush();
    expect(server.answers).toHaveLength(1);
    server.answers = [{ ...refused, code: 'message_not_found', retry: 'never' }];
    client.deliver('answers');
    client.wait(60_000);
    client.flush();
    expect(server.answers).toEqual([]);
  });
});

describe('C1, F24: a message of ours', () => {
  test('goes from sending to sent, delivered and read, and marks out of order change nothing', () => {
    const { server, client } = connected();
    client.send(talk, 'mine');
    client.flush();
    client.deliver('answers');
    const marks = (delivered: number, read: number): void => {
      server.events.push({
        type: 'receipts',
        conversationId: talk,
        marks: [{ userId: other, delivered, read }],
        time: 9,
      });
      client.deliver('events');
    };
    marks(1, 0);
    marks(0, 0);
    marks(1, 1);
    marks(1, 0);
    client.flush();
    const states = client.told.flatMap((effect) => (effect.name === 'outgoing' ? [effect.event.state] : []));
    expect(states).toEqual(['sending', 'sent', 'delivered', 'read']);
    expect(client.core.state.chats.get(talk)?.record.members[1]).toMatchObject({ deliveredAt: 9, readAt: 9 });
  });
});

describe('C5: unread', () => {
  test('counts what others wrote after the read mark and after our own last message', () => {
    const { server, client } = connected();
    hear(server, client, 3);
    expect(unread(client)).toBe(3);
    client.take({ type: 'mark-read', conversationId: talk, seq: 2 });
    expect(unread(client)).toBe(1);
    client.send(talk, 'mine');
    client.flush();
    while (client.deliver('answers')) client.flush();
    expect(unread(client)).toBe(0);
    hear(server, client, 2);
    expect(unread(client)).toBe(2);
  });

  test('does not count what was deleted', () => {
    const { server, client } = connected();
    hear(server, client, 3);
    server.events.push({ type: 'deleted', conversationId: talk, seq: 2, by: other, time: 0, version: 1 });
    client.deliver('events');
    expect(unread(client)).toBe(2);
  });

  test('of more than is held is what the server counts, and what came since', () => {
    const server = new SimulatedServer();
    const client = new SimulatedClient(server, { messages: 4, chats: 10 });
    client.settle();
    hear(server, client, 20);
    client.take({
      type: 'read-done',
      read: { name: 'chats', after: null, asOf: null },
      result: { ok: true, name: 'chats', chats: [server.chat(talk, 19)], profiles: [] },
    });
    expect(unread(client)).toBe(19);
    hear(server, client, 2);
    expect(unread(client)).toBe(21);
    client.take({ type: 'mark-read', conversationId: talk, seq: Infinity });
    expect(unread(client)).toBe(0);
  });
});
