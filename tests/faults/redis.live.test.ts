import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../server-process.ts';
import { redisToEmpty } from '../servers/redis-to-empty.ts';
import { tokenSecret } from '../tokens.ts';
import { newId, WireClient } from '../wire-client.ts';
import {
  busOf,
  descriptorsOf,
  idOf,
  newStack,
  own,
  RestartedRedis,
  seenOnline,
  startOn,
  talking,
  watch,
} from './redis-scene.ts';

test('D12: chat goes on while Redis is killed and started again under load; presence comes back by itself', async (context) => {
  const stack = newStack();
  const redis = await RestartedRedis.start(stack);
  if (redis === undefined) return context.skip();
  const server = await startOn(redis.url, stack);
  const { ann, ben, conversationId } = await talking(server, stack);
  await watch(ann, ben);

  let said = 0;
  const say = async (count: number): Promise<void> => {
    for (const last = said + count; said < last; said++) {
      const messageId = newId();
      ann.text(conversationId, `text ${said}`, messageId);
      await ann.answerTo(messageId);
    }
    await ben.next('message', ({ seq }) => seq === said);
  };
  await say(50);
  // The connection by which it is asked counts too.
  await expect.poll(() => busOf(server)).toBe('ok');
  const before = descriptorsOf(server);
  for (let round = 0; round < 5; round++) {
    await redis.kill();
    await say(50);
    await expect.poll(() => busOf(server)).not.toBe('ok');
    await say(50);
    await redis.startAgain();
    await say(50);
    await expect.poll(() => busOf(server)).toBe('ok');
  }
  expect(ben.of('message').map(({ seq }) => seq)).toEqual(Array.from({ length: said }, (_, index) => index + 1));
  await expect.poll(() => descriptorsOf(server)).toBeLessThanOrEqual(before);

  // Who goes now is seen to go, by leases of the Redis of now.
  await ben.close();
  await seenOnline(ann, idOf(ben), false);
  stack.use(await WireClient.live(server.port, 'ben'));
  await seenOnline(ann, idOf(ben), true);
  expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
});

test('D12: a Redis that answers nothing any more holds up nobody, and is heard again when it goes on', async (context) => {
  const stack = newStack();
  const redis = await own(stack);
  if (redis === undefined) return context.skip();
  const server = await startOn(redis.url, stack);
  const { ann, ben, conversationId } = await talking(server, stack);
  await expect.poll(() => busOf(server)).toBe('ok');
  process.kill(redis.pid, 'SIGSTOP');
  let seq = 0;
  const say = async (): Promise<string> => {
    ann.text(conversationId, 'still here');
    seq++;
    await ben.next('message', (message) => message.seq === seq);
    return busOf(server);
  };
  await expect.poll(say).not.toBe('ok');
  process.kill(redis.pid, 'SIGCONT');
  await expect.poll(say).toBe('ok');
});

test('D12: FLUSHALL costs nobody a message, and nobody who is there is shown as gone', async (context) => {
  const url = await redisToEmpty(context);
  const stack = newStack();
  const server = await startOn(url, stack);
  const { Redis } = await import('ioredis');
  const redis = new Redis(url);
  stack.defer(() => redis.disconnect());
  const { ann, ben, conversationId } = await talking(server, stack);
  await watch(ann, ben);
  for (let seq = 1; seq <= 20; seq++) {
    await redis.flushall();
    ann.text(conversationId, `text ${seq}`);
    await ben.next('message', (message) => message.seq === seq);
  }
  const holdsBen = async (): Promise<boolean> =>
    (await redis.keys('{parley:*')).some((key) => key.endsWith(`:devices:${idOf(ben)}`));
  await expect.poll(holdsBen).toBe(true);
  const told = ann.of('presence').flatMap(({ users }) => users.map(({ online }) => online));
  expect(told.slice(told.indexOf(true))).toEqual([true]);
});

test('D12: a Redis that is away at the start is waited for beside the chat', async (context) => {
  const stack = newStack();
  const redis = await RestartedRedis.start(stack);
  if (redis === undefined) return context.skip();
  await redis.kill();
  const server = await startOn(redis.url, stack);
  const { ann, ben, conversationId } = await talking(server, stack);
  ann.text(conversationId, 'before Redis');
  await ben.next('message');
  expect(await busOf(server)).not.toBe('ok');
  ann.send({ type: 'subscribe-presence', users: [idOf(ben)] });
  await redis.startAgain();
  await seenOnline(ann, idOf(ben), true);
  await expect.poll(() => busOf(server)).toBe('ok');
});

const failedStart = async (bus: string, stack: AsyncDisposableStack) => {
  const folder = await temporaryFolder('redis-refused');
  stack.defer(() => folder.stop());
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../main/embedded.ts')], {
    env: { PARLEY_DATA: folder.path, PARLEY_PORT: '0', PARLEY_TOKEN_SECRET: tokenSecret, PARLEY_BUS: bus },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += String(text)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, said };
};

test('a user of Redis that may do what docs/distributed.md names is enough', async (context) => {
  const stack = newStack();
  const rights = '+@scripting +@pubsub +@connection +@sortedset +@hash +@keyspace +time +info';
  const user = ['parley', 'on', '>a-long-secret', '~{parley:*', '&parley:*', ...rights.split(' ')];
  const redis = await own(stack, ['--user', ...user]);
  if (redis === undefined) return context.skip();
  const server = await startOn(redis.url.replace('//', '//parley:a-long-secret@'), stack);
  const [ann, ben] = [
    stack.use(await WireClient.live(server.port, 'ann')),
    stack.use(await WireClient.live(server.port, 'ben')),
  ];
  await ann.ask({ type: 'start-direct', with: { name: 'ben' } });
  ann.send({ type: 'subscribe-presence', users: [idOf(ben)] });
  await seenOnline(ann, idOf(ben), true);
  await expect.poll(() => busOf(server)).toBe('ok');
  expect(server.output.filter((line) => line.includes('presence is not kept'))).toEqual([]);
});

test('O8: credentials, a database or a server that will not do end the start with one line and code 2', async (context) => {
  const stack = newStack();
  const redis = await own(stack, ['--requirepass', 'a-long-secret']);
  if (redis === undefined) return context.skip();
  const noRedis = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  }).listen(0, '127.0.0.1');
  await once(noRedis, 'listening');
  stack.defer(() => void noRedis.close());
  const { port } = noRedis.address() as AddressInfo;
  for (const [bus, cause] of [
    [redis.url, 'NOAUTH'],
    [redis.url.replace('//', '//:wrong-secret@'), 'WRONGPASS'],
    [`${redis.url.replace('//', '//:a-long-secret@')}/99`, 'DB index'],
    [`redis://127.0.0.1:${port}`, 'Unknown RESP type'],
    ['redis://', 'must be memory:'],
  ] as const) {
    const { code, said } = await failedStart(bus, stack);
    expect(said).toMatch(new RegExp(`^parley cannot start: PARLEY_BUS: .*${cause}.*\n$`));
    expect(said).not.toContain('secret');
    expect(code).toBe(2);
  }
});
