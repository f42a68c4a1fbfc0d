import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { acceptedBody } from '../schemas/http.ts';
import { ReadsUnderTest, type HttpAnswer, type HttpCall } from '../tests/reads-under-test.ts';
import { openApiDocument } from './openapi.ts';

/** Who calls: `member` is an admin of the group, `ex` was removed from it, `stranger` never was in it. */
const callers = ['member', 'ex', 'stranger', 'nobody'] as const;
type CallerName = (typeof callers)[number];

interface Scene {
  readonly conversation: string;
  readonly messageId: string;
  readonly id: () => string;
}

interface Row {
  readonly call: (scene: Scene) => Omit<HttpCall, 'method'>;
  readonly allow: Readonly<Record<CallerName, number>>;
  /** Whether a member's answer holds the canary; nobody else's ever does. */
  readonly shows?: true;
}

const ofMembers = { member: 200, ex: 404, stranger: 404, nobody: 401 };
const ofUsers = { member: 200, ex: 200, stranger: 200, nobody: 401 };
const ofAll = { member: 200, ex: 200, stranger: 200, nobody: 200 };
const canary = 'canaryword';

const at = ({ conversation }: Scene): string => `/v1/conversations/${conversation}`;
const read =
  (path: string) =>
  (scene: Scene): Omit<HttpCall, 'method'> => ({ url: `${at(scene)}${path}` });
const text = { type: 'text', text: 'another' };

const table: Readonly<Record<string, Row>> = {
  'get /v1/openapi.json': { call: () => ({ url: '/v1/openapi.json' }), allow: ofAll },
  'get /v1/chats': { call: () => ({ url: '/v1/chats' }), allow: ofUsers, shows: true },
  'get /v1/unread': { call: () => ({ url: '/v1/unread' }), allow: ofUsers },
  'get /v1/changes': { call: () => ({ url: '/v1/changes' }), allow: ofUsers, shows: true },
  'get /v1/search': { call: () => ({ url: `/v1/search?q=${canary}` }), allow: ofUsers, shows: true },
  'get /v1/users': { call: () => ({ url: `/v1/users?ids=${'A'.repeat(22)}` }), allow: ofUsers },
  'get /v1/users/{user}': { call: () => ({ url: '/v1/users/@ada' }), allow: ofUsers },
  'get /v1/servers': { call: () => ({ url: '/v1/servers' }), allow: ofUsers },
  'get /v1/me/blocks': { call: () => ({ url: '/v1/me/blocks' }), allow: ofUsers },
  'get /v1/conversations/{conversationId}': { call: read(''), allow: ofMembers, shows: true },
  'get /v1/conversations/{conversationId}/messages': { call: read('/messages'), allow: ofMembers, shows: true },
  'get /v1/conversations/{conversationId}/messages/{seq}': {
    call: read('/messages/1'),
    allow: ofMembers,
    shows: true,
  },
  'get /v1/conversations/{conversationId}/messages/by-id/{messageId}': {
    call: (scene) => ({ url: `${at(scene)}/messages/by-id/${scene.messageId}` }),
    allow: ofMembers,
    shows: true,
  },
  'get /v1/conversations/{conversationId}/members': { call: read('/members'), allow: ofMembers },
  'get /v1/conversations/{conversationId}/changes': { call: read('/changes'), allow: ofMembers, shows: true },
  'post /v1/conversations/direct': {
    call: ({ id }) => ({ url: '/v1/conversations/direct', body: { commandId: id(), with: { name: 'bob' } } }),
    allow: ofUsers,
  },
  'post /v1/conversations/group': {
    call: ({ id }) => ({ url: '/v1/conversations/group', body: { commandId: id(), name: 'x', members: [] } }),
    allow: ofUsers,
  },
  'put /v1/conversations/{conversationId}/name': {
    call: (scene) => ({ url: `${at(scene)}/name`, body: { commandId: scene.id(), name: 'x' } }),
    allow: ofMembers,
  },
  'post /v1/conversations/{conversationId}/members': {
    call: (scene) => ({ url: `${at(scene)}/members`, body: { commandId: scene.id(), user: { name: 'zoe' } } }),
    allow: ofMembers,
  },
  'delete /v1/conversations/{conversationId}/members/me': {
    call: (scene) => ({ url: `${at(scene)}/members/me?commandId=${scene.id()}` }),
    allow: ofMembers,
  },
  'delete /v1/conversations/{conversationId}/members/{user}': {
    call: (scene) => ({ url: `${at(scene)}/members/@bob?commandId=${scene.id()}` }),
    allow: ofMembers,
  },
  'put /v1/conversations/{conversationId}/members/{user}/role': {
    call: (scene) => ({ url: `${at(scene)}/members/@bob/role`, body: { commandId: scene.id(), role: 'admin' } }),
    allow: ofMembers,
  },
  'post /v1/conversations/{conversationId}/messages': {
    call: (scene) => ({ url: `${at(scene)}/messages`, body: { messageId: scene.id(), content: text } }),
    allow: ofMembers,
  },
  'put /v1/conversations/{conversationId}/messages/{seq}': {
    call: (scene) => ({ url: `${at(scene)}/messages/1`, body: { commandId: scene.id(), content: text } }),
    allow: ofMembers,
  },
  'delete /v1/conversations/{conversationId}/messages/{seq}': {
    call: (scene) => ({ url: `${at(scene)}/messages/1?commandId=${scene.id()}` }),
    allow: ofMembers,
  },
  'put /v1/conversations/{conversationId}/marks': {
    call: (scene) => ({ url: `${at(scene)}/marks`, body: { read: 1 } }),
    allow: ofMembers,
  },
  'patch /v1/conversations/{conversationId}/settings': {
    call: (scene) => ({ url: `${at(scene)}/settings`, body: { commandId: scene.id(), pinned: true } }),
    allow: ofMembers,
  },
  'put /v1/me/blocks/{user}': {
    call: ({ id }) => ({ url: '/v1/me/blocks/@zoe', body: { commandId: id() } }),
    allow: ofUsers,
  },
  'delete /v1/me/blocks/{user}': {
    call: ({ id }) => ({ url: `/v1/me/blocks/@zoe?commandId=${id()}` }),
    allow: ofUsers,
  },
  'put /v1/me/profile': {
    call: ({ id }) => ({ url: '/v1/me/profile', body: { commandId: id(), displayName: 'x' } }),
    allow: ofUsers,
  },
  'put /v1/me/status': {
    call: ({ id }) => ({ url: '/v1/me/status', body: { commandId: id(), availability: 'busy' } }),
    allow: ofUsers,
  },
  'post /v1/me/sign-out': {
    call: ({ id }) => ({ url: '/v1/me/sign-out', body: { commandId: id() } }),
    allow: ofUsers,
  },
};

