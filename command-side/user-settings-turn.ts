import {
  aboutCommand,
  aboutEvent,
  decideUserSettings,
  evolveUserSettings,
  type SavedAnswer,
  type UserCommand,
  type UserSettings,
} from '../domain/user-settings.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { slotOf, type UserId } from '../schemas/ids.ts';
import { chatSettingsSlots, everySlot } from '../schemas/slots.ts';
import { userStream } from '../schemas/streams.ts';
import type { UserEvent } from '../schemas/user-events.ts';
import { isUserEvent } from '../domain/fold.ts';
import { idReused, rateLimited, refused, savedAs, unavailable } from './answers.ts';
import type { Clock, RandomBytes } from './clock.ts';
import type { DecideItems } from './decide-in-turn.ts';
import { lookUpCost, searchId } from './look-up-id.ts';
import { planBatch, type CommandRules, type Waiting } from './plan-batch.ts';
import type { RateLimit } from './rate-limit.ts';
import { planned, type AnswerAs } from './settle-batch.ts';
import type { StreamTip } from './stream-cache.ts';

/** A command in the queue of its user. */
export type PendingSetting = Waiting<UserCommand>;

export interface UserSettingsTurnDeps {
  readonly eventLog: EventLog;
  readonly allowance: RateLimit;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
}

const rules: CommandRules<UserSettings, SavedAnswer, PendingSetting, UserEvent> = {
  windowOf: ({ window }) => window,
  isSame: ({ about }, { command }) => about === aboutCommand(command),
  needsTarget: () => false,
  decide: (state, { command }) => decideUserSettings(state, command),
  evolve: evolveUserSettings,
};

const slotsOf = (command: UserCommand): readonly number[] => {
  switch (command.type) {
    case 'block':
    case 'unblock':
      return everySlot;
    case 'change-chat-settings':
      return chatSettingsSlots(command.by, command.conversationId);
    case 'change-profile':
    case 'sign-out':
      return [slotOf(command.by)];
    default:
      return command satisfies never;
  }
};

const answerAs: AnswerAs<PendingSetting> = ({ command }, first, position) => savedAs(first, position, slotsOf(command));

export const userSettingsTurn = (deps: UserSettingsTurnDeps): DecideItems<UserId, UserSettings, PendingSetting> => {
  const { eventLog, allowance } = deps;

  const findId = async (
    item: PendingSetting,
    { state, revision, position }: StreamTip<UserSettings>,
  ): Promise<boolean> => {
    const { command, by } = item;
    const retryAfterMs = allowance.take(by, lookUpCost);
    if (retryAfterMs !== undefined) {
      item.answer(refused(rateLimited('user', retryAfterMs)));
      return false;
    }
    const found = await searchId<SavedAnswer>(eventLog, {
      stream: userStream(by),
      from: revision,
      answerIn({ event, time, link }) {
        if (event === undefined || !isUserEvent(event)) return undefined;
        const about = aboutEvent(event);
        const { id } = command;
        const isOf = about !== undefined && 'commandId' in event && event.commandId === id;
        return isOf ? { id, about, time, chain: link ?? '' } : undefined;
      },
      endsAt: () => false,
    });
    if (found === 'new') {
      item.missedAt = state?.window.arrivals;
      return true;
    }
    if (found === 'undecided') item.answer(refused(unavailable('the id is too old to be looked up now')));
    else if (rules.isSame(found.known, item)) item.answer(answerAs(item, found.known, position));
    else item.answer(refused(idReused(command.type)));
    return false;
  };

  return (_, tip, batch) => {
    const plan = planBatch(tip, batch, rules, deps);
    return planned(batch, plan, tip, answerAs, (first) => findId(first, tip));
  };
};
