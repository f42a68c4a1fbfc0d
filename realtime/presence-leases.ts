import type { DeviceId, UserId } from '../schemas/ids.ts';

/** A device of a user. */
export interface PresentDevice {
  readonly userId: UserId;
  readonly deviceId: DeviceId;
}

/** A user whose last lease has run out. */
export interface Lapsed {
  readonly userId: UserId;
  /** The last sign of life of any of its devices, in milliseconds. */
  readonly lastSeen: number;
}

/**
 * Who is there now. Each device holds a lease, which its heartbeats renew; a user is there as long as one of its devices'
 * leases runs. Several processes may share the leases.
 *
 * Nothing of it is durable: leases that are lost come back with the next heartbeats, and a user that was handed out as
 * lapsed to a process that ended at that moment is found by the sweep of those without a lease (presence-keeper.ts). So a
 * call may reject, and nothing but presence suffers.
 */
export interface PresenceLeases {
  /** From now on the devices' leases run for their whole length. `seenAt`: their last sign of life. */
  renew(devices: readonly PresentDevice[], seenAt: number): Promise<void>;

  /** Ends the lease of a device, or (null) of all the user's devices; whether the user holds another one. */
  release(user: UserId, device: PresentDevice['deviceId'] | null): Promise<boolean>;

  /** Those of the users who are there. */
  present(users: readonly UserId[]): Promise<ReadonlySet<UserId>>;

  /** Users who lapsed, each given to one caller once, at most so many. */
  takeLapsed(most: number): Promise<readonly Lapsed[]>;
}
