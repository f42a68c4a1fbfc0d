import { expect, test } from 'vitest';
import { markedBody, savedBody } from '../schemas/http.ts';
import { serveInProcess } from '../tests/in-process-server.ts';
import { signToken } from '../tests/tokens.ts';
import { newId, WireClient } from '../tests/wire-client.ts';

test('marks, settings, blocks and the profile over REST, with the ids and the answers of the socket', async () => {
  await using stack = new AsyncDisposableStack();
  const { port } = await serveInProcess(stack);
  const [ann] = [stack.use(await WireClient.live(port, 'ann')), stack.use(await WireClient.live(port, 'bob'))];
  const { conversationId } = await ann.ask({ type: 'start-direct', with: { name: 'bob' } });
  ann.text(conversationId, 'a text');
  await ann.next('accepted', ({ seq }) => seq === 1);

  const call = async (method: string, path: string, body?: object): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${signToken('bob', 'phone')}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const chat = `/v1/conversations/${conversationId}`;
  const marked = await call('PUT', `${chat}/marks`, { read: 1 });
  expect(markedBody.parse(await marked.json())).toMatchObject({ conversationId, delivered: 1, read: 1 });
  const commandId = newId();
  const block = await call('PUT', '/v1/me/blocks/@ann', { commandId });
  const saved = savedBody.parse(await block.json());
  const again = savedBody.parse(await (await call('PUT', '/v1/me/blocks/@ann', { commandId })).json());
  expect(again).toMatchObject({ time: saved.time, chain: saved.chain });
  for (const response of [
    await call('PATCH', `${chat}/settings`, { commandId: newId(), pinned: true, mutedUntil: 5 }),
    await call('DELETE', `/v1/me/blocks/@ann?commandId=${newId()}`),
    await call('PUT', '/v1/me/profile', { commandId: newId(), displayName: 'Bob' }),
  ]) {
    expect(response.status).toBe(200);
    savedBody.parse(await response.json());
  }
  for (const [path, body] of [
    [`${chat}/marks`, {}],
    [`${chat}/marks`, { read: 0 }],
    [`${chat}/marks`, { read: 1.5 }],
    [`${chat}/marks`, { read: 1, by: 'ann' }],
    ['/v1/me/profile', { commandId: newId(), displayName: '' }],
  ] as const) {
    const refused = await call('PUT', path, body);
    expect([refused.status, await refused.json()]).toMatchObject([400, { code: 'invalid' }]);
  }
  expect((await call('PUT', `${chat}/marks`, { read: 2 })).status).toBe(404);
});
