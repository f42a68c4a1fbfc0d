import type { ServerFrame, ServerFrameOf } from '../schemas/frames.ts';
import { decodeCursor } from '../schemas/position.ts';
import { checkAnswers } from './check-answers.ts';
import type { ConversationFacts, Due, LoggedEvent, LoggedMessage, LogFacts, Stay, Violation } from './log-facts.ts';
import { bodyKey, factsOf } from './log-facts.ts';
import type { Connected, HistoryEntry, Received } from './recorder.ts';

export interface CheckOptions {
  /** Users whose devices were connected and caught up at the end: each of them must hold all that is due to it. */
  readonly settled?: ReadonlySet<string>;
}

/** What one device has stored over all its connections. */
interface Device {
  readonly user: string;
  /** Conversation → seq → the newest state of the message, as in `Due`. */
  readonly known: Map<string, Map<number, number>>;
  /** How many of what is due to the user lie at or before the last `synced`. */
  checked: number;
}

interface Connection {
  readonly device: Device;
  readonly name: string;
  readonly lastSeq: Map<string, number>;
  readonly lastVersion: Map<string, number>;
  readonly lastMarks: Map<string, { readonly delivered: number; readonly read: number }>;
  heardSince: number;
}

const silenceMs = 30_000;

/**
 * Judges a run by the promises of the design, from what clients did and saw and from the log at the end, in one pass
 * over each. It knows nothing of how the server works.
 */
export const check = (
  history: readonly HistoryEntry[],
  log: readonly LoggedEvent[],
  { settled = new Set() }: CheckOptions = {},
): Violation[] => {
  const facts = factsOf(log);
  const violations = [...facts.violations, ...checkAnswers(history, facts)];
  const devices = new Map<string, Device>();
  const connections = new Map<number, Connection>();

  for (const entry of history) {
    if (entry.is === 'connected') connections.set(entry.connection, connect(devices, entry));
    if (entry.is === 'disconnected') connections.delete(entry.connection);
    if (entry.is !== 'received') continue;
    const connection = connections.get(entry.connection);
    if (connection !== undefined) violations.push(...checkFrame(connection, entry, facts));
  }
  for (const device of devices.values()) {
    if (settled.has(device.user)) violations.push(...missingUpTo(device, Infinity, Number.MAX_VALUE, facts));
  }
  return violations;
};

const connect = (devices: Map<string, Device>, { user, device: name, cursor, time }: Connected): Connection => {
  const key = `${user} ${name}`;
  let device = devices.get(key);
  if (device === undefined || cursor === null) {
    // Without a cursor a device has nothing, or has been told to drop it.
    device = { user, known: new Map(), checked: 0 };
    devices.set(key, device);
  }
  return { device, name: key, lastSeq: new Map(), lastVersion: new Map(), lastMarks: new Map(), heardSince: time };
};

const checkFrame = (connection: Connection, { frame, time }: Received, facts: LogFacts): Violation[] => {
  const violations: Violation[] = [];
  switch (frame.type) {
    case 'message':
      violations.push(...checkMessage(connection, frame, facts));
      break;
    case 'edited':
    case 'deleted':
    case 'member-added':
    case 'member-removed':
    case 'member-left':
    case 'role-changed':
    case 'renamed':
      violations.push(...checkChange(connection, frame, facts));
      break;
    case 'conversation':
      violations.push(...checkConversation(connection, frame, facts));
      break;
    case 'synced':
    case 'waiting':
      if (time - connection.heardSince > silenceMs) {
        violations.push({
          promise: 'I9',
          says: `${connection.name} heard nothing for ${time - connection.heardSince} ms`,
        });
      }
      connection.heardSince = Infinity;
      if (frame.type === 'waiting') connection.heardSince = time;
      else violations.push(...missingUpTo(connection.device, placeOf(frame.cursor), time, facts));
      break;
    case 'accepted':
      // To the connection that sent a message it comes in place of the message.
      if (frame.seq !== undefined) learn(connection.device, frame.conversationId, frame.seq, 0);
      break;
    case 'marked':
      violations.push(...marksRise(connection, `answers for ${frame.conversationId}`, frame));
      break;
    case 'receipts':
      for (const mark of frame.marks) {
        violations.push(...marksRise(connection, `${mark.userId} in ${frame.conversationId}`, mark));
      }
      break;
    case 'chat-settings':
    case 'blocked':
    case 'unblocked':
    case 'profile':
    case 'presence':
    case 'typing':
      break;
    // The devices of these tests resume from the beginning, which brings everything.
    case 'changes':
    case 'history':
    case 'welcome':
    case 'saved':
    case 'announced':
    case 'rejected':
    case 'reset':
    case 'pong':
    case 'error':
      break;
  }
  return violations;
};

