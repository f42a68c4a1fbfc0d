import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CommandAnswer, CommandGateway } from '../command-side/command-gateway.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { CommandSide } from '../command-side/command-side.ts';
import { newEvent } from '../event-log/chats.fixture.ts';
import { commandId, type UserId } from '../schemas/ids.ts';
import { encodeCursor } from '../schemas/position.ts';
import { kindOf, userStream } from '../schemas/streams.ts';
import { accepted, conversationOf } from '../tests/commands-under-test.ts';
import { asPort, serveSockets } from '../tests/sockets-under-test.ts';
import { signToken } from '../tests/tokens.ts';
import type { SignIn } from './sign-in.ts';
import { newId, WireClient } from '../tests/wire-client.ts';

let stack: AsyncDisposableStack;
beforeEach(() => (stack = new AsyncDisposableStack()));
afterEach(() => stack.disposeAsync());

const block = (): object => ({ type: 'block', commandId: newId(), user: { name: 'somebody' } });
const answersAPing = async (client: WireClient): Promise<void> => {
  client.send({ type: 'ping' });
  await client.next('pong');
};

/** A log whose reads of conversations wait for `released`. */
const holdingConversations =
  (reading: PromiseWithResolvers<undefined>, released: () => Promise<undefined>) =>
  (log: EventLog): EventLog => ({
    ...asPort(log),
    async readStream(stream, ...read) {
      if (kindOf(stream) === 'conversation') {
        reading.resolve(undefined);
        await released();
      }
      return log.readStream(stream, ...read);
    },
  });

test('a socket paused for its commands is read again, also when their answers filled its outbox', async () => {
  const big: CommandAnswer = {
    ok: true,
    done: { type: 'saved', time: 0, chain: 'x'.repeat(100_000), readAfter: '' },
  };
  const atOnce = 256;
  const begun = Promise.withResolvers<undefined>();
  const release = Promise.withResolvers<CommandAnswer>();
  let commands = 0;
  const slow: CommandGateway = {
    submit() {
      if (++commands === atOnce) begun.resolve(undefined);
      return release.promise;
    },
  };
  const { port } = await serveSockets(stack, { gateway: () => slow });
  const client = stack.use(await WireClient.open(port, 'busy'));
  client.ws.pause();
  for (let i = 0; i < atOnce; i++) client.send(block());
  await begun.promise;
  release.resolve(big);
  await release.promise;
  client.ws.resume();
  await answersAPing(client);
  expect(client.of('saved')).toHaveLength(atOnce);
});

describe('a fault of the gateway, which never throws, is an answer all the same', () => {
  test.each([
    [
      'thrown',
      (): Promise<CommandAnswer> => {
        throw new Error('thrown');
      },
    ],
    ['rejected', (): Promise<CommandAnswer> => Promise.reject(new Error('rejected'))],
  ])('%s', async (_what, submit) => {
    const { port, warnings } = await serveSockets(stack, { gateway: () => ({ submit }) });
    const client = stack.use(await WireClient.open(port, 'unlucky'));
    const commandId = newId();
    client.send({ ...block(), commandId });
    expect(await client.answerTo(commandId)).toMatchObject({ type: 'rejected', code: 'internal', retry: 'same_id' });
    expect(warnings).toEqual(['a command failed']);
    await answersAPing(client);
  });
});

test('resumes are bounded as commands are: what is under way is read no further, and goes on afterwards', async () => {
  const held: (() => void)[] = [];
  let isHeld = true;
  const reads = (log: EventLog): EventLog => ({
    ...asPort(log),
    async readStream(...read) {
      if (isHeld) await new Promise<void>((resolve) => held.push(resolve));
      return log.readStream(...read);
    },
  });
  const { port } = await serveSockets(stack, { log: reads });
  const [client, other] = [await WireClient.open(port, 'eager'), await WireClient.open(port, 'other')];
  stack.use(client);
  stack.use(other);
  for (let i = 0; i < 2_000; i++) client.send({ type: 'resume', cursor: null });
  client.send({ type: 'ping' });
  while (held.length < 256) await answersAPing(other);
  for (let i = 0; i < 5; i++) await answersAPing(other);
  expect(client.of('pong')).toEqual([]);
  isHeld = false;
  for (const release of held) release();
  await client.next('pong');
  await client.next('synced');
});

test('a resume that another one followed gives nothing more, wherever it was cut off', async () => {
  const reading = Promise.withResolvers<undefined>();
  const release = Promise.withResolvers<undefined>();
  const reads = holdingConversations(reading, () => release.promise);
  let cursor = '';
  const before = async ({ signIn, gateway }: CommandSide, log: EventLog): Promise<void> => {
    const [ann, ben] = [await signIn(signToken('ann', 'phone')), await signIn(signToken('ben', 'phone'))];
    if (!ann.ok || !ben.ok) throw new Error('not signed in');
    const started = await gateway.submit(ann.caller, {
      type: 'start-direct',
      commandId: commandId.parse(newId()),
      with: ben.caller.userId,
    });
    const conversationId = conversationOf(started);
    for (const text of ['one', 'two']) {
      const messageId = commandId.parse(newId());
      const content = { type: 'text' as const, text };
      accepted(await gateway.submit(ann.caller, { type: 'send', messageId, conversationId, content }));
      const { log: id, n } = log.head();
      cursor ||= encodeCursor(new Map([[id, n]]));
    }
  };
  const { port } = await serveSockets(stack, { log: reads, before });
  stack.defer(() => release.resolve(undefined));
  const client = stack.use(await WireClient.open(port, 'ben'));
  client.send({ type: 'resume', cursor: null });
  await reading.promise;
  client.send({ type: 'resume', cursor });
  await answersAPing(client);
  release.resolve(undefined);
  await client.next('synced');
  await answersAPing(client);
  expect(client.frames.map(({ type }) => type)).toEqual(['welcome', 'pong', 'message', 'synced', 'pong']);
  expect(client.of('message')).toMatchObject([{ seq: 2 }]);
});

