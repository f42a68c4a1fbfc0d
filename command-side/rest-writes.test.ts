import { fastify, type FastifyInstance, type InjectOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errors } from '../schemas/errors.ts';
import { acceptedBody } from '../schemas/http.ts';
import { deviceId, type ConversationId } from '../schemas/ids.ts';
import { defaultLimits, frameBytes } from '../schemas/limits.ts';
import { accepted, CommandsUnderTest, manySends, noInbox } from '../tests/commands-under-test.ts';
import { commandSide, type CommandSide } from './command-side.ts';
import type { Caller } from './command-gateway.ts';
import { signToken } from './tokens.ts';

const issuer = { name: 'https://issuer.test', secret: Buffer.from('a secret of at least thirty-two bytes') };

let commands: CommandsUnderTest;
let side: CommandSide;
let server: FastifyInstance;
let ada: Caller;
let bob: Caller;
let conversation: ConversationId;

const tokenOf = (subject: string, device = 'phone'): Promise<string> =>
  signToken(issuer, { subject, deviceId: deviceId.parse(device), now: commands.clock.now(), lifetimeMs: 3_600_000 });

const call = async (who: string, method: 'POST' | 'PUT' | 'DELETE', url: string, body?: object | string) => {
  const options: InjectOptions = { method, url, headers: { authorization: `Bearer ${await tokenOf(who)}` } };
  if (body !== undefined) {
    options.payload = typeof body === 'string' ? body : JSON.stringify(body);
    options.headers = { ...options.headers, 'content-type': 'application/json' };
  }
  return server.inject(options);
};

