import type { ConversationId, UserId } from '../schemas/ids.ts';
import { partsOf, windowOf, type WindowParts } from './id-window.ts';
import type { ChatSettings, SavedAnswer, UserSettings } from './user-settings.ts';

/** Raise it whenever the form below or what `evolveUserSettings` makes of an event changes. */
export const userSettingsCodeVersion = 2;

interface Form {
  readonly chats: readonly (readonly [ConversationId, ChatSettings])[];
  readonly blocked: readonly UserId[];
  readonly erased: boolean;
  readonly window: WindowParts<SavedAnswer>;
}

/** The state for a `Snapshot` of `userSettingsCodeVersion`; it holds no personal data. */
export const userSettingsToSnapshot = ({ chats, blocked, erased, window }: UserSettings): string => {
  const form: Form = { chats: [...chats], blocked: [...blocked], erased, window: partsOf(window) };
  return JSON.stringify(form);
};

/** For a state of `userSettingsCodeVersion` whose checksum is right: such a one was made above, as the type says. */
export const userSettingsFromSnapshot = (state: string): UserSettings => {
  const { chats, blocked, erased, window } = JSON.parse(state) as Form;
  return { chats: new Map(chats), blocked: new Set(blocked), erased, window: windowOf(window) };
};
