import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { httpServer } from '../main/http-server.ts';
import type { GatewaysSeen, KnownGateway } from '../realtime/gateway-registry.ts';
import { reject } from '../schemas/errors.ts';
import { deviceId, userId } from '../schemas/ids.ts';
import { defaultLimits } from '../schemas/limits.ts';
import { serversRoute } from '../schemas/servers.ts';
import { servers } from './servers.ts';

const gateway = (serverId: string, region: string): KnownGateway => ({
  ...{ serverId, url: `https://${serverId}.example`, region, connections: 0, capacity: null },
  ...{ draining: false, notReady: null, since: 1, silentMs: 0 },
});

const caller = { userId: userId.parse('A'.repeat(22)), deviceId: deviceId.parse('phone'), issuer: 'parley' };

const scene = async (region: string | undefined, seen: () => GatewaysSeen) => {
  let time = 0;
  const served = servers({
    ...{ seen, region },
    authenticate: async (token) =>
      token === 'good' ? { ok: true, caller } : { ok: false, rejection: reject('unauthenticated', 'no') },
    clock: { now: () => time, monotonic: () => time },
    randomBytes: (count) => new Uint8Array(count),
    report: () => undefined,
  });
  const server = httpServer(defaultLimits);
  onTestFinished(() => server.close());
  await server.register(served.plugin);
  return {
    ask: async (query = '', token = 'good') => {
      const url = `${serversRoute.path}${query}`;
      const { statusCode, body } = await server.inject({ url, headers: { authorization: `Bearer ${token}` } });
      return { status: statusCode, body: JSON.parse(body) as unknown };
    },
    limited: () => served.metrics.flatMap((metric) => metric.samples()).map(({ labels, value }) => [labels, value]),
    pass: (milliseconds: number) => void (time += milliseconds),
  };
};

const both = [gateway('a', 'eu'), gateway('b', 'us')];

test('F55: the servers of the region that is asked for come first, else of the one of the server that is asked', async () => {
  const { ask } = await scene('us', () => ({ gateways: both, isStale: false }));
  const [a, b] = [
    { url: 'https://a.example', region: 'eu' },
    { url: 'https://b.example', region: 'us' },
  ];
  const answer = await ask();
  expect(answer).toEqual({ status: 200, body: { servers: [b, a], stale: false } });
  expect(serversRoute.answer.parse(answer.body)).toEqual(answer.body);
  expect(await ask('?region=eu')).toEqual({ status: 200, body: { servers: [a, b], stale: false } });
  expect(await ask('?region=nowhere')).toMatchObject({ status: 200, body: { stale: false } });
});

test('F55: a list that may be old says so, and one that is empty is an answer', async () => {
  let seen: GatewaysSeen = { gateways: both.slice(0, 1), isStale: true };
  const { ask } = await scene(undefined, () => seen);
  expect(await ask()).toMatchObject({ status: 200, body: { servers: [{ region: 'eu' }], stale: true } });
  seen = { gateways: [], isStale: false };
  expect(await ask()).toEqual({ status: 200, body: { servers: [], stale: false } });
});

test('who is nobody, asks for what is no region, or asks without end, is refused', async () => {
  const { ask, limited, pass } = await scene(undefined, () => ({ gateways: both, isStale: false }));
  expect(await ask('', 'bad')).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
  expect(await ask('?region=E%20U')).toMatchObject({ status: 400, body: { code: 'invalid' } });
  expect(await ask('?place=eu')).toMatchObject({ status: 400 });
  let answer = await ask();
  while (answer.status === 200) answer = await ask();
  expect(answer).toMatchObject({
    status: 429,
    body: { code: 'rate_limited', limiter: 'servers', retryAfterMs: 1_000 },
  });
  expect(limited()).toContainEqual([{ scope: 'servers' }, 1]);
  pass(1_000);
  expect(await ask()).toMatchObject({ status: 200 });
});

test('docs/protocol.md tells where to ask, with what, and what is answered', () => {
  const page = readFileSync(new URL('../docs/protocol.md', import.meta.url), 'utf8');
  const section = page.slice(page.indexOf('\n### Which server'), page.indexOf('\n## 9.'));
  const names = [...Object.keys(serversRoute.query.shape), ...Object.keys(serversRoute.answer.shape)];
  for (const name of [`GET ${serversRoute.path}`, ...names]) expect(section).toContain(`\`${name}`);
});
