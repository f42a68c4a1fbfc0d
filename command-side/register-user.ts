import type { EventLog } from '../event-log/event-log.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import { newEventId, type UserId } from '../schemas/ids.ts';
import { userStream } from '../schemas/streams.ts';
import type { AccountsStore } from './accounts-store.ts';
import { unavailable } from './answers.ts';
import { appendUntilKnown } from './append-until-known.ts';
import type { Clock, RandomBytes } from './clock.ts';
import type { KnownUsers } from './known-users.ts';
import type { Identity } from './tokens.ts';
import type { Warn } from './warn.ts';

export interface RegisterUserDeps {
  readonly eventLog: EventLog;
  readonly accounts: AccountsStore;
  readonly users: KnownUsers;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly report: Warn;
}

/** Makes sure that the user of a verified token is registered; undefined when so. Never throws. */
export type RegisterUser = (identity: Identity) => Promise<Rejection | undefined>;

const gone = (): Rejection => reject('unauthenticated', 'the account is gone');

/** The first handshake of a user registers it. Handshakes of one user at once share the work. */
export const registerUser = (deps: RegisterUserDeps): RegisterUser => {
  const { eventLog, accounts, users, clock, randomBytes, report } = deps;
  const underWay = new Map<UserId, Promise<Rejection | undefined>>();

  const register = async ({ userId, issuer, subject, kind }: Identity): Promise<Rejection | undefined> => {
    // Durable before the first event that uses it; and an erased user never gets a second one.
    if ((await accounts.createKey(`user:${userId}`)) === 'destroyed') return gone();
    const time = clock.now();
    const eventId = newEventId(time, randomBytes(10));
    const outcome = await appendUntilKnown(
      eventLog,
      clock,
      userStream(userId),
      [
        {
          eventId,
          time,
          causationId: eventId,
          correlationId: eventId,
          event: { type: 'user-registered', kind, issuer, subject },
        },
      ],
      -1,
    );
    switch (outcome.outcome) {
      case 'appended':
      case 'conflict':
        users.add(userId);
        return undefined;
      case 'refused':
        if (outcome.why === 'storage_full') return reject('storage_full', 'the log has no room to register a user');
        return outcome.why === 'key_missing' ? gone() : unavailable(`the log refused: ${outcome.why}`);
      case 'unknown':
        return unavailable('the log does not answer');
      default:
        return outcome satisfies never;
    }
  };

  const registered = async (identity: Identity): Promise<Rejection | undefined> => {
    try {
      // The usual case writes nothing, and reads nothing once the user is known.
      if (await users.isRegistered(identity.userId)) return undefined;
      return await register(identity);
    } catch (error) {
      report({ err: error }, 'a user could not be registered');
      return unavailable('the accounts do not answer');
    }
  };

  return (identity) => {
    const known = underWay.get(identity.userId);
    if (known !== undefined) return known;
    const work = registered(identity).finally(() => underWay.delete(identity.userId));
    underWay.set(identity.userId, work);
    return work;
  };
};
