import { backoff, isLive } from './connection.ts';
import type { Core, Moment, Read } from './core.ts';

const keyOf = (read: Read): string => {
  if (read.name === 'messages') return `messages/${read.conversationId}/${read.after ?? 'newest'}`;
  return read.name === 'chat' ? `chat/${read.conversationId}` : read.name;
};

/** Asks the server, unless the same is being asked, or failed and is asked again after its wait. */
export const requestRead = (core: Core, read: Read): void => {
  if (!core.state.readsDue.has(keyOf(read))) startRead(core, read);
};

export const startRead = (core: Core, read: Read): void => {
  const { readsDue } = core.state;
  readsDue.set(keyOf(read), { read, at: Infinity, attempts: readsDue.get(keyOf(read))?.attempts ?? 0 });
  core.effects.push({ type: 'read', read });
};

export const readFailed = (core: Core, read: Read, retryAfterMs: number, moment: Moment): void => {
  const { readsDue } = core.state;
  const { attempts } = readsDue.get(keyOf(read)) ?? { attempts: 0 };
  const wait = Math.max(retryAfterMs, backoff(attempts, moment));
  readsDue.set(keyOf(read), { read, at: moment.now + wait, attempts: attempts + 1 });
};

export const readDone = ({ state }: Core, read: Read): void => void state.readsDue.delete(keyOf(read));

/** Reads that failed are done again while the connection is live; when it comes back, they are asked for anyway. */
export const flushReads = (core: Core, now: number): void => {
  if (!isLive(core)) return;
  for (const { read, at } of core.state.readsDue.values()) if (at <= now) startRead(core, read);
};

export const readsWakeAt = (core: Core): number => {
  if (!isLive(core)) return Infinity;
  let at = Infinity;
  for (const due of core.state.readsDue.values()) at = Math.min(at, due.at);
  return at;
};
