import { once } from 'node:events';
import { request } from 'node:http';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { commandLinksPath, commandLinksProtocol, linkMessageBytes, mostLinkRequests } from '../schemas/command-link.ts';
import { userId, uuidV7 } from '../schemas/ids.ts';
import { accepted, codeOf, CommandsUnderTest } from '../tests/commands-under-test.ts';
import { internalToken, linkTo, ServedCommands } from '../tests/linked-commands.ts';
import type { CommandAnswer } from './command-gateway.ts';
import type { LinkedCommands } from './command-link-session.ts';
import { rendezvous } from './command-link-routing.ts';

const linked = ({ handler }: Pick<CommandsUnderTest, 'handler'>): LinkedCommands => ({
  gateway: handler,
  presence: handler.presence,
  signIn: () => Promise.reject(new Error('nobody signs in here')),
});

/** Never answers. */
class Mute implements LinkedCommands {
  begun = 0;
  readonly #wait = (): Promise<never> => {
    this.begun++;
    return new Promise(() => undefined);
  };
  readonly gateway = { submit: this.#wait };
  readonly presence = { comeOnline: this.#wait, goOffline: this.#wait };
  readonly signIn = this.#wait;
}

const upgradeStatus = (port: number, headers: Readonly<Record<string, string>>, path = commandLinksPath) =>
  new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    const asked = request({
      port,
      host: '127.0.0.1',
      path,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
        ...headers,
      },
    });
    asked.on('response', (response) => {
      let body = '';
      response.on('data', (bytes: Buffer) => (body += bytes.toString()));
      response.on('end', () => resolve({ status: response.statusCode, body }));
    });
    asked.on('upgrade', ({ statusCode }, socket) => {
      socket.destroy();
      resolve({ status: statusCode, body: '' });
    });
    asked.on('error', reject);
    asked.end();
  });

const connected = async (port: number): Promise<WebSocket> => {
  const ws = new WebSocket(`ws://127.0.0.1:${port}${commandLinksPath}`, commandLinksProtocol, {
    headers: { authorization: `Bearer ${internalToken}` },
    perMessageDeflate: false,
  });
  // What ends it shows in the close that follows.
  ws.on('error', () => undefined);
  await once(ws, 'open');
  return ws;
};

test('the door of a command side opens to the internal token alone, and to nobody while it drains', async () => {
  await using served = await ServedCommands.open(new Mute());
  const { port } = served;
  const protocol = { 'sec-websocket-protocol': commandLinksProtocol };
  const token = { authorization: `Bearer ${internalToken}` };
  for (const authorization of ['', 'Bearer', `Bearer ${internalToken}x`, `Bearer ${internalToken.slice(1)}`, 'Basic x'])
    expect(await upgradeStatus(port, { ...protocol, authorization })).toEqual({ status: 401, body: '' });
  expect(await upgradeStatus(port, protocol)).toEqual({ status: 401, body: '' });
  expect(await upgradeStatus(port, token)).toEqual({ status: 426, body: '' });
  expect(await upgradeStatus(port, { ...token, 'sec-websocket-protocol': 'parley-commands.99' })).toMatchObject({
    status: 426,
  });
  expect(await upgradeStatus(port, { ...token, ...protocol }, '/v1/socket')).toMatchObject({ status: 404 });
  expect(await upgradeStatus(port, { ...token, ...protocol })).toMatchObject({ status: 101 });
  await served.links.drain();
  expect(await upgradeStatus(port, { ...token, ...protocol })).toMatchObject({ status: 503 });

  await using link = linkTo([served.address], 'another token of 32 characters, wrong');
  await expect.poll(() => Object.values(link.state())[0]).toContain('401');
});

test('D12: a drain of one command side reaches no client: what it refuses goes to the other, in its order', async () => {
  await using stack = new AsyncDisposableStack();
  const commands = stack.use(await CommandsUnderTest.open());
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversations = await Promise.all(
    Array.from({ length: 8 }, async (_, index) => {
      const other = await commands.user(`user ${index}`);
      return commands.direct(ada, other);
    }),
  );
  const second = commands.newHandler();
  stack.defer(() => second.drain());
  const services = [linked(commands), linked({ handler: second })];
  const served = await Promise.all(services.map((each) => ServedCommands.open(each)));
  for (const each of served) stack.use(each);
  const link = stack.use(linkTo(served.map(({ address }) => address)));
  await expect.poll(() => Object.values(link.state())).toEqual(['ok', 'ok']);

  const answers: Promise<CommandAnswer>[] = [];
  const send = (from: number, count: number): void => {
    for (let index = from; index < from + count; index++)
      for (const conversation of conversations)
        answers.push(link.gateway.submit(ada, commands.send(conversation, `message ${index}`)));
  };
  send(0, 50);
  await new Promise(setImmediate);
  const drained = served[0]?.drain();
  send(50, 50);
  await answers[0];
  send(100, 50);
  await drained;
  send(150, 50);

  for (const answer of answers) accepted(await answer);
  const texts = Array.from({ length: 200 }, (_, index) => `message ${index}`);
  for (const conversation of conversations) expect(await commands.texts(conversation)).toEqual(texts);
  expect(await link.presence.comeOnline(bob.userId)).toBe(true);
  await expect.poll(() => Object.values(link.state())[0]).not.toBe('ok');
});

