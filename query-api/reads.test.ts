import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ReadModelWriter } from '../projections/read-model.ts';
import { errors, type ErrorCode } from '../schemas/errors.ts';
import { readRoutes } from '../schemas/http-reads.ts';
import { acceptedBody, problem, savedBody } from '../schemas/http.ts';
import { logId, encodeCursor, encodeReadAfter } from '../schemas/position.ts';
import { ReadsUnderTest, type HttpAnswer } from '../tests/reads-under-test.ts';

/** Batches wait while it is shut. */
class Gate {
  #opened: PromiseWithResolvers<void> | undefined;
  shut(): void {
    this.#opened ??= Promise.withResolvers();
  }
  open(): void {
    this.#opened?.resolve();
    this.#opened = undefined;
  }
  readonly before = (writer: ReadModelWriter): ReadModelWriter => ({
    ...writer,
    apply: async (batch) => {
      await this.#opened?.promise;
      return writer.apply(batch);
    },
  });
}

const gate = new Gate();
let reads: ReadsUnderTest;
let conversation: string;

const post = async (who: string, url: string, body: object) =>
  acceptedBody.parse((await reads.call(who, { method: 'POST', url, body })).json());
const send = (text: string, who = 'ada') =>
  post(who, `/v1/conversations/${conversation}/messages`, {
    messageId: reads.commands.newId(),
    content: { type: 'text', text },
  });
const codeOf = (answer: HttpAnswer): ErrorCode => problem.parse(answer.json()).code;

beforeAll(async () => {
  reads = await ReadsUnderTest.open({ inboxWriter: gate.before });
  for (const name of ['ada', 'bob']) await reads.commands.user(name);
  const opened = await post('ada', '/v1/conversations/direct', {
    commandId: reads.commands.newId(),
    with: { name: 'bob' },
  });
  conversation = opened.conversationId;
  for (const text of ['one', 'two', 'three', 'four', 'five']) await send(text);
});
afterAll(async () => {
  gate.open();
  await reads[Symbol.asyncDispose]();
});

test('F17, F25: chats, unread, history around a seq, marks and profiles are what was written', async () => {
  const { readAfter } = await send('six');
  const chats = readRoutes.chats.answer.parse((await reads.get('bob', '/v1/chats', readAfter)).json());
  expect(chats.chats).toMatchObject([{ conversationId: conversation, unread: 6, lastMessage: { seq: 6 } }]);
  expect((await reads.get('bob', '/v1/unread', readAfter)).json()).toEqual({ unread: 6, chats: 1, incomplete: false });

  const seqs = async (query: string): Promise<number[]> => {
    const page = await reads.get('bob', `/v1/conversations/${conversation}/messages?${query}`, readAfter);
    return readRoutes.messages.answer.parse(page.json()).messages.map(({ seq }) => seq);
  };
  expect(await seqs('limit=2')).toEqual([5, 6]);
  expect(await seqs('before=3')).toEqual([1, 2]);
  expect(await seqs('after=4')).toEqual([5, 6]);
  expect(await seqs('around=3&limit=3')).toEqual([2, 3, 4]);

  const members = await reads.get('bob', `/v1/conversations/${conversation}/members`, readAfter);
  expect(readRoutes.members.answer.parse(members.json()).members).toMatchObject([{ read: 6 }, { read: 0 }]);
  const profile = readRoutes.profile.answer.parse((await reads.get('bob', '/v1/users/@ada', readAfter)).json());
  const several = await reads.get('bob', `/v1/users?ids=${profile.userId}`, readAfter);
  expect(several.json()).toEqual({ users: [profile] });
});

