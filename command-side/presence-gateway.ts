import type { UserId } from '../schemas/ids.ts';

/**
 * The way by which who comes and goes gets into the log: a function call, or one HTTP call to another process. Saying what
 * the log says already changes nothing, whoever says it. `false`: it could not be said now. Never throws.
 */
export interface PresenceGateway {
  comeOnline(user: UserId): Promise<boolean>;
  /** `lastSeen`: the last sign of life, in milliseconds. */
  goOffline(user: UserId, lastSeen: number): Promise<boolean>;
}