test('who was erased while it was let in is ended when it resumes', async () => {
  const signedIn = Promise.withResolvers<UserId>();
  const letIn = Promise.withResolvers<undefined>();
  const signIn =
    (check: SignIn): SignIn =>
    async (token) => {
      const answer = await check(token);
      if (!answer.ok || answer.caller.deviceId !== 'late') return answer;
      signedIn.resolve(answer.caller.userId);
      await letIn.promise;
      return answer;
    };
  const { port, commands } = await serveSockets(stack, { signIn });
  const [ann, ben] = [await WireClient.live(port, 'ann'), await WireClient.live(port, 'ben')];
  stack.use(ann);
  stack.use(ben);
  const opening = WireClient.open(port, 'leaver', 'late');
  await commands.log.append(userStream(await signedIn.promise), [newEvent({ type: 'user-erased' })], 0);
  // What comes after it in the log is delivered, so the router has seen it.
  await ann.ask({ type: 'start-direct', with: { name: 'ben' } });
  await ben.next('conversation');
  letIn.resolve(undefined);
  const leaver = stack.use(await opening);
  leaver.send({ type: 'resume', cursor: null });
  expect(await leaver.ended).toMatchObject({ code: 4401 });
});

test('events of all kinds behind one whose members are not known yet hold up nothing', async () => {
  let release = Promise.withResolvers<undefined>();
  release.resolve(undefined);
  const reading = Promise.withResolvers<undefined>();
  const reads = holdingConversations(reading, () => release.promise);
  const chats: string[] = [];
  const before = async ({ signIn, gateway }: CommandSide): Promise<void> => {
    const ann = await signIn(signToken('ann', 'phone'));
    if (!ann.ok) throw new Error('not signed in');
    for (const name of ['ben', 'cat']) {
      const other = await signIn(signToken(name, 'phone'));
      if (!other.ok) throw new Error('not signed in');
      const start = { type: 'start-direct', commandId: commandId.parse(newId()), with: other.caller.userId } as const;
      chats.push(conversationOf(await gateway.submit(ann.caller, start)));
    }
  };
  const { port, tick, warnings } = await serveSockets(stack, { log: reads, before });
  const [ann, ben] = [await WireClient.open(port, 'ann'), await WireClient.open(port, 'ben')];
  stack.use(ann);
  stack.use(ben);
  release = Promise.withResolvers();
  const [conversationId = '', other = ''] = chats;
  ann.text(conversationId, 'one');
  await reading.promise;
  // All in one batch, behind a conversation whose members are as unknown.
  ann.text(other, 'meanwhile');
  await ann.next('accepted', (frame) => frame.conversationId === other);
  ben.send({ type: 'mark', conversationId, read: 1 });
  await ben.next('marked');
  tick();
  ben.send({ type: 'announce-status', commandId: newId(), availability: 'busy' });
  await ben.next('announced');
  await ben.save({ type: 'change-profile', displayName: 'Ben' });
  release.resolve(undefined);
  ben.send({ type: 'resume', cursor: null });
  await ben.next('synced', ({ caughtUp }) => caughtUp);
  ann.text(conversationId, 'two');
  await ben.next('message', ({ seq }) => seq === 2);
  expect(warnings).toEqual([]);
});

test('after a read that failed the log is followed again, and nothing is missing or double', async () => {
  let isFaulty = false;
  const fault = (): void => {
    if (!isFaulty) return;
    isFaulty = false;
    throw new Error('a bad sector');
  };
  const faulty = (log: EventLog): EventLog => ({
    ...asPort(log),
    tail(options) {
      const tail = log.tail(options);
      return {
        pull: () => tail.pull(),
        pullNow() {
          fault();
          return tail.pullNow();
        },
      };
    },
  });
  const { port, realtime, warnings } = await serveSockets(stack, { log: faulty });
  const [ann, ben] = [await WireClient.live(port, 'ann'), await WireClient.live(port, 'ben')];
  stack.use(ann);
  stack.use(ben);
  const { conversationId } = await ann.ask({ type: 'start-direct', with: { name: 'ben' } });
  await ben.next('conversation');
  isFaulty = true;
  for (const text of ['one', 'two', 'three']) ann.text(conversationId, text);
  await ben.next('message', ({ seq }) => seq === 3);
  expect(ben.of('message').map(({ seq }) => seq)).toEqual([1, 2, 3]);
  expect(warnings).toEqual(['nothing is delivered until the log is followed again']);
  expect(realtime.notReady()).toBeUndefined();
});