test('changes after a cursor: `next` goes on where a page ended, and after the last page only what is new comes', async () => {
  await send('another', 'bob');
  const { readAfter } = await send('more');
  const url = `/v1/conversations/${conversation}/changes`;
  const page = async (after: string | null, limit: number, token = readAfter) => {
    const query = after === null ? '' : `&after=${after}`;
    const answer = await reads.get('bob', `${url}?limit=${limit}${query}`, token);
    return readRoutes.messageChanges.answer.parse(answer.json());
  };
  const seen: number[] = [];
  let next: string | null = null;
  for (let isLast = false; !isLast;) {
    const found = await page(next, 3);
    seen.push(...found.messages.map(({ seq }) => seq));
    ({ next, isLast } = found);
  }
  expect(seen).toEqual(Array.from({ length: seen.length }, (_, index) => index + 1));
  const chats = await reads.get('bob', `/v1/changes?after=${next ?? ''}`);
  expect(readRoutes.chatChanges.answer.parse(chats.json()).changes).toEqual([]);
  const { seq, readAfter: token } = await send('the newest');
  expect((await page(next, 3, token)).messages.map((message) => message.seq)).toEqual([seq]);
  const changed = await reads.get('bob', `/v1/changes?after=${next ?? ''}`, token);
  expect(readRoutes.chatChanges.answer.parse(changed.json()).changes).toMatchObject([{ type: 'chat' }]);
});

test('changes after a cursor tell that people call themselves otherwise, and that the caller blocks others', async () => {
  const { readAfter } = await send('before');
  const answer = await reads.get('bob', '/v1/changes', readAfter);
  const { next } = readRoutes.chatChanges.answer.parse(answer.json());
  const put = async (who: string, url: string, body: object) =>
    savedBody.parse((await reads.call(who, { method: 'PUT', url, body })).json());
  await put('ada', '/v1/me/profile', { commandId: reads.commands.newId(), displayName: 'Ada L.' });
  const blocked = await put('bob', '/v1/me/blocks/@ada', { commandId: reads.commands.newId() });
  const changed = await reads.get('bob', `/v1/changes?after=${next ?? ''}`, blocked.readAfter);
  expect(readRoutes.chatChanges.answer.parse(changed.json()).changes).toMatchObject([
    { type: 'profile', profile: { displayName: 'Ada L.', erased: false } },
    { type: 'blocks' },
  ]);
  const url = `/v1/me/blocks/@ada?commandId=${reads.commands.newId()}`;
  expect((await reads.call('bob', { method: 'DELETE', url })).status).toBe(200);
});

test('search pages through its hits, with highlights', async () => {
  await send('the quick brown fox');
  await send('a fox again');
  const { readAfter } = await send('foxes');
  const first = readRoutes.search.answer.parse((await reads.get('bob', '/v1/search?q=fox&limit=2', readAfter)).json());
  expect(first.hits.map(({ highlights }) => highlights)).toEqual([[[0, 5]], [[2, 5]]]);
  expect(first.complete).toBe(true);
  const rest = await reads.get('bob', `/v1/search?q=fox&limit=2&cursor=${encodeURIComponent(first.next ?? '')}`);
  expect(readRoutes.search.answer.parse(rest.json()).hits).toMatchObject([{ highlights: [[16, 19]] }]);
  for (const [filter, count] of [
    ['sender=@ada', 3],
    ['sender=@bob', 0],
    [`conversation=${conversation}`, 3],
    ['type=location', 0],
    ['before=1', 0],
    ['after=1', 3],
  ] as const) {
    const answer = await reads.get('bob', `/v1/search?q=fox&${filter}`);
    expect(readRoutes.search.answer.parse(answer.json()).hits, filter).toHaveLength(count);
  }
});