/** One log, one entry: its n is comparable with the positions in the log read at the end. */
const placeOf = (cursor: string): number => Math.max(0, ...(decodeCursor(cursor)?.values() ?? []));

const staysOf = (conversation: ConversationFacts, user: string): readonly Stay[] => conversation.stays.get(user) ?? [];
const visibleIn = (stay: Stay, seq: number): boolean => seq > stay.visibleFrom && seq <= stay.untilSeq;

const checkMessage = (
  { device, name, lastSeq }: Connection,
  frame: ServerFrameOf<'message'>,
  facts: LogFacts,
): Violation[] => {
  const { conversationId: id, seq } = frame;
  const at = `${name}: message ${seq} of ${id}`;
  const conversation = facts.conversations.get(id);
  const message = conversation?.messages[seq - 1];
  if (conversation === undefined || message === undefined) return [{ promise: 'I4', says: `${at} is not in the log` }];
  const state = stateShown(frame, message);
  if (state === undefined) return [{ promise: 'I4', says: `${at} is not what the log has there` }];

  const violations: Violation[] = [];
  const stays = staysOf(conversation, device.user);
  const stay = stays.findLast((one) => visibleIn(one, seq));
  if (stay === undefined) violations.push({ promise: 'I6', says: `${at} was not the user's to see` });

  const last = lastSeq.get(id);
  if (last !== undefined) {
    if (seq <= last) violations.push({ promise: 'I3', says: `${at} came after ${last}` });
    const skipped = conversation.messages.slice(Math.max(last, stay?.visibleFrom ?? 0), seq - 1);
    // Its own come as `accepted`, perhaps a moment later; `synced` must not pass without it.
    const hole = skipped.find(({ by }) => by !== device.user);
    if (hole !== undefined) violations.push({ promise: 'I3', says: `${at} came without ${hole.seq}` });
  }
  lastSeq.set(id, seq);
  learn(device, id, seq, state);
  return violations;
};

/** Which state of the message a frame shows; undefined: none it ever had. */
const stateShown = (frame: ServerFrameOf<'message'>, message: LoggedMessage): number | undefined => {
  const same = frame.messageId === message.id && frame.by === message.by && frame.time === message.time;
  if (!same || (frame.replyTo ?? null) !== message.replyTo) return undefined;
  const state = message.contents.lastIndexOf(bodyKey(frame.content));
  if (state >= 0) return state;
  return frame.content === null && message.deleted ? Infinity : undefined;
};

const learn = (device: Device, conversation: string, seq: number, state: number): void => {
  const known = device.known.get(conversation) ?? new Map<number, number>();
  device.known.set(conversation, known);
  known.set(seq, Math.max(state, known.get(seq) ?? -1));
};

type ChangeFrame = Extract<ServerFrame, { version: number; by: string }>;

const eventTypeOf = {
  edited: 'message-edited',
  deleted: 'message-deleted',
  'member-added': 'member-added',
  'member-removed': 'member-removed',
  'member-left': 'member-left',
  'role-changed': 'role-changed',
  renamed: 'conversation-renamed',
} as const;