const names: Readonly<Record<CallerName, string | undefined>> = {
  member: 'ada',
  ex: 'eve',
  stranger: 'sam',
  nobody: undefined,
};

let reads: ReadsUnderTest;
beforeAll(async () => {
  reads = await ReadsUnderTest.open();
  for (const name of ['ada', 'bob', 'eve', 'sam', 'zoe']) await reads.commands.user(name);
});
afterAll(() => reads[Symbol.asyncDispose]());

const methodOf = (operation: string): HttpCall['method'] =>
  (['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const).find((method) => operation.startsWith(method.toLowerCase())) ??
  'GET';

const id = (): string => reads.commands.newId();

/** A group with one message from before the ex-member was removed, and the token of its last write. */
const setScene = async (): Promise<{ scene: Scene; readAfter: string }> => {
  const post = async (url: string, body: object) =>
    acceptedBody.parse((await reads.call('ada', { method: 'POST', url, body })).json());
  const members = [{ name: 'bob' }, { name: 'eve' }];
  const { conversationId } = await post('/v1/conversations/group', { commandId: id(), name: 'g', members });
  const messageId = id();
  const at = `/v1/conversations/${conversationId}`;
  await post(`${at}/messages`, { messageId, content: { type: 'text', text: canary } });
  const removed = await reads.call('ada', { method: 'DELETE', url: `${at}/members/@eve?commandId=${id()}` });
  const { readAfter } = acceptedBody.parse(removed.json());
  return { scene: { conversation: conversationId, messageId, id }, readAfter };
};

test('S3: every route of the document has a row here, and there are no other rows', () => {
  const { paths } = openApiDocument() as { paths: Record<string, Record<string, unknown>> };
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  expect(Object.keys(table).toSorted()).toEqual(operations.toSorted());
});

describe.each(Object.entries(table))('S3, S4, I6: %s', (operation, { call, allow, shows }) => {
  test.each(callers)('%s', async (caller) => {
    const { scene, readAfter } = await setScene();
    const method = methodOf(operation);
    const ask = (given: Scene): Promise<HttpAnswer> => reads.call(names[caller], { method, readAfter, ...call(given) });
    const answer = await ask(scene);
    expect(answer.status, answer.text).toBe(allow[caller]);
    if (caller === 'member') {
      expect(answer.text.includes(canary), answer.text).toBe(shows === true);
      return;
    }
    expect(answer.text).not.toContain(canary);
    if (answer.status !== 404) return;
    const nowhere = await ask({ ...scene, conversation: 'A'.repeat(22) });
    expect(answer.text).toBe(nowhere.text);
  });
});