describe('I5: Parley-Read-After', () => {
  test('a read waits for the write and shows it', async () => {
    gate.shut();
    const { readAfter, seq } = await send('not yet');
    const pending = reads.get('bob', `/v1/conversations/${conversation}/messages/${seq ?? 0}`, readAfter);
    gate.open();
    expect((await pending).json()).toMatchObject({ seq, content: { text: 'not yet' } });
  });

  test('a read model that stays behind is a 503 that says when to come back; reads without a token go on', async () => {
    gate.shut();
    try {
      const { readAfter } = await send('too late');
      const [behind, searched, without] = await Promise.all([
        reads.get('bob', '/v1/chats', readAfter),
        reads.get('bob', '/v1/search?q=late', readAfter),
        reads.get('bob', '/v1/chats'),
      ]);
      expect({ status: behind.status, code: codeOf(behind) }).toEqual({ status: 503, code: 'read_model_behind' });
      expect(behind.headers['retry-after']).toBe('1');
      expect(readRoutes.search.answer.parse(searched.json()).hits).toHaveLength(1);
      expect(without.status).toBe(200);
    } finally {
      gate.open();
    }
  });

  const foreign = logId.parse('A'.repeat(22));
  test.each([
    ['empty', ''],
    ['garbage', 'x'.repeat(5_000)],
    ['a cursor', encodeCursor(new Map([[foreign, 1]]))],
    ['of another log', encodeReadAfter({ positions: new Map([[foreign, 1]]), slots: [0] })],
  ])('%s: invalid', async (_, token) => {
    expect(codeOf(await reads.get('bob', '/v1/chats', token))).toBe('invalid');
  });
});

describe('what cannot be asked is a problem document', () => {
  const nowhere = 'A'.repeat(22);
  const future = (): string => encodeCursor(new Map([[reads.commands.log.head().log, 2 ** 40]]));
  const foreign = encodeCursor(new Map([[logId.parse(nowhere), 1]]));
  test.each<[string, () => string, ErrorCode]>([
    ['no limit at all', () => '/v1/chats?limit=', 'invalid'],
    ['a limit of 0', () => '/v1/chats?limit=0', 'invalid'],
    ['a limit of −1', () => '/v1/chats?limit=-1', 'invalid'],
    ['a limit of 10⁹', () => '/v1/chats?limit=1000000000', 'invalid'],
    ['a limit of 1e1', () => '/v1/search?q=a&limit=1e1', 'invalid'],
    ['a limit twice', () => '/v1/chats?limit=1&limit=2', 'invalid'],
    ['an unknown field', () => '/v1/chats?sort=name', 'invalid'],
    ['a flag that is none', () => '/v1/chats?archived=1', 'invalid'],
    ['a garbage page cursor', () => '/v1/chats?cursor=%00', 'invalid'],
    ['a page cursor of 10⁵ characters', () => `/v1/chats?cursor=${'1'.repeat(100_000)}`, 'invalid'],
    ['a garbage cursor', () => '/v1/changes?after=1.x', 'invalid'],
    ['a foreign cursor', () => `/v1/changes?after=${foreign}`, 'cursor_unusable'],
    ['a future cursor', () => `/v1/changes?after=${future()}`, 'cursor_unusable'],
    [
      'a foreign cursor of a chat',
      () => `/v1/conversations/${conversation}/changes?after=${foreign}`,
      'cursor_unusable',
    ],
    ['an id that is none', () => '/v1/conversations/1/messages', 'invalid'],
    ['a conversation that is not there', () => `/v1/conversations/${nowhere}/messages`, 'conversation_not_found'],
    ['a message that is not there', () => `/v1/conversations/${conversation}/messages/999`, 'message_not_found'],
    ['seq 0', () => `/v1/conversations/${conversation}/messages/0`, 'invalid'],
    ['a messageId that is none', () => `/v1/conversations/${conversation}/messages/by-id/7`, 'invalid'],
    ['two ends of a page', () => `/v1/conversations/${conversation}/messages?before=1&after=2`, 'invalid'],
    ['a negative seq', () => `/v1/conversations/${conversation}/messages?before=-1`, 'invalid'],
    ['a user who is not there', () => '/v1/users/@nobody', 'user_not_found'],
    ['no user', () => '/v1/users/ada', 'invalid'],
    ['201 users', () => `/v1/users?ids=${Array.from({ length: 201 }, () => nowhere).join()}`, 'invalid'],
    ['no query', () => '/v1/search', 'invalid'],
    ['a query of nothing', () => '/v1/search?q=', 'invalid'],
    ['a query of spaces', () => '/v1/search?q=%20%20', 'invalid'],
    ['a query of punctuation', () => '/v1/search?q=%22%27%2A', 'invalid'],
    ['a query of 100,000 characters', () => `/v1/search?q=${'a'.repeat(100_000)}`, 'invalid'],
    ['a cursor of no search', () => '/v1/search?q=a&cursor=x', 'invalid'],
    ['a type that is not there yet', () => '/v1/search?q=a&type=image', 'invalid'],
    ['an address that is not well formed', () => '/v1/users/%zz', 'invalid'],
    ['an address that is not there', () => '/v1/nothing', 'route_not_found'],
  ])('%s', async (_, url, code) => {
    const answer = await reads.get('bob', url());
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect({ code: codeOf(answer), status: answer.status }).toEqual({ code, status: errors[code].http });
    expect(answer.text).not.toMatch(/\.ts:|node_modules|SQL/);
    expect(answer.text.length).toBeLessThan(600);
  });
});