const checkChange = (
  connection: Connection,
  frame: Exclude<ChangeFrame, { type: 'conversation' }>,
  facts: LogFacts,
): Violation[] => {
  const { device, name } = connection;
  const at = `${name}: ${frame.type} (version ${frame.version}) of ${frame.conversationId}`;
  const conversation = facts.conversations.get(frame.conversationId);
  const change = conversation?.changes.get(frame.version);
  if (conversation === undefined || change?.event.type !== eventTypeOf[frame.type] || change.event.by !== frame.by) {
    return [{ promise: 'I4', says: `${at} is not in the log` }];
  }
  const violations = versionRises(connection, frame, at);
  const target = 'target' in change.event ? change.event.target : undefined;
  if ('seq' in frame && frame.seq !== target) violations.push({ promise: 'I4', says: `${at} names another message` });
  const had = staysOf(conversation, device.user).some(
    (stay) =>
      change.revision >= stay.since &&
      change.revision <= stay.until &&
      (target === undefined || target > stay.visibleFrom),
  );
  if (!had) violations.push({ promise: 'I6', says: `${at} was not the user's to see` });
  if (target !== undefined) learn(device, frame.conversationId, target, change.edit);
  return violations;
};

const checkConversation = (
  connection: Connection,
  frame: ServerFrameOf<'conversation'>,
  facts: LogFacts,
): Violation[] => {
  const at = `${connection.name}: conversation ${frame.conversationId}`;
  const conversation = facts.conversations.get(frame.conversationId);
  if (conversation === undefined) return [{ promise: 'I4', says: `${at} is not in the log` }];
  const violations = versionRises(connection, frame, at);
  const stays = staysOf(conversation, connection.device.user);
  if (!stays.some(({ visibleFrom }) => visibleFrom === frame.visibleFrom)) {
    violations.push({ promise: 'I6', says: `${at} from ${frame.visibleFrom} was not the user's to see` });
  }
  return violations;
};

/**
 * Changes come in the order of the log. `conversation` is the whole state and may run ahead: the changes it already holds
 * follow it in a catch-up, and clients ignore what carries a lower version. It must not lag behind.
 */
const versionRises = ({ lastVersion }: Connection, frame: ChangeFrame, at: string): Violation[] => {
  const last = lastVersion.get(frame.conversationId) ?? 0;
  if (frame.type !== 'conversation') lastVersion.set(frame.conversationId, frame.version);
  return frame.version < last ? [{ promise: 'I8', says: `${at} came after version ${last}` }] : [];
};

const marksRise = (
  { name, lastMarks }: Connection,
  of: string,
  { delivered, read }: { readonly delivered: number; readonly read: number },
): Violation[] => {
  const last = lastMarks.get(of) ?? { delivered: 0, read: 0 };
  lastMarks.set(of, { delivered, read });
  return delivered < last.delivered || read < last.read
    ? [{ promise: 'I8', says: `${name}: marks (${of}) moved back` }]
    : [];
};

/** A change that was itself changed by then need not come: a device that was away gets the last one, at its own place. */
const isChangedAgain = ({ message, state }: Due, known: number, time: number): boolean =>
  known >= 0 && (message.times[state + 1] ?? Infinity) <= time;

/** What a device was told it has and has not. A stay that ended meanwhile owes nothing: who left reads nothing more. */
const missingUpTo = (device: Device, place: number, time: number, { due }: LogFacts): Violation[] => {
  const violations: Violation[] = [];
  const dues = due.get(device.user) ?? [];
  for (; device.checked < dues.length; device.checked++) {
    const one = dues[device.checked];
    if (one === undefined || one.n > place) break;
    const { message, state, stay } = one;
    const known = device.known.get(message.conversation)?.get(message.seq) ?? -1;
    if (known < state && stay.untilTime > time && !isChangedAgain(one, known, time)) {
      const says = `a device of ${device.user} was told it has ${message.conversation} ${message.seq} (${state}) and has not (${known})`;
      violations.push({ promise: 'I9', says });
    }
  }
  return violations;
};
