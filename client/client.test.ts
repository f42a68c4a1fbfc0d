import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { serveInProcess, type InProcessServer } from '../tests/in-process-server.ts';
import { signToken } from '../tests/tokens.ts';
import { WireClient } from '../tests/wire-client.ts';
import {
  connect,
  memoryStorage,
  ReadError,
  type Client,
  type ClientEvents,
  type Json,
  type Options,
} from './client.ts';
import { platformDefaults, type Platform } from './platform.ts';

const stack = new AsyncDisposableStack();
let server: InProcessServer;
beforeAll(async () => {
  server = await serveInProcess(stack);
});
afterAll(() => stack.disposeAsync());

let count = 0;
const newName = (): string => `user ${count++}`;

const open = async (name: string, options: Partial<Options> = {}): Promise<Client> => {
  const client = await connect({ url: server.address, token: () => signToken(name, 'phone'), ...options });
  onTestFinished(() => client.close());
  return client;
};

/** The next event of a name that fits. */
const next = <Name extends keyof ClientEvents>(
  client: Client,
  name: Name,
  fits: (event: ClientEvents[Name]) => boolean = () => true,
): Promise<ClientEvents[Name]> =>
  new Promise((resolve) => {
    const end = client.on(name, (event) => {
      if (!fits(event)) return;
      end();
      resolve(event);
    });
  });
const live = (client: Client) => next(client, 'connection', ({ status }) => status === 'live');

/** A platform that says what is open. */
const counted = () => {
  const defaults = platformDefaults();
  const timers = new Set<() => void>();
  const sockets: InstanceType<Platform['WebSocket']>[] = [];
  const platform: Partial<Platform> = {
    WebSocket: class extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    },
    setTimer(callBack, ms) {
      const cancel = defaults.setTimer(() => {
        timers.delete(cancel);
        callBack();
      }, ms);
      timers.add(cancel);
      return () => {
        timers.delete(cancel);
        cancel();
      };
    },
  };
  return { platform, timers, sockets };
};

describe('close', () => {
  test('leaves no timer, socket or listener, and says so to who waits for an answer', async () => {
    const { platform, timers, sockets } = counted();
    const client = await open(newName(), { platform });
    await live(client);
    let heard = 0;
    client.on('connection', () => heard++);
    const unanswered = client.startDirect({ name: 'nobody' });
    await client.close();
    expect(timers.size).toBe(0);
    expect(sockets).toHaveLength(1);
    expect(await unanswered.outcome).toMatchObject({ ok: false, code: 'closed' });
    expect(await client.startDirect({ name: 'nobody' }).outcome).toMatchObject({ ok: false, code: 'closed' });
    await expect(client.profiles([])).rejects.toThrow(ReadError);
    client.reconnect();
    await client.close();
    expect(heard).toBe(0);
    expect(timers.size).toBe(0);
  });

  test('while there is no server, likewise', async () => {
    const { platform, timers } = counted();
    const client = await open(newName(), { url: 'http://127.0.0.1:9', platform });
    await next(client, 'connection', ({ status }) => status === 'offline');
    await client.close();
    expect(timers.size).toBe(0);
  });
});

describe('the token', () => {
  test('is asked for anew at every connection', async () => {
    const name = newName();
    let asked = 0;
    const { platform, sockets } = counted();
    const client = await open(name, {
      platform,
      token: async () => {
        asked++;
        return signToken(name, 'phone');
      },
    });
    await live(client);
    sockets[0]?.close();
    await next(client, 'connection', ({ status }) => status === 'offline');
    client.reconnect();
    await live(client);
    expect(asked).toBe(2);
  });

  test('that is refused is told, and one that is good later connects', async () => {
    const name = newName();
    let token = 'bad';
    const client = await open(name, { token: () => token });
    expect(await next(client, 'unauthenticated')).toEqual({ message: 'unauthenticated' });
    token = signToken(name, 'phone');
    client.reconnect();
    await live(client);
    expect(client.userId).toHaveLength(22);
  });

  test('may not be had now: that is a connection that failed', async () => {
    const client = await open(newName(), { token: () => Promise.reject(new Error('no network')) });
    const { status } = await next(client, 'connection', (event) => event.status === 'offline');
    expect(status).toBe('offline');
  });

  test('is renewed before it expires, and the connection lives on', async () => {
    const name = newName();
    const fourSeconds = 4 / 3_600;
    const tokens = [signToken(name, 'phone', fourSeconds)];
    const { platform, sockets } = counted();
    const client = await open(name, { platform, token: () => tokens.shift() ?? signToken(name, 'phone') });
    await live(client);
    // It is ended with the token that the client had at first, or after it.
    const other = stack.use(await WireClient.open(server.port, name, 'tablet', signToken(name, 'tablet', fourSeconds)));
    expect(await other.ended).toMatchObject({ code: 4401 });
    expect(await client.changeProfile({ statusText: 'still here' }).outcome).toMatchObject({ ok: true });
    expect(sockets).toHaveLength(1);
  });

  test('that cannot be renewed now is asked for again, and the connection ends with the one it has', async () => {
    const name = newName();
    const answers = [(): string => signToken(name, 'phone', 4 / 3_600), () => Promise.reject(new Error('no network'))];
    let asked = 0;
    const client = await open(name, { token: () => (answers[asked++] ?? (() => signToken(name, 'phone')))() });
    await live(client);
    await next(client, 'connection', ({ status }) => status === 'offline');
    client.reconnect();
    await live(client);
    expect(asked).toBe(3);
  });

  test('of a read is asked for once more when it was refused', async () => {
    const name = newName();
    const tokens = [signToken(name, 'phone'), 'bad', signToken(name, 'phone')];
    const client = await open(name, { token: () => tokens.shift() ?? 'bad' });
    await live(client);
    expect((await client.blocks()).users).toEqual([]);
  });
});