test('S18: nothing that stands in an address reaches a store as anything but a value', async () => {
  const { readAfter } = await send('injection');
  const before = (await reads.get('bob', `/v1/conversations/${conversation}/messages?limit=200`, readAfter)).text;
  const hostile = [
    "'; DROP TABLE messages; --",
    '" OR 1=1 --',
    ') UNION SELECT * FROM users --',
    'injection" OR "x',
    'NEAR(injection, 5)',
    'injection* NOT x',
    '{"$gt":""}',
    '\u0000',
    '../../etc/passwd',
    '__proto__',
  ].map(encodeURIComponent);
  // Half a character, as no client of UTF-8 writes it.
  hostile.push('%ED%A0%80');
  for (const { path, params, query } of Object.values(readRoutes)) {
    for (const value of hostile) {
      const filled = path.replaceAll(/:[A-Za-z]+/g, (name) => (name === ':conversationId' ? conversation : value));
      const known = 'q' in query.shape ? 'q=x&' : '';
      const urls = Object.keys(query.shape).map((name) => `${filled}?${name === 'q' ? '' : known}${name}=${value}`);
      const attacked = Object.keys(params.shape).map((name) => path.replace(`:${name}`, value));
      for (const url of [...urls, ...attacked]) {
        const { status, text } = await reads.get('bob', url);
        expect([200, 400, 404], `${url}: ${text}`).toContain(status);
      }
    }
  }
  expect((await reads.get('bob', `/v1/conversations/${conversation}/messages?limit=200`)).text).toBe(before);
  expect(reads.commands.reports).toEqual([]);
});

test('S15: reads have an allowance of their own, which a send does not feel', async () => {
  await using limited = await ReadsUnderTest.open({ limits: { readBurst: 2, readsPerSecond: 0.01 } });
  await limited.commands.user('ada');
  const read = (): Promise<HttpAnswer> => limited.get('ada', '/v1/unread');
  expect([(await read()).status, (await read()).status]).toEqual([200, 200]);
  const refused = await read();
  expect(problem.parse(refused.json())).toMatchObject({ code: 'rate_limited', limiter: 'reads' });
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(90);
  const body = { commandId: limited.commands.newId(), name: 'g', members: [] };
  expect((await limited.call('ada', { method: 'POST', url: '/v1/conversations/group', body })).status).toBe(200);
});

test('S15: a search takes as much of the allowance as five other reads', async () => {
  await using limited = await ReadsUnderTest.open({ limits: { readBurst: 6, readsPerSecond: 0.01 } });
  await limited.commands.user('ada');
  const statuses: number[] = [];
  for (const path of ['search?q=a', 'unread', 'unread'])
    statuses.push((await limited.get('ada', `/v1/${path}`)).status);
  expect(statuses).toEqual([200, 200, 429]);
});

test('a read whose store cannot be read says so and when to ask again, and the fault is reported', async () => {
  await using down = await ReadsUnderTest.open();
  await down.commands.user('ada');
  await down.inbox.close();
  const answer = await down.get('ada', '/v1/chats');
  expect(problem.parse(answer.json())).toMatchObject({ status: 503, code: 'read_model_unreachable' });
  expect(answer.headers['retry-after']).toBe('1');
  expect(down.commands.reports).toEqual(['the inbox could not be read']);
  expect((await down.get('ada', '/v1/search?q=a')).status).toBe(200);
});
