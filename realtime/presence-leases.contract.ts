import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Clock } from '../command-side/clock.ts';
import { deviceId, userId, type UserId } from '../schemas/ids.ts';
import type { PresenceLeases, PresentDevice } from './presence-leases.ts';

/** Leases that nobody holds yet; `pass` lets time go by for them. */
export interface LeasesUnderTest {
  readonly leases: PresenceLeases;
  readonly pass: (milliseconds: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

export type NewLeases = (leaseMs: number) => Promise<LeasesUnderTest>;

/** A clock that stands until it is told to go on. */
export const standingClock = (): Clock & Pick<LeasesUnderTest, 'pass'> => {
  let at = 1_000;
  return {
    now: () => at,
    monotonic: () => at,
    pass: async (milliseconds) => void (at += milliseconds),
  };
};

const leaseMs = 1_000;

/** What leases keep, wherever they are held. */
export const presenceLeasesContract = (name: string, newLeases: NewLeases): void => {
  describe(`presence leases: ${name}`, () => {
    let leases: PresenceLeases;
    let pass: LeasesUnderTest['pass'];
    let close: LeasesUnderTest['close'];
    let ada: UserId;
    let bob: UserId;
    beforeEach(async () => {
      ({ leases, pass, close } = await newLeases(leaseMs));
      [ada, bob] = [newUser(), newUser()];
    });
    afterEach(() => close());
    const newUser = (): UserId => userId.parse(Buffer.from(randomBytes(16)).toString('base64url'));
    const device = (user: UserId, name = 'phone'): PresentDevice => ({ userId: user, deviceId: deviceId.parse(name) });
    const present = async (): Promise<UserId[]> => [...(await leases.present([ada, bob]))];

    test('F38: a user is there for the length of a lease after the last heartbeat', async () => {
      expect(await present()).toEqual([]);
      await leases.renew([device(ada)], 5);
      await pass(leaseMs * 0.8);
      await leases.renew([device(ada)], 6);
      await pass(leaseMs * 0.8);
      expect(await present()).toEqual([ada]);
      expect(await leases.takeLapsed(10)).toEqual([]);
      await pass(leaseMs * 0.3);
      expect(await present()).toEqual([]);
      expect(await leases.takeLapsed(10)).toEqual([{ userId: ada, lastSeen: 6 }]);
      expect(await leases.takeLapsed(10)).toEqual([]);
    });

    test('the last device out is the user’s end, and who came back is not given out', async () => {
      await leases.renew([device(ada), device(ada, 'laptop'), device(bob)], 5);
      await pass(leaseMs * 0.8);
      await leases.renew([device(ada, 'laptop')], 7);
      await pass(leaseMs * 0.3);
      await leases.renew([device(bob)], 8);
      expect(await leases.takeLapsed(10)).toEqual([]);
      await pass(leaseMs * 0.8);
      expect(await leases.takeLapsed(10)).toEqual([{ userId: ada, lastSeen: 7 }]);
      expect(await present()).toEqual([bob]);
    });

    test('F69: a released lease is gone at once; the user stays with another device, and is not given out as lapsed', async () => {
      await leases.renew([device(ada), device(ada, 'laptop')], 5);
      expect(await leases.release(ada, deviceId.parse('phone'))).toBe(true);
      expect(await leases.release(ada, deviceId.parse('another'))).toBe(true);
      expect(await leases.release(ada, deviceId.parse('laptop'))).toBe(false);
      expect(await present()).toEqual([]);
      await leases.renew([device(bob), device(bob, 'laptop')], 5);
      expect(await leases.release(bob, null)).toBe(false);
      expect(await leases.release(bob, null)).toBe(false);
      await pass(leaseMs * 2);
      expect(await leases.takeLapsed(10)).toEqual([]);
    });

    test('a heartbeat that comes late does not take the last sign of life back', async () => {
      await leases.renew([device(ada)], 9);
      await leases.renew([device(ada, 'laptop')], 7);
      await pass(leaseMs * 1.1);
      expect(await leases.takeLapsed(10)).toEqual([{ userId: ada, lastSeen: 9 }]);
    });

    test('no more lapsed users come at once than were asked for, and none is forgotten', async () => {
      const users = Array.from({ length: 25 }, newUser);
      await leases.renew(
        users.map((user) => device(user)),
        5,
      );
      await pass(leaseMs * 1.1);
      const taken: UserId[] = [];
      for (;;) {
        const lapsed = await leases.takeLapsed(10);
        expect(lapsed.length).toBeLessThanOrEqual(10);
        if (lapsed.length === 0) break;
        taken.push(...lapsed.map(({ userId: user }) => user));
      }
      expect(taken.toSorted()).toEqual(users.toSorted());
    });
  });
};
