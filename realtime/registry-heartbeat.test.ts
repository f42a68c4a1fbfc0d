import { expect, test } from 'vitest';
import { suspectAfterMs, type AnnouncedGateway, type GatewayRegistry } from './gateway-registry.ts';
import { announcedGateway } from './gateway-registry.contract.ts';
import { memoryGatewayRegistry } from './memory-gateway-registry.ts';
import { standingClock } from './presence-leases.contract.ts';
import { heartbeatMs, registryHeartbeat } from './registry-heartbeat.ts';
import { registryView } from './registry-view.ts';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Of one process: a gateway, the registry it is known in, and how that is seen. */
const scene = async () => {
  const clock = standingClock();
  const ticks = new Set<() => void>();
  const everySecond = (work: () => void) => {
    ticks.add(work);
    return () => void ticks.delete(work);
  };
  const held = { registry: memoryGatewayRegistry(clock), away: false, announcements: 0 };
  const here = <T>(work: () => Promise<T>): Promise<T> => (held.away ? Promise.reject(new Error('away')) : work());
  const registry: GatewayRegistry = {
    announce: (gateway) => here(() => (held.announcements++, held.registry.announce(gateway))),
    withdraw: (serverId) => here(() => held.registry.withdraw(serverId)),
    list: () => here(() => held.registry.list()),
  };
  const warnings: string[] = [];
  const warn = (_: unknown, message: string): void => void warnings.push(message);
  let state: Partial<AnnouncedGateway> = {};
  const self = (): AnnouncedGateway => announcedGateway('a', state);
  const deps = { registry, clock, everySecond, warn };
  const heartbeat = registryHeartbeat({ ...deps, self });
  await settled();
  const view = registryView(deps);
  await settled();
  return {
    ...{ heartbeat, view, held, warnings, ticks },
    become: (next: Partial<AnnouncedGateway>) => void (state = next),
    forget: () => void (held.registry = memoryGatewayRegistry(clock)),
    seconds: async (count: number) => {
      for (let i = 0; i < count; i++) {
        await clock.pass(1_000);
        for (const tick of ticks) tick();
        await settled();
      }
    },
  };
};

test('F56: a gateway is known at once and refreshed by its heartbeats, of which two may be lost', async () => {
  expect(heartbeatMs * 3).toBeLessThanOrEqual(suspectAfterMs);
  const { view, held, become, seconds } = await scene();
  expect(view.seen()).toMatchObject({ gateways: [{ serverId: 'a', connections: 0 }], isStale: false });
  become({ connections: 7 });
  await seconds(30);
  expect(held.announcements).toBe(4);
  expect(view.seen()).toMatchObject({ gateways: [{ connections: 7, silentMs: 0 }] });
});

test('F55: that it drains, and that it takes no sockets, is known within a second or two', async () => {
  const { view, become, seconds } = await scene();
  become({ notReady: 'log' });
  await seconds(2);
  expect(view.seen()).toMatchObject({ gateways: [{ notReady: 'log' }] });
  become({ draining: true });
  await seconds(2);
  expect(view.seen()).toMatchObject({ gateways: [{ draining: true, notReady: null }] });
});

test('who ends is withdrawn, and leaves no timer', async () => {
  const { view, heartbeat, seconds, ticks } = await scene();
  await heartbeat.end();
  await seconds(1);
  expect(view.seen()).toEqual({ gateways: [], isStale: false });
  view.close();
  expect(ticks.size).toBe(0);
});

test('F56: a registry that forgot everything knows it again within a heartbeat', async () => {
  const { view, forget, seconds } = await scene();
  forget();
  await seconds(1);
  expect(view.seen()).toEqual({ gateways: [], isStale: false });
  await seconds(heartbeatMs / 1_000);
  expect(view.seen().gateways).toHaveLength(1);
});

test('D12: while the registry is away its last answer stands, marked; it is told as soon as it is back', async () => {
  const { view, heartbeat, held, become, seconds, warnings } = await scene();
  held.away = true;
  await seconds(100);
  expect(view.seen()).toMatchObject({ gateways: [{ serverId: 'a', connections: 0 }], isStale: true });
  expect(warnings).toHaveLength(2);
  become({ connections: 5 });
  held.away = false;
  await seconds(2);
  expect(view.seen()).toMatchObject({ gateways: [{ connections: 5 }], isStale: false });
  held.away = true;
  await heartbeat.end();
  expect(warnings).toHaveLength(3);
});
