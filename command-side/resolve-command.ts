import type { ConversationCommand } from '../domain/decide-conversation.ts';
import type { ConversationCommand as GivenCommand, UserRef } from '../schemas/commands.ts';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import type { Caller } from './command-gateway.ts';
import { deriveDirectId, deriveGroupId, deriveUserId } from './derive-ids.ts';

type WithoutSender<C> = C extends unknown ? Omit<C, 'id' | 'by' | 'mac'> : never;

/** What a command asks for, with every name resolved: what has to be equal when its id comes again. */
export type CommandBody = WithoutSender<ConversationCommand>;

/** A name without an issuer belongs to the issuer of the caller's own token. */
export const resolveUser = (installKey: Uint8Array, caller: Caller, user: UserRef): UserId =>
  typeof user === 'string' ? user : deriveUserId(installKey, user.issuer ?? caller.issuer, user.name);

export const bodyOf = (command: GivenCommand, resolve: (user: UserRef) => UserId): CommandBody => {
  switch (command.type) {
    case 'send':
      return { type: 'send', content: command.content, replyTo: command.replyTo };
    case 'edit':
      return { type: 'edit', seq: command.seq, content: command.content, target: undefined };
    case 'delete':
      return { type: 'delete', seq: command.seq, target: undefined };
    case 'start-direct':
      return { type: 'start-direct', with: resolve(command.with) };
    case 'create-group':
      return { type: 'create-group', name: command.name, members: command.members.map(resolve) };
    case 'rename':
      return { type: 'rename', name: command.name };
    case 'add-member':
      return { type: 'add-member', user: resolve(command.user) };
    case 'remove-member':
      return { type: 'remove-member', user: resolve(command.user) };
    case 'leave':
      return { type: 'leave' };
    case 'change-role':
      return { type: 'change-role', user: resolve(command.user), role: command.role };
    default:
      return command satisfies never;
  }
};

export const conversationIdOf = (command: GivenCommand, body: CommandBody, by: UserId): ConversationId => {
  if (body.type === 'start-direct') return deriveDirectId(by, body.with);
  if (command.type === 'create-group') return deriveGroupId(by, command.commandId);
  if (command.type === 'start-direct') throw new Error('a body is of its command’s type');
  return command.conversationId;
};

/** The users a command brings into a conversation: they must be registered. */
export const usersBroughtIn = (body: CommandBody): readonly UserId[] => {
  switch (body.type) {
    case 'start-direct':
      return [body.with];
    case 'create-group':
      return [...new Set(body.members)];
    case 'add-member':
      return [body.user];
    case 'send':
    case 'edit':
    case 'delete':
    case 'rename':
    case 'remove-member':
    case 'leave':
    case 'change-role':
      return [];
    default:
      return body satisfies never;
  }
};