test('D12: `draining` of a command side is not told while another one can be had', async () => {
  await using stack = new AsyncDisposableStack();
  const commands = stack.use(await CommandsUnderTest.open());
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.direct(ada, bob);
  const draining = commands.newHandler();
  await draining.drain();
  const first = stack.use(await ServedCommands.open(linked({ handler: draining })));
  const link = stack.use(linkTo([first.address]));
  const answer = link.gateway.submit(ada, commands.send(conversation, 'hello'));
  await expect.poll(() => link.metric('parley_command_link_given_again_total')).toBeGreaterThan(0);
  const { port } = first;
  await first.drain();
  stack.use(await ServedCommands.open(linked(commands), port));
  expect(codeOf(await answer)).toBe('accepted');
});

test('hostile bytes on the internal socket end their connection and nothing else', async () => {
  await using commands = await CommandsUnderTest.open();
  await using served = await ServedCommands.open(linked(commands));
  const most = linkMessageBytes;
  const hostile: readonly (string | Buffer)[] = [
    '',
    'null',
    '{}',
    '[[1]]',
    '[["1",{}]]',
    '[[1,{}],[2]]',
    '[1e999]',
    '\u0000',
    Buffer.from('[]'),
    '['.repeat(most - 1),
    `[${'[],'.repeat(most / 3 - 10)}[]]`,
    `[[1,{"is":"command","command":{"members":[${'0,'.repeat(most / 2 - 100)}0]}}]]`,
    'x'.repeat(most + 1),
    `[${Array.from({ length: 513 }, (_, number) => `[${number},0]`).join()}]`,
  ];
  for (const bytes of hostile) {
    const ws = await connected(served.port);
    const closed = once(ws, 'close');
    ws.send(bytes);
    await closed;
  }
  expect(served.warnings).toHaveLength(hostile.length);

  // What is not understood of a right message is refused by its number.
  const ws = await connected(served.port);
  ws.send('[[7,{"is":"erase"}],[8,null],[9,{"is":"go-offline","user":"me","lastSeen":1}]]');
  const [answer] = (await once(ws, 'message')) as [Buffer];
  const refused = [7, 8, 9].map((number) => [
    number,
    { is: 'refused', rejection: { code: 'unavailable', message: expect.any(String) as string } },
  ]);
  expect(JSON.parse(answer.toString())).toEqual(refused);
  ws.terminate();
  await using link = linkTo([served.address]);
  const ada = await commands.user('ada');
  expect(await link.presence.comeOnline(ada.userId)).toBe(true);
});

test('a process that hands over more than it may is not read from until it has answers', async () => {
  const mute = new Mute();
  await using served = await ServedCommands.open(mute);
  const ws = await connected(served.port);
  const user = userId.parse('AAAAAAAAAAAAAAAAAAAAAA');
  const batch = (of: number): string =>
    `[${Array.from({ length: 500 }, (_, index) => JSON.stringify([of * 500 + index, { is: 'come-online', user }])).join()}]`;
  for (let of = 0; of < 200; of++) ws.send(batch(of));
  await expect.poll(() => mute.begun).toBeGreaterThanOrEqual(mostLinkRequests);
  // The bytes that the kernel does not take stay with the sender.
  expect(ws.bufferedAmount).toBeGreaterThan(0);
  expect(mute.begun).toBeLessThan(mostLinkRequests + 5_000);
  ws.terminate();
});

test('F57: lanes spread over the command sides that are there, and only those of one that goes away move', () => {
  const peers = ['http://a:8080', 'http://b:8080', 'http://c:8080'].map((address) => ({ address, isOpen: true }));
  const route = rendezvous(peers);
  const lanes = Array.from({ length: 3_000 }, (_, index) => uuidV7(index, new Uint8Array(10).fill(index % 251)));
  const before = lanes.map(route);
  for (const peer of peers) {
    expect(before.filter((one) => one === peer).length).toBeGreaterThan(850);
    peer.isOpen = false;
    for (const [index, lane] of lanes.entries())
      if (before[index] === peer) expect(route(lane)?.isOpen).toBe(true);
      else expect(route(lane)).toBe(before[index]);
    peer.isOpen = true;
  }
  // Two processes agree whatever the order of their settings.
  const other = rendezvous([...peers].reverse());
  fc.assert(fc.property(fc.string(), (lane) => other(lane) === route(lane)));
  for (const peer of peers) peer.isOpen = false;
  expect(route('a lane')).toBeUndefined();
});
