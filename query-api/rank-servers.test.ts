import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gatewayTtlMs, suspectAfterMs, type KnownGateway } from '../realtime/gateway-registry.ts';
import { mostServers } from '../schemas/servers.ts';
import { rankServers } from './rank-servers.ts';

const gateway = (serverId: string, more: Partial<KnownGateway> = {}): KnownGateway => ({
  ...{ serverId, url: `https://${serverId}.example`, region: 'eu', connections: 0, capacity: 1_000 },
  ...{ draining: false, notReady: null, since: 1, silentMs: 0 },
  ...more,
});
const noChance = (): number => 0;
const ids = (ranked: readonly KnownGateway[]): string[] => ranked.map(({ serverId }) => serverId);

test('F55: room before region, region before load; draining, unready and silent ones are left out', () => {
  const gateways = [
    gateway('full', { connections: 1_000 }),
    gateway('far', { region: 'us' }),
    gateway('busy', { connections: 900 }),
    gateway('calm', { connections: 300 }),
    gateway('draining', { draining: true }),
    gateway('unready', { notReady: 'log' }),
    gateway('silent', { silentMs: suspectAfterMs }),
  ];
  expect(ids(rankServers(gateways, 'eu', noChance))).toEqual(['calm', 'busy', 'far', 'full']);
  expect(ids(rankServers(gateways, undefined, noChance))).toEqual(['far', 'calm', 'busy', 'full']);
});

test('F55: of several processes at one address the best one counts', () => {
  const url = 'https://chat.example';
  const shared = [
    gateway('old', { url, draining: true }),
    gateway('a', { url, connections: 800 }),
    gateway('b', { url }),
  ];
  const ranked = rankServers([...shared, gateway('other', { connections: 500 })], 'eu', noChance);
  expect(ids(ranked)).toEqual(['b', 'other']);
});

test('F55: those who flee a dead server at the same time do not all go to the same next one', () => {
  const gateways = ['a', 'b', 'c'].map((id, index) => gateway(id, { connections: index * 20 }));
  const firsts = new Set<string | undefined>();
  for (const chosen of ['a', 'b', 'c']) {
    firsts.add(ids(rankServers(gateways, 'eu', ({ serverId }) => (serverId === chosen ? 0 : 1)))[0]);
  }
  expect(firsts).toEqual(new Set(['a', 'b', 'c']));
});

const regions = ['eu', 'us', 'asia'];
const anyGateway = fc
  .record({
    serverId: fc.string({ minLength: 1, maxLength: 4, unit: 'grapheme-ascii' }),
    url: fc.integer({ min: 0, max: 15 }).map((n) => `https://s${n}.example`),
    region: fc.option(fc.constantFrom(...regions)),
    connections: fc.integer({ min: 0, max: 30_000 }),
    capacity: fc.option(fc.integer({ min: 0, max: 20_000 })),
    draining: fc.boolean(),
    notReady: fc.option(fc.constant('log'), { freq: 2 }),
    silentMs: fc.integer({ min: 0, max: gatewayTtlMs }),
    chance: fc.integer({ min: 0, max: 255 }),
  })
  .map((some) => ({ ...some, since: 1 }));

const takes = ({ draining, notReady, silentMs }: KnownGateway): boolean =>
  !draining && notReady === null && silentMs < suspectAfterMs;
const isFull = ({ connections, capacity }: KnownGateway): boolean => capacity !== null && connections >= capacity;
const load = ({ connections, capacity }: KnownGateway): number => connections / Math.max(1, capacity ?? 10_000);

test('F55: whatever the gateways are, the list is bounded, has each address once, no dead end, and no better one behind', () => {
  fc.assert(
    fc.property(fc.array(anyGateway, { maxLength: 40 }), fc.option(fc.constantFrom(...regions)), (gateways, near) => {
      const region = near ?? undefined;
      const ranked = rankServers(gateways, region, (one) => (one as (typeof gateways)[number]).chance);
      const open = gateways.filter(takes);
      const urls = ranked.map(({ url }) => url);
      expect(new Set(urls).size).toBe(urls.length);
      expect(urls.length).toBe(Math.min(mostServers, new Set(open.map(({ url }) => url)).size));
      expect(ranked.every(takes)).toBe(true);

      const isNear = (one: KnownGateway): boolean => region === undefined || one.region === region;
      const isBetter = (one: KnownGateway, other: KnownGateway): boolean => {
        if (isFull(one) !== isFull(other)) return isFull(other);
        if (isNear(one) !== isNear(other)) return isNear(one);
        return load(one) + 0.1 < load(other);
      };
      for (const [index, one] of ranked.entries()) {
        for (const later of ranked.slice(index + 1)) expect(isBetter(later, one)).toBe(false);
      }
      const listed = new Set(urls);
      const last = ranked.at(-1);
      for (const missing of open.filter(({ url }) => !listed.has(url))) {
        expect(last !== undefined && !isBetter(missing, last)).toBe(true);
      }
    }),
  );
});
