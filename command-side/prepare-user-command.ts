import type { UserCommand as ResolvedCommand } from '../domain/user-settings.ts';
import type { UserCommand, UserRef } from '../schemas/commands.ts';
import type { ConversationId, Seq, UserId } from '../schemas/ids.ts';
import { refused, unavailable } from './answers.ts';
import type { Caller, CommandAnswer } from './command-gateway.ts';
import type { ConversationCache } from './conversation-cache.ts';
import type { KnownUsers } from './known-users.ts';
import type { PendingSetting } from './user-settings-turn.ts';

type PrepareUserCommand = (
  caller: Caller,
  command: UserCommand,
  resolve: (user: UserRef) => UserId,
  answer: (answer: CommandAnswer) => void,
) => Promise<PendingSetting | CommandAnswer>;

/** About what the largest event of a user's own stream has: a profile. */
const settingBytes = 4_096;

export const prepareUserCommand = ({
  conversations,
  users,
}: {
  readonly conversations: ConversationCache;
  readonly users: KnownUsers;
}): PrepareUserCommand => {
  /** Undefined: not a member; null: this process cannot say. */
  const seqFor = async (by: UserId, id: ConversationId): Promise<Seq | undefined | null> => {
    const tip = await conversations.load(id);
    if ('blocked' in tip) return null;
    return tip.state?.members.has(by) === true ? tip.state.seq : undefined;
  };

  return async ({ userId: by, deviceId }, command, resolve, answer) => {
    const pendingOf = (resolved: ResolvedCommand, userMissing = false): PendingSetting => ({
      by,
      command: resolved,
      bytes: settingBytes,
      missedAt: undefined,
      userMissing,
      eventIds: [],
      answer,
    });
    const { commandId: id } = command;
    switch (command.type) {
      case 'change-chat-settings': {
        const { type, conversationId, mutedUntil, pinned, archived } = command;
        const seq = await seqFor(by, conversationId);
        if (seq === null) return refused(unavailable('this server does not know all of the conversation'));
        return pendingOf({ type, id, by, conversationId, mutedUntil, pinned, archived, seq });
      }
      case 'block': {
        const user = resolve(command.user);
        return pendingOf({ type: 'block', id, by, user }, !(await users.isRegistered(user)));
      }
      case 'unblock':
        return pendingOf({ type: 'unblock', id, by, user: resolve(command.user) });
      case 'change-profile': {
        const { type, commandId, ...profile } = command;
        return pendingOf({ type, id: commandId, by, profile });
      }
      case 'sign-out':
        return pendingOf({
          type: 'sign-out',
          id,
          by,
          deviceId: command.deviceId === undefined ? deviceId : command.deviceId,
        });
      default:
        return command satisfies never;
    }
  };
};
