import { beforeEach, expect, test } from 'vitest';
import { deviceId, userId, type UserId } from '../schemas/ids.ts';
import { memoryPresenceLeases } from './memory-presence-leases.ts';
import { PresenceKeeper } from './presence-keeper.ts';
import { standingClock } from './presence-leases.contract.ts';
import type { PresenceLeases } from './presence-leases.ts';

const leaseMs = 60_000;
const idOf = (name: string): UserId => userId.parse(name.padEnd(21, '_') + 'A');
const [ada, bob] = [idOf('ada'), idOf('bob')];
const phone = (user: UserId) => ({ userId: user, deviceId: deviceId.parse('phone') });

/** The log's word, as the command side keeps it: every transition, and who is online. */
class Word {
  readonly said: string[] = [];
  readonly online = new Set<UserId>();
  isAway = false;
  readonly gateway = {
    comeOnline: async (user: UserId): Promise<boolean> => this.#say(user, true, 'came'),
    goOffline: async (user: UserId, lastSeen: number): Promise<boolean> => this.#say(user, false, `went ${lastSeen}`),
  };
  readonly inbox = {
    onlineAfter: async (user: UserId | null, limit: number): Promise<readonly UserId[]> =>
      [...this.online]
        .toSorted()
        .filter((one) => user === null || one > user)
        .slice(0, limit),
  };

  #say(user: UserId, isOnline: boolean, what: string): boolean {
    if (this.isAway) return false;
    if (this.online.has(user) === isOnline) return true;
    if (isOnline) this.online.add(user);
    else this.online.delete(user);
    this.said.push(`${user.slice(0, 3)} ${what}`);
    return true;
  }
}

let clock: ReturnType<typeof standingClock>;
let word: Word;
let here: Set<UserId>;
let warnings: string[];
let fault: Error | undefined;
beforeEach(() => {
  clock = standingClock();
  word = new Word();
  here = new Set();
  warnings = [];
  fault = undefined;
});

const faulty = (leases: PresenceLeases): PresenceLeases => {
  const unlessFaulty = async <T>(answer: () => Promise<T>): Promise<T> => {
    if (fault !== undefined) throw fault;
    return answer();
  };
  return {
    renew: (...given) => unlessFaulty(() => leases.renew(...given)),
    release: (...given) => unlessFaulty(() => leases.release(...given)),
    present: (...given) => unlessFaulty(() => leases.present(...given)),
    takeLapsed: (...given) => unlessFaulty(() => leases.takeLapsed(...given)),
  };
};
const newKeeper = (
  leases = memoryPresenceLeases(leaseMs, clock),
  isHere = (user: UserId): boolean => here.has(user),
): PresenceKeeper =>
  new PresenceKeeper({
    leases: faulty(leases),
    presence: word.gateway,
    inbox: word.inbox,
    isHere,
    clock,
    offlineAfterMs: leaseMs,
    lastWrittenAt: () => Promise.resolve(77),
    warn: (_, message) => warnings.push(message),
  });
const come = (keeper: PresenceKeeper, user: UserId): void => {
  here.add(user);
  keeper.heard(phone(user));
};
const leave = (keeper: PresenceKeeper, user: UserId): void => {
  here.delete(user);
  keeper.gone(user);
};

test('N1: who is away for less than a lease never went', async () => {
  const keeper = newKeeper();
  come(keeper, ada);
  await keeper.tick();
  for (let times = 0; times < 5; times++) {
    leave(keeper, ada);
    await clock.pass(leaseMs * 0.9);
    await keeper.tick();
    come(keeper, ada);
    await keeper.tick();
  }
  expect(word.said).toEqual(['ada came']);
  leave(keeper, ada);
  const lastSeen = clock.now();
  await clock.pass(leaseMs * 1.1);
  await keeper.tick();
  expect(word.said).toEqual(['ada came', `ada went ${lastSeen}`]);
});

test('F38: what the log could not be told is said again until it is', async () => {
  const keeper = newKeeper();
  word.isAway = true;
  come(keeper, ada);
  for (let times = 0; times < 3; times++) await keeper.tick();
  word.isAway = false;
  await keeper.tick();
  expect(word.said).toEqual(['ada came']);
  leave(keeper, ada);
  await clock.pass(leaseMs * 1.1);
  word.isAway = true;
  await keeper.tick();
  word.isAway = false;
  await keeper.tick();
  expect(word.said).toHaveLength(2);
});

test('after a start those who do not come back are swept when a lease has passed, and were last seen before the start', async () => {
  word.online.add(ada).add(bob);
  const keeper = newKeeper();
  come(keeper, bob);
  for (let quarter = 0; quarter < 3; quarter++) {
    await keeper.tick();
    keeper.heard(phone(bob));
    await clock.pass(leaseMs / 4);
  }
  await keeper.tick();
  expect(word.said).toEqual([]);
  await clock.pass(leaseMs / 4);
  await keeper.tick();
  expect(word.said).toEqual(['ada went 77']);
  expect([...word.online]).toEqual([bob]);
});

test('N5: two sweeps at once are one transition; who was swept by mistake comes again by itself', async () => {
  const leases = memoryPresenceLeases(leaseMs, clock);
  const [one, other] = [newKeeper(leases), newKeeper(undefined, () => false)];
  come(one, ada);
  await one.tick();
  one.saw(ada, true);
  await clock.pass(leaseMs * 0.9);
  one.heard(phone(ada));
  await one.tick();
  await clock.pass(leaseMs * 0.2);
  // A process that shares no leases, and knows nothing of ada.
  await Promise.all([other.tick(), other.tick()]);
  expect(word.said.filter((said) => said.startsWith('ada went'))).toHaveLength(1);
  one.saw(ada, false);
  await one.tick();
  expect(word.online.has(ada)).toBe(true);
});

test('D12: leases that are lost take nobody away whose socket is here', async () => {
  const keeper = newKeeper();
  come(keeper, ada);
  await keeper.tick();
  expect([...word.online]).toEqual([ada]);
  const overLostLeases = newKeeper();
  await clock.pass(leaseMs * 1.1);
  await overLostLeases.tick();
  expect(word.said).toEqual(['ada came']);
});

test('D12: while the leases are away nobody is swept, and not before a whole lease has passed when they are back', async () => {
  const keeper = newKeeper();
  come(keeper, ada);
  await keeper.tick();
  word.online.add(bob);
  fault = new Error('away');
  for (let times = 0; times < 4; times++) {
    await clock.pass(leaseMs);
    await keeper.tick();
  }
  expect(warnings).toHaveLength(1);
  expect(word.said).toEqual(['ada came']);
  fault = undefined;
  keeper.heard(phone(ada));
  await keeper.tick();
  await clock.pass(leaseMs * 0.9);
  keeper.heard(phone(ada));
  await keeper.tick();
  expect(word.said).toEqual(['ada came']);
  await clock.pass(leaseMs * 0.2);
  await keeper.tick();
  expect(word.said).toHaveLength(2);
  expect(word.said[1]).toMatch(/^bob went/);
});

test('F69: signed out is offline at once, unless another device is there, be it only just', async () => {
  const keeper = newKeeper();
  come(keeper, ada);
  await keeper.tick();
  keeper.heard({ userId: ada, deviceId: deviceId.parse('laptop') });
  await keeper.ended(ada, deviceId.parse('phone'));
  expect(word.said).toEqual(['ada came']);
  await keeper.ended(ada, null);
  expect(word.said).toEqual(['ada came', `ada went ${clock.now()}`]);
  await keeper.tick();
  expect(word.said).toHaveLength(2);
});
