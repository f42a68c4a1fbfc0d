import { z } from 'zod';
import { deriveUserId } from '../command-side/derive-ids.ts';
import { eraseUser } from '../command-side/erase-user.ts';
import type { AccountsStore } from '../command-side/accounts-store.ts';
import type { Clock, RandomBytes } from '../command-side/clock.ts';
import type { ErasureFollower } from '../command-side/follow-erasures.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { userRef, type UserRef } from '../schemas/commands.ts';
import { reject } from '../schemas/errors.ts';
import type { UserId } from '../schemas/ids.ts';
import type { LogPlace } from '../schemas/log-place.ts';
import { firstIssue } from '../schemas/parse.ts';
import type { StorePlace } from '../schemas/store-place.ts';
import { isStreamKind, type StreamName } from '../schemas/streams.ts';
import { backUp, type BackedUp } from './back-up.ts';
import type { VersionsOperated } from './read-model-versions.ts';
import { Refused } from './refused.ts';
import { missingKeys } from './verify-keys.ts';

export interface OperationsDeps {
  /** The data directory. */
  readonly data: string;
  readonly logIn: LogPlace;
  readonly keysIn: StorePlace;
  /** A user named without an issuer is one of its. */
  readonly issuer: string;
  readonly eventLog: EventLog;
  readonly accounts: AccountsStore;
  readonly erasures: ErasureFollower;
  readonly versions: Readonly<Record<ModelName, VersionsOperated>>;
  /** Called with the time of each backup that was made, in milliseconds. */
  readonly backedUp: (time: number) => void;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
}

const model = z.enum(['inbox', 'search']);
export type ModelName = z.infer<typeof model>;
const models = model.options;
const onModel = z.strictObject({ model });
const nothing = z.strictObject({});
const stream = z.string().transform((name, context): StreamName => {
  const [kind = ''] = name.split('-', 1);
  if (!isStreamKind(kind)) context.addIssue('must be the name of a stream');
  return name as StreamName;
});

/** What an operator may ask for, with what comes from outside checked. Throws `Refused`. */
const operation =
  <Schema extends z.ZodType, Answer>(
    schema: Schema,
    run: (deps: OperationsDeps, given: z.output<Schema>) => Promise<Answer>,
  ) =>
  async (deps: OperationsDeps, given: unknown): Promise<Answer> => {
    const parsed = schema.safeParse(given);
    if (!parsed.success) throw new Refused(reject('invalid', firstIssue(parsed.error)));
    return run(deps, parsed.data);
  };

export const operations = {
  erase: operation(z.strictObject({ user: userRef }), (deps, { user }) => erase(deps, user)),
  status: operation(onModel, async ({ versions }, given) => versions[given.model].status()),
  rebuild: operation(onModel, ({ versions }, given) => versions[given.model].rebuild()),
  compare: operation(onModel, ({ versions }, given) => versions[given.model].compareWithOther()),
  switch: operation(z.strictObject({ model, to: z.enum(['next', 'last']) }), ({ versions }, given) =>
    versions[given.model].switchTo(given.to),
  ),
  drop: operation(onModel, ({ versions }, given) => versions[given.model].drop()),
  verify: operation(onModel, ({ versions }, given) => versions[given.model].compareWithLog()),
  keys: operation(nothing, ({ eventLog, accounts }) => missingKeys(eventLog, accounts)),
  parked: operation(nothing, async ({ versions }) =>
    models.flatMap((name) => versions[name].status().live.parked.map((one) => ({ model: name, ...one }))),
  ),
  retry: operation(z.strictObject({ model, stream }), async ({ versions }, given) => {
    const isParked = (): boolean =>
      versions[given.model].status().live.parked.some((one) => one.stream === given.stream);
    if (!isParked()) throw new Refused(reject('invalid', 'stream: it is not parked'));
    await versions[given.model].retry(given.stream);
    return { stillParked: isParked() };
  }),
  backup: operation(
    z.strictObject({ directory: z.string().min(1) }),
    async ({ data, logIn, keysIn, accounts, clock, backedUp }, { directory }): Promise<BackedUp> => {
      if (logIn.in !== 'sqlite')
        throw new Refused(reject('unsupported', 'the log is on a server, whose own tools back it up'));
      if (keysIn.in !== 'sqlite')
        throw new Refused(reject('unsupported', 'the keys are on a cluster, whose own tools back them up'));
      const made = await backUp({
        data,
        logIn: logIn.directory,
        keysIn: keysIn.directory,
        accounts,
        clock,
        directory,
      });
      backedUp(made.time);
      return made;
    },
  ),
} as const;

export type OperationName = keyof typeof operations;
export type AnswerOf<Name extends OperationName> = Awaited<ReturnType<(typeof operations)[Name]>>;

export const isOperation = (name: string): name is OperationName => Object.hasOwn(operations, name);

const goneWithinMs = 60_000;

export interface ErasedUser {
  readonly userId: UserId;
  readonly outcome: 'erased' | 'unchanged';
  /** Where what the user wrote is shown no more and has left the disk; false: it took too long, and goes on. */
  readonly gone: Readonly<Record<'keys' | ModelName, boolean>>;
}

const erase = async (deps: OperationsDeps, user: UserRef): Promise<ErasedUser> => {
  const { eventLog, accounts, erasures, versions, clock, issuer } = deps;
  const userId = typeof user === 'string' ? user : deriveUserId(accounts.installKey, user.issuer ?? issuer, user.name);
  const erased = await eraseUser(deps, userId);
  if (erased.outcome === 'rejected') throw new Refused(erased.rejection);
  const located = eventLog.locate(eventLog.head());
  if (located.where !== 'known') throw new Refused(reject('unavailable', 'the log does not know its own head'));
  const deadline = clock.monotonic() + goneWithinMs;
  const [keys, inbox, search] = await Promise.all([
    erasures.waitFor(located.place, deadline),
    versions.inbox.erased(located.place, deadline),
    versions.search.erased(located.place, deadline),
  ]);
  return { userId, outcome: erased.outcome, gone: { keys, inbox, search } };
};
