import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../client/client.ts';
import { serveInProcess } from '../tests/in-process-server.ts';
import { signToken } from '../tests/tokens.ts';

const open = async (settings: Readonly<Record<string, string>> = {}) => {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const server = await serveInProcess(stack, settings);
  const headers = { authorization: `Bearer ${signToken('ada', 'phone')}` };
  return { server, ask: async () => (await fetch(`${server.address}/v1/servers`, { headers })).json() };
};

test('F55: one server alone names itself, and a client that asks for servers connects to it', async () => {
  const { server, ask } = await open();
  const itself = { servers: [{ url: server.address, region: null }], stale: false };
  await expect.poll(ask, { timeout: 60_000, interval: 200 }).toEqual(itself);
  const client = await connect({ url: server.address, servers: {}, token: () => signToken('ada', 'phone') });
  onTestFinished(() => client.close());
  await expect.poll(() => client.status.status, { timeout: 60_000 }).toBe('live');
});

test('F55: it is known by the address and the region that its operator gave it', async () => {
  const { ask } = await open({ PARLEY_PUBLIC_URL: 'https://chat.example', PARLEY_REGION: 'eu' });
  const named = { servers: [{ url: 'https://chat.example', region: 'eu' }], stale: false };
  await expect.poll(ask, { timeout: 60_000, interval: 200 }).toEqual(named);
});
