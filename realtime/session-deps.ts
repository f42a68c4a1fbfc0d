import type { Clock } from '../command-side/clock.ts';
import type { CommandGateway } from '../command-side/command-gateway.ts';
import type { PresenceTimes } from '../schemas/configuration.ts';
import type { Limits } from '../schemas/limits.ts';
import type { AnswerPresenceDeps } from './answer-presence.ts';
import type { CatchUpDeps } from './catch-up.ts';
import type { FlushTurn } from './flush-turn.ts';
import type { GiveChatsDeps } from './give-chats.ts';
import type { PresenceKeeper } from './presence-keeper.ts';
import type { RealtimeMetrics } from './realtime-metrics.ts';
import type { RenewTokenDeps } from './renew-token.ts';
import type { Typing } from './typing.ts';

/** What all sessions of a process share. */
export interface SessionDeps extends CatchUpDeps, GiveChatsDeps, AnswerPresenceDeps, RenewTokenDeps {
  readonly gateway: CommandGateway;
  readonly inbox: CatchUpDeps['inbox'] & GiveChatsDeps['inbox'];
  readonly turn: FlushTurn;
  readonly metrics: RealtimeMetrics;
  readonly keeper: PresenceKeeper;
  readonly typing: Typing;
  readonly presence: PresenceTimes;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
}
