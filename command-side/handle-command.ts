import type { EventLog } from '../event-log/event-log.ts';
import { commandIdOf, type UserRef } from '../schemas/commands.ts';
import { reject } from '../schemas/errors.ts';
import { uuidV7, type ConversationId, type UserId } from '../schemas/ids.ts';
import type { Limits } from '../schemas/limits.ts';
import type { AccountsStore } from './accounts-store.ts';
import { refused } from './answers.ts';
import type { Clock, RandomBytes } from './clock.ts';
import type { CommandAnswer, CommandGateway } from './command-gateway.ts';
import { conversationCache } from './conversation-cache.ts';
import { decideInTurn } from './decide-in-turn.ts';
import type { KnownUsers } from './known-users.ts';
import type { Pending } from './plan-batch.ts';
import { busy, prepareCommand, rateLimited, type Asked } from './prepare-command.ts';
import { rateLimit } from './rate-limit.ts';
import { bodyOf, conversationIdOf, resolveUser } from './resolve-command.ts';
import type { SnapshotStore } from './snapshot-store.ts';
import { streamQueues } from './stream-queue.ts';
import type { Warn } from './warn.ts';

export interface CommandHandlerDeps {
  readonly eventLog: EventLog;
  readonly accounts: AccountsStore;
  readonly snapshots: SnapshotStore;
  readonly users: KnownUsers;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly limits: Limits;
  /** Where faults of the server go. */
  readonly report: Warn;
}

export interface CommandHandler extends CommandGateway {
  /** From now on commands are refused as `draining`; resolves when those under way have their answers. */
  drain(): Promise<void>;
}

const mostInPreparation = 10_000;
const drainRetryMs = 1_000;
const drainJitterMs = 4_000;

/** Load, decide, append, answer: the way of every command, whichever door it came through. */
export const commandHandler = (deps: CommandHandlerDeps): CommandHandler => {
  const { eventLog, accounts, snapshots, clock, randomBytes, limits, report } = deps;
  const cache = conversationCache({ eventLog, snapshots });
  const allowance = rateLimit(limits.sendBurst, limits.sendsPerSecond, clock);
  const prepare = prepareCommand({ ...deps, cache, allowance });
  const queues = streamQueues<ConversationId, Pending>(decideInTurn({ ...deps, cache }));

  /** The last preparation under way of a user in a conversation: who comes after waits, so that the order stays. */
  const preparing = new Map<string, Promise<void>>();
  let inPreparation = 0;
  let underWay = 0;
  let drained: PromiseWithResolvers<void> | undefined;

  const enqueue = (pending: Pending): void => {
    if (!queues.add(pending.conversationId, pending)) pending.answer(refused(busy('conversation')));
  };

  const prepareSlowly = async (asked: Asked): Promise<void> => {
    try {
      const prepared = await prepare.slowly(asked);
      if ('ok' in prepared) asked.answer(prepared);
      else enqueue(prepared);
    } catch (error) {
      const fault = uuidV7(clock.now(), randomBytes(10));
      report({ err: error, fault, conversationId: asked.conversationId }, 'a command could not be prepared');
      asked.answer(refused(reject('internal', `a fault of the server, ${fault} in its log`)));
    }
  };

  const queueBehind = (lane: string, before: Promise<void> | undefined, asked: Asked): void => {
    if (inPreparation >= mostInPreparation) {
      asked.answer(refused(busy('preparation')));
      return;
    }
    inPreparation++;
    const mine = (before ?? Promise.resolve())
      .then(() => prepareSlowly(asked))
      .finally(() => {
        inPreparation--;
        if (preparing.get(lane) === mine) preparing.delete(lane);
      });
    preparing.set(lane, mine);
  };

  const begin = (asked: Asked): void => {
    const lane = asked.conversationId + asked.by;
    const before = preparing.size === 0 ? undefined : preparing.get(lane);
    const pending = before === undefined ? prepare.now(asked) : undefined;
    if (pending === undefined) queueBehind(lane, before, asked);
    else enqueue(pending);
  };

  /** A resolver that counts, and counts once. */
  const counted = (resolve: (answer: CommandAnswer) => void): ((answer: CommandAnswer) => void) => {
    let answered = false;
    underWay++;
    return (answer) => {
      if (answered) return;
      answered = true;
      resolve(answer);
      if (--underWay === 0) drained?.resolve();
    };
  };

  const refusal = (by: UserId): CommandAnswer | undefined => {
    if (drained !== undefined) {
      const retryAfterMs = drainRetryMs + Math.floor(((randomBytes(1)[0] ?? 0) / 256) * drainJitterMs);
      return refused(reject('draining', 'this server is shutting down; nothing was written', { retryAfterMs }));
    }
    const retryAfterMs = allowance.take(by, 1);
    return retryAfterMs === undefined ? undefined : refused(rateLimited(retryAfterMs));
  };

  return {
    submit(caller, command) {
      const { userId: by } = caller;
      const refusedNow = refusal(by);
      if (refusedNow !== undefined) return Promise.resolve(refusedNow);
      const body = bodyOf(command, (user: UserRef) => resolveUser(accounts.installKey, caller, user));
      const conversationId = conversationIdOf(command, body, by);
      return new Promise((resolve) => {
        begin({ id: commandIdOf(command), by, conversationId, body, answer: counted(resolve) });
      });
    },
    async drain() {
      drained ??= Promise.withResolvers();
      if (underWay === 0) drained.resolve();
      await drained.promise;
    },
  };
};
