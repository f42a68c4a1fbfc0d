import { isUserEvent } from '../domain/fold.ts';
import { answersIn } from '../domain/id-window.ts';
import {
  userSettingsCodeVersion,
  userSettingsFromSnapshot,
  userSettingsToSnapshot,
} from '../domain/user-settings-snapshot.ts';
import { evolveUserSettings, foldUserSettings, type UserSettings } from '../domain/user-settings.ts';
import type { UserId } from '../schemas/ids.ts';
import { userStream } from '../schemas/streams.ts';
import { streamCache, type StreamCache, type StreamCacheDeps } from './stream-cache.ts';

export type UserSettingsCache = StreamCache<UserId, UserSettings>;

export const userSettingsCache = (deps: StreamCacheDeps, mostWeight = 100_000): UserSettingsCache =>
  streamCache(
    deps,
    {
      stream: userStream,
      fold: foldUserSettings,
      evolve: (before, event, recording) =>
        isUserEvent(event) ? evolveUserSettings(before, event, recording) : before,
      codeVersion: userSettingsCodeVersion,
      toSnapshot: userSettingsToSnapshot,
      fromSnapshot: userSettingsFromSnapshot,
      weightOf: (state) =>
        state === undefined ? 2 : 2 + answersIn(state.window) + (state.blocked.size + state.chats.size) / 2,
    },
    mostWeight,
  );
