import type { PresenceCommand } from '../domain/presence.ts';
import { LogAway, type EventLog } from '../event-log/event-log.ts';
import {
  commandIdOf,
  isUserCommand,
  type Command,
  type ConversationCommand,
  type MarkCommand,
  type UserCommand,
  type UserRef,
} from '../schemas/commands.ts';
import { reject } from '../schemas/errors.ts';
import { uuidV7, type ConversationId, type UserId } from '../schemas/ids.ts';
import type { Limits } from '../schemas/limits.ts';
import type { Metric } from '../schemas/metrics.ts';
import { AccountsAway, type AccountsStore } from './accounts-store.ts';
import { busy, rateLimited, refused, unavailable } from './answers.ts';
import type { Clock, RandomBytes } from './clock.ts';
import type { Caller, CommandAnswer, CommandGateway } from './command-gateway.ts';
import { CommandMetrics } from './command-metrics.ts';
import { conversationCache } from './conversation-cache.ts';
import { conversationTurn, type Pending } from './conversation-turn.ts';
import { decideInTurn, type TurnItem } from './decide-in-turn.ts';
import type { StoredCommands } from './find-stored.ts';
import type { KnownUsers } from './known-users.ts';
import { idLookUps } from './look-up-id.ts';
import { paceDeliveries } from './pace-deliveries.ts';
import { preparations } from './preparation.ts';
import { prepareCommand, type Asked } from './prepare-command.ts';
import { prepareMark, type AskedMark } from './prepare-mark.ts';
import { prepareUserCommand } from './prepare-user-command.ts';
import type { PresenceGateway } from './presence-gateway.ts';
import { presenceCache, presenceTurn, type PendingPresence } from './presence-turn.ts';
import { localRateLimits, type NewRateLimit } from './rate-limit.ts';
import { receiptsCache } from './receipts-cache.ts';
import { receiptsTurn, type PendingMark } from './receipts-turn.ts';
import { bodyOf, conversationIdOf, resolveUser } from './resolve-command.ts';
import type { SnapshotStore } from './snapshot-store.ts';
import { streamQueues, type StreamQueues } from './stream-queue.ts';
import { userSettingsCache } from './user-settings-cache.ts';
import { userSettingsTurn, type PendingSetting } from './user-settings-turn.ts';
import type { Warn } from './warn.ts';

export interface CommandHandlerDeps {
  readonly eventLog: EventLog;
  readonly accounts: AccountsStore;
  readonly snapshots: SnapshotStore;
  readonly inbox: StoredCommands;
  readonly users: KnownUsers;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly limits: Limits;
  /** Unless given, this process keeps limits by itself. */
  readonly newRateLimit?: NewRateLimit;
  /** Where faults of the server go. */
  readonly report: Warn;
}

export interface CommandHandler extends CommandGateway {
  readonly presence: PresenceGateway;
  readonly metrics: readonly Metric[];
  /** From now on commands are refused as `draining`; resolves when those under way have their answers. */
  drain(): Promise<void>;
}

type Answer = (answer: CommandAnswer) => void;

/** About what an announced status takes at most. */
const statusBytes = 2_048;
const drainRetryMs = 1_000;
const drainJitterMs = 4_000;

