import { memoryPresenceLeases } from './memory-presence-leases.ts';
import { presenceLeasesContract, standingClock } from './presence-leases.contract.ts';

presenceLeasesContract('memory', async (leaseMs) => {
  const clock = standingClock();
  return { leases: memoryPresenceLeases(leaseMs, clock), pass: clock.pass, close: () => Promise.resolve() };
});
