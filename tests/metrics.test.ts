import { expect, test } from 'vitest';
import { acceptedBody } from '../schemas/http.ts';
import { uuidV7 } from '../schemas/ids.ts';
import { metrics } from '../schemas/metrics.ts';
import { serveInProcess } from './in-process-server.ts';
import { signToken } from './tokens.ts';

const newId = (): string => uuidV7(Date.now(), crypto.getRandomValues(new Uint8Array(10)));
const line = /^(?:# (?:HELP|TYPE) .+|[a-z_]+(?:\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})? [0-9.e+-]+)$/;

test('O1, O2: the process tells its operator what it did, and nobody else', async () => {
  await using stack = new AsyncDisposableStack();
  const internalToken = 'an internal token of the tests, 32 characters';
  const { address } = await serveInProcess(stack, { PARLEY_INTERNAL_TOKEN: internalToken });
  const authorization = `Bearer ${signToken('ada', 'phone')}`;
  const post = async (path: string, body: object) => {
    const response = await fetch(`${address}/v1/conversations/${path}`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return acceptedBody.parse(await response.json());
  };
  const { conversationId } = await post('group', { commandId: newId(), name: 'g', members: [] });
  const sent = { messageId: newId(), content: { type: 'text', text: 'hello' } };
  await post(`${conversationId}/messages`, sent);
  const { readAfter } = await post(`${conversationId}/messages`, sent);
  for (const path of ['chats', `search?q=hello`]) {
    await fetch(`${address}/v1/${path}`, { headers: { authorization, 'parley-read-after': readAfter } });
  }
  await fetch(`${address}/v1/conversations/${'A'.repeat(22)}`, { headers: { authorization } });

  const scraped = await fetch(`${address}/metrics`);
  expect(scraped.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const text = await scraped.text();
  for (const one of text.trimEnd().split('\n')) expect(one).toMatch(line);
  for (const name of Object.keys(metrics)) expect(text).toContain(`# HELP ${name} `);
  expect(text).toContain('parley_commands_total{type="send",result="accepted"} 2\n');
  expect(text).toContain('parley_dedup_hits_total 1\n');
  expect(text).toContain('parley_authz_denied_total{door="read",code="conversation_not_found"} 1\n');
  expect(text).toContain('parley_projection_lag_events{model="search"} 0\n');
  expect(text).toContain('parley_ws_connections 0\n');
  expect(text).toContain('parley_append_conflicts_total 0\n');
  expect(text).toContain('parley_projection_parked_total{model="inbox"} 0\n');
  expect(text).toMatch(/parley_append_fsync_seconds_count [1-9]/);
  expect(text).not.toContain(conversationId);

  const asked = async (headers: Record<string, string>): Promise<number> =>
    (await fetch(`${address}/metrics`, { headers: { 'x-forwarded-for': '203.0.113.7', ...headers } })).status;
  expect(await asked({})).toBe(404);
  expect(await asked({ authorization })).toBe(404);
  expect(await asked({ authorization: `Bearer ${internalToken}` })).toBe(200);
  expect((await fetch(`${address}/startupz`)).status).toBe(200);
});
