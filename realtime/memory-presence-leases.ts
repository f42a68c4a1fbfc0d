import type { Clock } from '../command-side/clock.ts';
import type { DeviceId, UserId } from '../schemas/ids.ts';
import type { Lapsed, PresenceLeases } from './presence-leases.ts';

interface Held {
  /** Until when, on the monotonic clock, each device's lease runs. */
  readonly devices: Map<DeviceId, number>;
  lastSeen: number;
}

/** For one process. */
export const memoryPresenceLeases = (leaseMs: number, clock: Clock): PresenceLeases => {
  const held = new Map<UserId, Held>();
  const runs = ({ devices }: Held, now: number): boolean => {
    for (const until of devices.values()) if (until > now) return true;
    return false;
  };

  return {
    async renew(devices, seenAt) {
      const until = clock.monotonic() + leaseMs;
      for (const { userId, deviceId } of devices) {
        const holder = held.get(userId) ?? { devices: new Map<DeviceId, number>(), lastSeen: seenAt };
        holder.devices.set(deviceId, until);
        holder.lastSeen = Math.max(holder.lastSeen, seenAt);
        held.set(userId, holder);
      }
    },
    async release(user, device) {
      const holder = held.get(user);
      if (holder === undefined) return false;
      if (device === null) holder.devices.clear();
      else holder.devices.delete(device);
      if (runs(holder, clock.monotonic())) return true;
      held.delete(user);
      return false;
    },
    async present(users) {
      const now = clock.monotonic();
      return new Set(
        users.filter((user) => {
          const holder = held.get(user);
          return holder !== undefined && runs(holder, now);
        }),
      );
    },
    async takeLapsed(most) {
      const now = clock.monotonic();
      const lapsed: Lapsed[] = [];
      for (const [userId, holder] of held) {
        if (lapsed.length >= most) break;
        if (runs(holder, now)) continue;
        lapsed.push({ userId, lastSeen: holder.lastSeen });
        held.delete(userId);
      }
      return lapsed;
    },
  };
};