/** Load, decide, append, answer: the way of every command, whichever door it came through. */
export const commandHandler = (deps: CommandHandlerDeps): CommandHandler => {
  const { accounts, clock, randomBytes, limits, report, newRateLimit = localRateLimits(clock) } = deps;
  const metrics = new CommandMetrics();
  const turnDeps = { ...deps, conflicted: () => metrics.conflicted() };
  const conversations = conversationCache(deps);
  const allowance = newRateLimit('sends', limits.sendBurst, limits.sendsPerSecond);
  const marksAllowance = newRateLimit('marks', limits.markBurst, limits.marksPerSecond);
  const lookUps = idLookUps({ ...deps, allowance });
  const prepare = prepareCommand({ ...deps, cache: conversations, lookUps });
  const settings = userSettingsCache(deps);
  const preparedMark = prepareMark({ ...deps, conversations, settings });
  const preparedSetting = prepareUserCommand({ ...deps, conversations });
  const preparing = preparations();

  const conversationQueues = streamQueues<ConversationId, Pending>(
    decideInTurn(turnDeps, conversations, conversationTurn({ ...deps, lookUps })),
  );
  const receiptsQueues = streamQueues<ConversationId, PendingMark>(
    decideInTurn(turnDeps, receiptsCache(deps), receiptsTurn(deps)),
  );
  const userQueues = streamQueues<UserId, PendingSetting>(
    decideInTurn(turnDeps, settings, userSettingsTurn({ ...deps, allowance })),
  );

  const presenceQueues = streamQueues<UserId, PendingPresence>(
    decideInTurn(turnDeps, presenceCache(deps), presenceTurn(deps)),
  );
  const deliveries = paceDeliveries<ConversationId>((id, pending) => enqueue(receiptsQueues, id, pending, 'receipts'));

  let underWay = 0;
  let drained: PromiseWithResolvers<void> | undefined;

  const enqueue = <Id, Item extends TurnItem>(
    queues: StreamQueues<Id, Item>,
    id: Id,
    item: Item,
    name: string,
  ): void => {
    if (!queues.add(id, item)) item.answer(refused(busy(name)));
  };

  const faulted = (error: unknown, message: string, of: Readonly<Record<string, unknown>>): CommandAnswer => {
    const fault = uuidV7(clock.now(), randomBytes(10));
    report({ err: error, fault, ...of }, message);
    return refused(reject('internal', `a fault of the server, ${fault} in its log`));
  };

  /** For what takes more than memory: prepared in its lane, then queued unless that already gave the answer. */
  const prepareSlowly = <Item extends TurnItem>(
    lane: string,
    answer: Answer,
    prepared: () => Promise<Item | CommandAnswer>,
    queue: (item: Item) => void,
  ): void => {
    const run = async (): Promise<void> => {
      try {
        const outcome = await prepared();
        if ('ok' in outcome) answer(outcome);
        else queue(outcome);
      } catch (error) {
        const isAway = error instanceof AccountsAway || error instanceof LogAway;
        answer(
          isAway ? refused(unavailable(error.message)) : faulted(error, 'a command could not be prepared', { lane }),
        );
      }
    };
    preparing.add(lane, { answer, run });
  };

  const beginConversation = (caller: Caller, command: ConversationCommand, answer: Answer): void => {
    const { userId: by } = caller;
    const body = bodyOf(command, (user: UserRef) => resolveUser(accounts.installKey, caller, user));
    const conversationId = conversationIdOf(command, body, by);
    const asked: Asked = { id: commandIdOf(command), by, conversationId, body, answer };
    const queue = (pending: Pending): void => enqueue(conversationQueues, conversationId, pending, 'conversation');
    const lane = conversationId + by;
    const pending = preparing.has(lane) ? undefined : prepare.now(asked);
    if (pending === undefined) prepareSlowly(lane, answer, () => prepare.slowly(asked), queue);
    else queue(pending);
  };

  const beginMark = ({ userId: by }: Caller, command: MarkCommand, answer: Answer): void => {
    const { conversationId, delivered, read } = command;
    const asked: AskedMark = { conversationId, mark: { by, delivered, read }, answer };
    const lane = `marks ${conversationId}${by}`;
    const queue = (pending: PendingMark): void => deliveries.add(lane, conversationId, pending);
    const pending = preparing.has(lane) ? undefined : preparedMark.now(asked);
    if (pending === undefined) prepareSlowly(lane, answer, () => preparedMark.slowly(asked), queue);
    else queue(pending);
  };

  const beginSetting = (caller: Caller, command: UserCommand, answer: Answer): void => {
    const { userId: by } = caller;
    const resolve = (user: UserRef): UserId => resolveUser(accounts.installKey, caller, user);
    const queue = (pending: PendingSetting): void => enqueue(userQueues, by, pending, 'user');
    prepareSlowly(`user ${by}`, answer, () => preparedSetting(caller, command, resolve, answer), queue);
  };

  const beginPresence = (by: UserId, command: PresenceCommand, answer: Answer): void =>
    enqueue(presenceQueues, by, { by, command, bytes: statusBytes, answer }, 'presence');

  const sayPresence = (by: UserId, command: PresenceCommand): Promise<boolean> =>
    new Promise((resolve) => {
      if (drained === undefined) beginPresence(by, command, ({ ok }) => resolve(ok));
      else resolve(false);
    });

  /** A resolver that counts, and counts once. */
  const counted = (type: Command['type'], resolve: Answer): Answer => {
    const startedAt = clock.monotonic();
    let answered = false;
    underWay++;
    return (answer) => {
      if (answered) return;
      answered = true;
      metrics.answered(type, answer, clock.monotonic() - startedAt);
      resolve(answer);
      if (--underWay === 0) drained?.resolve();
    };
  };

  const refusal = (by: UserId, command: Command): CommandAnswer | undefined => {
    if (drained !== undefined) {
      const retryAfterMs = drainRetryMs + Math.floor(((randomBytes(1)[0] ?? 0) / 256) * drainJitterMs);
      return refused(reject('draining', 'this server is shutting down; nothing was written', { retryAfterMs }));
    }
    const isMark = command.type === 'mark';
    const retryAfterMs = (isMark ? marksAllowance : allowance).take(by, 1);
    return retryAfterMs === undefined ? undefined : refused(rateLimited(isMark ? 'receipts' : 'user', retryAfterMs));
  };

  return {
    submit(caller, command) {
      const refusedNow = refusal(caller.userId, command);
      if (refusedNow !== undefined) {
        metrics.answered(command.type, refusedNow, 0);
        return Promise.resolve(refusedNow);
      }
      return new Promise((resolve) => {
        const answer = counted(command.type, resolve);
        try {
          if (command.type === 'mark') beginMark(caller, command, answer);
          else if (command.type === 'announce-status') {
            const { type, availability, text } = command;
            beginPresence(caller.userId, { type, availability, text }, answer);
          } else if (isUserCommand(command)) beginSetting(caller, command, answer);
          else beginConversation(caller, command, answer);
        } catch (error) {
          answer(faulted(error, 'a command could not be begun', { type: command.type }));
        }
      });
    },
    presence: {
      comeOnline: (user) => sayPresence(user, { type: 'come-online' }),
      goOffline: (user, lastSeen) => sayPresence(user, { type: 'go-offline', lastSeen }),
    },
    metrics: metrics.all,
    async drain() {
      drained ??= Promise.withResolvers();
      deliveries.flush();
      if (underWay === 0) drained.resolve();
      await drained.promise;
    },
  };
};