beforeAll(async () => {
  commands = await CommandsUnderTest.open();
  side = commandSide({
    eventLog: commands.log,
    accounts: commands.accounts,
    snapshots: commands.snapshots,
    inbox: noInbox,
    issuer,
    clock: commands.clock,
    randomBytes: commands.randomBytes,
    limits: manySends,
    report: (_, message) => commands.reports.push(message),
  });
  server = fastify({ bodyLimit: frameBytes(defaultLimits) });
  await server.register(side.plugin);
  [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const opened = await call('ada', 'POST', '/v1/conversations/group', {
    commandId: commands.newId(),
    name: 'a group',
    members: [{ name: 'bob' }],
  });
  conversation = acceptedBody.parse(opened.json()).conversationId;
});
afterAll(async () => {
  await server.close();
  await commands[Symbol.asyncDispose]();
});

const messages = (): string => `/v1/conversations/${conversation}/messages`;
const text = (body: string) => ({ content: { type: 'text', text: body } });

test('every command has its call, answered with the fields of `accepted`', async () => {
  const id = (): string => commands.newId();
  await commands.user('cyd');
  const at = `/v1/conversations/${conversation}`;
  const sent = await call('ada', 'POST', messages(), { messageId: id(), ...text('hello') });
  const { seq } = acceptedBody.parse(sent.json());
  const calls = [
    await call('ada', 'POST', '/v1/conversations/direct', { commandId: id(), with: { name: 'bob' } }),
    await call('ada', 'PUT', `${at}/messages/${seq}`, { commandId: id(), ...text('hello again') }),
    await call('ada', 'DELETE', `${at}/messages/${seq}?commandId=${id()}`),
    await call('ada', 'PUT', `${at}/name`, { commandId: id(), name: 'renamed' }),
    await call('ada', 'POST', `${at}/members`, { commandId: id(), user: { name: 'cyd' } }),
    await call('ada', 'PUT', `${at}/members/@cyd/role`, { commandId: id(), role: 'admin' }),
    await call('ada', 'DELETE', `${at}/members/@cyd?commandId=${id()}&issuer=${encodeURIComponent(issuer.name)}`),
    await call('ada', 'POST', `${at}/members`, { commandId: id(), user: { name: 'cyd', issuer: issuer.name } }),
    await call('cyd', 'DELETE', `${at}/members/me?commandId=${id()}`),
    await call('ada', 'DELETE', `${at}/members/${bob.userId}?commandId=${id()}`),
    await call('ada', 'POST', `${at}/members`, { commandId: id(), user: bob.userId }),
  ];
  for (const { statusCode, json } of calls) {
    expect(statusCode).toBe(200);
    acceptedBody.parse(json());
  }
});

test('M1: a hundred copies of one send at once, over REST and beside it, are one message with one answer', async () => {
  const command = commands.send(conversation, 'from everywhere');
  if (command.type !== 'send') throw new Error('a send');
  const { messageId, content } = command;
  const answers = await Promise.all(
    Array.from({ length: 100 }, async (_, i) => {
      if (i % 3 === 0) return accepted(await side.gateway.submit(ada, command));
      const device = i % 3 === 1 ? 'laptop' : 'phone';
      const response = await server.inject({
        method: 'POST',
        url: messages(),
        headers: { authorization: `Bearer ${await tokenOf('ada', device)}` },
        payload: i % 2 === 0 ? { content, messageId } : { messageId: messageId.toUpperCase(), content },
      });
      return acceptedBody.parse(response.json());
    }),
  );
  expect(new Set(answers.map(({ seq, chain, time }) => `${seq} ${chain} ${time}`)).size).toBe(1);
  expect((await commands.texts(conversation)).filter((sent) => sent === 'from everywhere')).toHaveLength(1);
});

describe('what is refused is a problem document', () => {
  const problems: [
    title: string,
    code: keyof typeof errors,
    request: () => Promise<{ body: string; statusCode: number }>,
  ][] = [
    ['no token', 'unauthenticated', () => server.inject({ method: 'POST', url: messages(), payload: {} })],
    [
      'a body before its token',
      'unauthenticated',
      () => server.inject({ method: 'POST', url: messages(), payload: { text: 'x'.repeat(2_000_000) } }),
    ],
    [
      'an unknown field',
      'invalid',
      () => call('ada', 'POST', messages(), { messageId: commands.newId(), ...text('x'), seq: 7 }),
    ],
    [
      'S12: somebody else’s name',
      'invalid',
      () => call('ada', 'POST', messages(), { messageId: commands.newId(), ...text('x'), by: bob.userId }),
    ],
    [
      'another conversation in the body',
      'invalid',
      () =>
        call('ada', 'POST', messages(), { messageId: commands.newId(), ...text('x'), conversationId: conversation }),
    ],
    [
      'a body on a DELETE',
      'invalid',
      () => call('ada', 'DELETE', `${messages()}/1?commandId=${commands.newId()}`, { x: 1 }),
    ],
    ['an id that is no UUIDv7', 'invalid', () => call('ada', 'POST', messages(), { messageId: 'x', ...text('x') })],
    [
      'a seq that is none',
      'invalid',
      () => call('ada', 'PUT', `${messages()}/1e3`, { commandId: commands.newId(), ...text('x') }),
    ],
    [
      'an address with a query it does not have',
      'invalid',
      () => call('ada', 'POST', `${messages()}?a=1`, { messageId: commands.newId(), ...text('x') }),
    ],
    [
      'a lone surrogate',
      'invalid',
      () =>
        call(
          'ada',
          'POST',
          messages(),
          `{"messageId":"${commands.newId()}","content":{"type":"text","text":"\\ud800"}}`,
        ),
    ],
    [
      'a reserved type',
      'unsupported',
      () => call('ada', 'POST', messages(), { messageId: commands.newId(), content: { type: 'image' } }),
    ],
    [
      'a conversation that is not there',
      'conversation_not_found',
      () =>
        call('ada', 'POST', `/v1/conversations/${'A'.repeat(22)}/messages`, {
          messageId: commands.newId(),
          ...text('x'),
        }),
    ],
    [
      'a stranger',
      'conversation_not_found',
      () => call('eve', 'POST', messages(), { messageId: commands.newId(), ...text('x') }),
    ],
    [
      'a message that is not there',
      'message_not_found',
      () => call('ada', 'PUT', `${messages()}/999`, { commandId: commands.newId(), ...text('x') }),
    ],
    ['a body above the limit', 'too_large', () => call('ada', 'POST', messages(), { text: 'x'.repeat(2_000_000) })],
    [
      'a text above the limit',
      'text_too_long',
      () => call('ada', 'POST', messages(), { messageId: commands.newId(), ...text('x'.repeat(100_001)) }),
    ],
  ];
  test.each(problems)('%s: %s', async (_, code, request) => {
    const { body, statusCode } = await request();
    const problem = JSON.parse(body) as Record<string, unknown>;
    expect(problem).toMatchObject({ type: 'about:blank', status: errors[code].http, code });
    expect(statusCode).toBe(errors[code].http);
    expect(body).not.toMatch(/\.ts:|node_modules|stack/);
    expect(body.length).toBeLessThan(600);
  });

  test('another content type is refused, and so is none', async () => {
    const token = await tokenOf('ada');
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/jsonp',
    ]) {
      const response = await server.inject({
        method: 'POST',
        url: messages(),
        headers: { authorization: `Bearer ${token}`, 'content-type': type },
        payload: 'a=1',
      });
      expect(response.statusCode).toBe(400);
      expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
    }
  });
});

