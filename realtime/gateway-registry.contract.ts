import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { gatewayTtlMs, mostGateways, type AnnouncedGateway, type GatewayRegistry } from './gateway-registry.ts';

/** A registry that knows nobody yet; `pass` lets time go by for it. */
export interface RegistryUnderTest {
  readonly registry: GatewayRegistry;
  readonly pass: (milliseconds: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

export const announcedGateway = (serverId: string, more: Partial<AnnouncedGateway> = {}): AnnouncedGateway => ({
  serverId,
  url: `https://${serverId}.example`,
  region: null,
  connections: 0,
  capacity: null,
  draining: false,
  notReady: null,
  since: 1,
  ...more,
});

/** Of real servers the clock goes on by itself; what they take for a test is less than this. */
const leeway = gatewayTtlMs / 10;

/** What a registry keeps, wherever it is held. */
export const gatewayRegistryContract = (name: string, newRegistry: () => Promise<RegistryUnderTest>): void => {
  describe(`gateway registry: ${name}`, () => {
    let registry: GatewayRegistry;
    let pass: RegistryUnderTest['pass'];
    let close: RegistryUnderTest['close'];
    beforeEach(async () => {
      ({ registry, pass, close } = await newRegistry());
    });
    afterEach(() => close());
    const known = async (): Promise<string[]> => (await registry.list()).map(({ serverId }) => serverId).toSorted();

    test('F56: what a gateway said last is known, and for how long it has been silent', async () => {
      expect(await registry.list()).toEqual([]);
      await registry.announce(announcedGateway('a', { connections: 3 }));
      const last = announcedGateway('a', {
        region: 'eu',
        connections: 4,
        capacity: 9,
        draining: true,
        notReady: 'log',
      });
      await registry.announce(last);
      await pass(leeway * 2);
      const [gateway, ...others] = await registry.list();
      expect(others).toEqual([]);
      expect(gateway).toMatchObject(last);
      expect(gateway?.silentMs).toBeGreaterThanOrEqual(leeway * 2);
      expect(gateway?.silentMs).toBeLessThan(leeway * 3);
    });

    test('F56: an entry lives for 300 s after the last heartbeat; that of a crashed server expires', async () => {
      expect(gatewayTtlMs).toBe(300_000);
      await registry.announce(announcedGateway('crashed'));
      await registry.announce(announcedGateway('alive'));
      await pass(gatewayTtlMs - leeway);
      expect(await known()).toEqual(['alive', 'crashed']);
      await registry.announce(announcedGateway('alive'));
      await pass(leeway);
      expect(await known()).toEqual(['alive']);
      await pass(gatewayTtlMs);
      expect(await known()).toEqual([]);
    });

    test('who has ended is gone at once, also if it was never known', async () => {
      await registry.announce(announcedGateway('a'));
      await registry.announce(announcedGateway('b'));
      await registry.withdraw('a');
      await registry.withdraw('nobody');
      expect(await known()).toEqual(['b']);
    });

    test('of more gateways than it gives out, those heard of last are known', async () => {
      const count = mostGateways + 5;
      for (let i = 0; i < count; i++) {
        await registry.announce(announcedGateway(`s${i}`));
        if (i === 4) await pass(leeway);
      }
      const listed = await known();
      expect(listed).toHaveLength(mostGateways);
      expect(listed).not.toContain('s4');
      expect(listed).toContain('s5');
    });
  });
};
