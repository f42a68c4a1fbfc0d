import type { Conversation } from './conversation.ts';

/** Raise it whenever the form below or what `evolve` makes of an event changes: older snapshots are then ignored. */
export const conversationCodeVersion = 1;

export const conversationToSnapshot = (conversation: Conversation): string => JSON.stringify(conversation);
export const conversationFromSnapshot = (state: string): Conversation => JSON.parse(state) as Conversation;