describe('P4: JSON that is hostile is refused as invalid', () => {
  const send = (): string => `"messageId":"${commands.newId()}"`;
  test.each<[string, () => string]>([
    ['nested 100,000 deep', () => '['.repeat(100_000) + ']'.repeat(100_000)],
    ['nested 33 deep', () => `{"content":${'['.repeat(32)}${']'.repeat(32)}}`],
    ['200,000 keys', () => `{${Array.from({ length: 110_000 }, (_, i) => `"${i}":1`).join(',')}}`],
    ['a key twice', () => `{${send()},"content":{"type":"text","text":"a","text":"b"}}`],
    ['a key twice, once escaped', () => `{${send()},"content":{"type":"text","text":"a","\\u0074ext":"b"}}`],
    ['1e400', () => `{${send()},"content":{"type":"location","latitude":1e400,"longitude":1}}`],
    ['2^53 + 1', () => `{${send()},"content":{"type":"text","text":"a"},"replyTo":9007199254740993}`],
    ['__proto__', () => `{${send()},"content":{"type":"text","text":"a"},"__proto__":{"polluted":1}}`],
    ['__proto__ escaped', () => `{${send()},"content":{"type":"text","text":"a","\\u005f_proto__":{"polluted":1}}}`],
    [
      'constructor',
      () => `{${send()},"content":{"type":"text","text":"a"},"constructor":{"prototype":{"polluted":1}}}`,
    ],
    ['nothing', () => ''],
    ['not JSON', () => '{"messageId":'],
    ['a byte order mark', () => `\ufeff{${send()},"content":{"type":"text","text":"a"}}`],
    ['null', () => 'null'],
    ['an array', () => '[]'],
  ])('%s', async (_, body) => {
    const before = (await commands.events(conversation)).length;
    const response = await call('ada', 'POST', messages(), body());
    expect({ status: response.statusCode, code: response.json<{ code: string }>().code }).toEqual({
      status: 400,
      code: 'invalid',
    });
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
    expect(await commands.events(conversation)).toHaveLength(before);
  });

  test('bytes that are not UTF-8', async () => {
    const response = await server.inject({
      method: 'POST',
      url: messages(),
      headers: { authorization: `Bearer ${await tokenOf('ada')}`, 'content-type': 'application/json' },
      payload: Buffer.from([0x22, 0xff, 0x22]),
    });
    expect(response.statusCode).toBe(400);
  });
});

test('S15: REST and the gateway share one allowance, and a wait comes as Retry-After too', async () => {
  const limited = commandSide({
    eventLog: commands.log,
    accounts: commands.accounts,
    snapshots: commands.snapshots,
    inbox: noInbox,
    issuer,
    clock: commands.clock,
    randomBytes: commands.randomBytes,
    limits: { ...defaultLimits, sendBurst: 2, sendsPerSecond: 0.01 },
    report: () => undefined,
  });
  const own = fastify();
  await own.register(limited.plugin);
  try {
    accepted(await limited.gateway.submit(ada, commands.send(conversation, 'one')));
    const request = async () =>
      own.inject({
        method: 'POST',
        url: messages(),
        headers: { authorization: `Bearer ${await tokenOf('ada')}` },
        payload: { messageId: commands.newId(), ...text('two') },
      });
    expect((await request()).statusCode).toBe(200);
    const refused = await request();
    expect(refused.statusCode).toBe(429);
    expect(refused.json()).toMatchObject({ code: 'rate_limited', limiter: 'user' });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(90);
    await limited.close();
    expect(limited.ready()).toMatchObject({ ok: false, checks: { commands: 'draining', log: 'ok' } });
    expect((await request()).statusCode).toBe(503);
  } finally {
    await own.close();
  }
});
