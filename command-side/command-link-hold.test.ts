import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { commandLinksProtocol } from '../schemas/command-link.ts';
import { codeOf, CommandsUnderTest } from '../tests/commands-under-test.ts';
import { linkTo, ServedCommands } from '../tests/linked-commands.ts';
import { Proxy, together } from '../tests/proxy.ts';
import type { CommandAnswer } from './command-gateway.ts';
import type { LinkedCommands } from './command-link-session.ts';

const linked = ({ handler }: CommandsUnderTest): LinkedCommands => ({
  gateway: handler,
  presence: handler.presence,
  signIn: () => Promise.reject(new Error('nobody signs in here')),
});

/** A port of which nobody listens to now. */
const freePort = async (): Promise<number> => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
};

const scene = async (stack: AsyncDisposableStack) => {
  const commands = stack.use(await CommandsUnderTest.open());
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.direct(ada, bob);
  return { commands, ada, bob, conversation };
};

test('F58: what comes while no command side answers waits and is passed on in its order; only the log acknowledges it', async () => {
  await using stack = new AsyncDisposableStack();
  const { commands, ada, conversation } = await scene(stack);
  const port = await freePort();
  const link = stack.use(linkTo([`http://127.0.0.1:${port}`]));
  const texts = Array.from({ length: 50 }, (_, index) => `held ${index}`);
  let answered = 0;
  const answers = texts.map(async (text) => {
    const answer = await link.gateway.submit(ada, commands.send(conversation, text));
    answered++;
    return answer;
  });
  await expect.poll(() => link.state()[`command side http://127.0.0.1:${port}`]).toContain('ECONNREFUSED');
  expect(link.metric('parley_command_link_held')).toBe(50);
  expect(answered).toBe(0);
  expect(await commands.texts(conversation)).toEqual([]);

  stack.use(await ServedCommands.open(linked(commands), port));
  expect((await Promise.all(answers)).map(codeOf)).toEqual(texts.map(() => 'accepted'));
  expect(await commands.texts(conversation)).toEqual(texts);
  expect(link.metric('parley_command_link_held')).toBe(0);
});

test('F58: what waited for ten seconds is answered: unavailable, and with the same id it is sent again', async () => {
  await using stack = new AsyncDisposableStack();
  const { commands, ada, conversation } = await scene(stack);
  const port = await freePort();
  const link = stack.use(linkTo([`http://127.0.0.1:${port}`]));
  const send = commands.send(conversation, 'late');
  const first = link.gateway.submit(ada, send);
  const presence = link.presence.comeOnline(ada.userId);
  const signIn = link.signIn('a token');
  link.pass(10_000);
  expect(codeOf(await first)).toBe('unavailable');
  expect(await presence).toBe(false);
  expect(await signIn).toMatchObject({ ok: false, rejection: { code: 'unavailable' } });
  expect(link.metric('parley_command_link_unanswered_total{why="held_too_long"}')).toBe(3);

  stack.use(await ServedCommands.open(linked(commands), port));
  expect(codeOf(await link.gateway.submit(ada, send))).toBe('accepted');
  expect(await commands.texts(conversation)).toEqual(['late']);
});

test('F58: beyond ten thousand requests or 32 MiB that wait, the next is told at once that there is no room', async () => {
  await using stack = new AsyncDisposableStack();
  const { commands, ada, conversation } = await scene(stack);
  const address = `http://127.0.0.1:${await freePort()}`;
  for (const [text, most] of [
    ['small', 10_000],
    ['x'.repeat(90_000), 371],
  ] as const) {
    await using link = linkTo([address]);
    const codes: string[] = [];
    const asked = Array.from({ length: most + 1 }, async () => {
      codes.push(codeOf(await link.gateway.submit(ada, commands.send(conversation, text))));
    });
    await expect.poll(() => codes).toEqual(['busy']);
    expect(link.metric('parley_command_link_held')).toBe(most);
    link.close();
    await Promise.all(asked);
    expect(codes.slice(1).every((code) => code === 'unavailable')).toBe(true);
  }
});

test('D12: a command side that takes requests and answers none is left for another one', async () => {
  await using stack = new AsyncDisposableStack();
  const { commands, ada, conversation } = await scene(stack);
  const silent = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => commandLinksProtocol });
  stack.defer(async () => {
    for (const client of silent.clients) client.terminate();
    await new Promise((resolve) => silent.close(resolve));
  });
  await new Promise((resolve) => silent.once('listening', resolve));
  let taken = 0;
  silent.on('connection', (ws) => ws.on('message', () => taken++));
  const silentAddress = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const port = await freePort();
  const link = stack.use(linkTo([silentAddress, `http://127.0.0.1:${port}`]));
  const send = commands.send(conversation, 'hello');
  const answer = link.gateway.submit(ada, send);
  await expect.poll(() => taken).toBe(1);
  link.pass(15_000);
  expect(codeOf(await answer)).toBe('unavailable');
  expect(link.metric('parley_command_link_unanswered_total{why="under_way_too_long"}')).toBe(1);
  await expect.poll(() => link.state()[`command side ${silentAddress}`]).toBe('it answers nothing');

  stack.use(await ServedCommands.open(linked(commands), port));
  expect(codeOf(await link.gateway.submit(ada, send))).toBe('accepted');
});

test('N4, D12: a command side behind a dead network is cut off after two pings, and another one has what it had', async () => {
  await using stack = new AsyncDisposableStack();
  const { commands, ada, conversation } = await scene(stack);
  const served = stack.use(await ServedCommands.open(linked(commands)));
  let isDead = false;
  const carried: Socket[] = [];
  const proxy = stack.use(
    await Proxy.open(
      () => served.port,
      (client, upstream) => {
        together(client, upstream);
        carried.push(client);
        client.on('data', (bytes) => isDead || upstream.write(bytes));
        upstream.on('data', (bytes) => isDead || client.write(bytes));
      },
    ),
  );
  const through = `http://127.0.0.1:${proxy.port}`;
  const link = stack.use(linkTo([through]));
  expect(codeOf(await link.gateway.submit(ada, commands.send(conversation, 'before')))).toBe('accepted');
  isDead = true;
  const send = commands.send(conversation, 'into the void');
  const answer: Promise<CommandAnswer> = link.gateway.submit(ada, send);
  await expect.poll(() => link.metric(`parley_command_link_under_way{address="${through}"}`)).toBe(1);
  for (let ping = 0; ping < 3; ping++) link.pass(2_500);
  await expect.poll(() => link.warnings).toContain('a command side is away');
  isDead = false;
  expect(codeOf(await answer)).toBe('accepted');
  expect(await commands.texts(conversation)).toEqual(['before', 'into the void']);
  expect(carried.length).toBeGreaterThan(1);
  expect(link.metric('parley_command_link_given_again_total')).toBe(1);
});