test('a listener that throws keeps no other from hearing, and its error is not lost', async () => {
  const client = await open(newName());
  const failed = new Promise<unknown>((resolve) => {
    const before = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (error) => {
      for (const listener of before) process.on('uncaughtException', listener);
      resolve(error);
    });
  });
  const end = client.on('connection', () => {
    end();
    throw new Error('of the application');
  });
  await live(client);
  expect(await failed).toMatchObject({ message: 'of the application' });
});

test('what cannot be stored is not sent, and ends the client', async () => {
  const kept = new Map<string, Json>();
  const storage = memoryStorage(kept);
  let isFull = false;
  const client = await open(newName(), {
    storage: {
      ...storage,
      commit: (changes) => (isFull ? Promise.reject(new Error('quota')) : storage.commit(changes)),
    },
  });
  await live(client);
  isFull = true;
  const failed = next(client, 'storage-failed');
  const { outcome } = client.createGroup('tea', []);
  expect(await failed).toMatchObject({ error: { message: 'quota' } });
  expect(await outcome).toMatchObject({ ok: false, code: 'closed' });
  expect([...kept.keys()].filter((key) => key.startsWith('outbox'))).toEqual([]);
});

test('reads say what was wrong in a code', async () => {
  const client = await open(newName());
  await live(client);
  const missing = client.history('A'.repeat(22));
  await expect(missing).rejects.toMatchObject({ name: 'ReadError', code: 'conversation_not_found' });
  await expect(client.search('x', { limit: 1_000 })).rejects.toMatchObject({ code: 'invalid' });
  const away = await open(newName(), { url: 'http://127.0.0.1:9' });
  await expect(away.blocks()).rejects.toMatchObject({ code: 'unreachable' });
});

test('a whole conversation over the commands: members, roles, names, blocks, settings, a failed message tried again', async () => {
  const [ada, bob] = [newName(), newName()];
  const [one, other] = [await open(ada), await open(bob)];
  await Promise.all([live(one), live(other)]);
  const group = await one.createGroup('tea', [{ name: bob }]).outcome;
  const id = (group.ok ? group.answer.conversationId : null) ?? '';
  expect(await one.changeRole(id, { name: bob }, 'admin').outcome).toMatchObject({ ok: true });
  const renamed = next(other, 'chat', () => other.chat(id)?.name === 'coffee');
  one.rename(id, 'coffee');
  await renamed;
  expect(other.chat(id)?.members.map(({ role }) => role)).toEqual(['admin', 'admin']);

  const tooLong = one.send(id, 'x'.repeat(100_001));
  expect(await tooLong.outcome).toMatchObject({ ok: false, code: 'text_too_long' });
  expect(one.outgoing(id)).toMatchObject([{ messageId: tooLong.id, sendState: 'failed', code: 'text_too_long' }]);
  expect(await one.retry(tooLong.id)?.outcome).toMatchObject({ ok: false, code: 'text_too_long' });
  for (const { messageId } of one.outgoing(id)) one.discard(messageId);
  expect(one.outgoing(id)).toEqual([]);

  one.send(id, { type: 'location', latitude: 1, longitude: 2 });
  const said = await next(other, 'message');
  expect(await other.send(id, 'where?', { replyTo: said.message.seq }).outcome).toMatchObject({ ok: true });
  const hidden = next(other, 'changed', ({ state }) => state === 'hidden');
  const shown = hidden.then(() => next(other, 'changed', ({ state }) => state === 'shown'));
  await other.block(one.userId ?? '').outcome;
  expect(await hidden).toMatchObject({ seq: 1, content: null });
  await other.unblock(one.userId ?? '').outcome;
  expect(await shown).toMatchObject({ seq: 1, content: { type: 'location' } });

  const ended = next(other, 'chat-ended');
  one.removeMember(id, { name: bob });
  expect(await ended).toEqual({ conversationId: id });
  expect(other.chats()).toEqual([]);
});
