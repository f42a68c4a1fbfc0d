import type { ErrorCode } from '../schemas/errors.ts';
import type { ClientFrameInput, ServerFrameOf } from '../schemas/frames.ts';
import { timeOfUuid, uuidV7 } from '../schemas/uuid-v7.ts';
import { abnormalClosure, backoff, closed, openNumber } from './connection.ts';
import { emit, keys, storeItem, type Answer, type Core, type Moment } from './core.ts';
import type { Draft, Item, Waiting } from './state.ts';

/** The server stops reading a connection that has 256 commands under way. */
const mostUnderWay = 100;

/** An id with the server's time, whatever our clock says. */
export const newId = ({ state }: Core, { now, randomBytes }: Moment): string =>
  uuidV7(now + state.account.ahead, randomBytes(10));

/** Commands of one lane go one after the other, each when the one before it has an answer that stands. */
const laneOf = ({ lanes }: Core['state'], { key, draft }: Item): string => {
  // What belongs to a conversation that is only being opened waits behind its opening, whose key is its provisional id.
  if (!('conversationId' in draft)) return opens(draft) ? key : 'account';
  const { conversationId } = draft;
  const isProvisional = lanes.get(conversationId)?.[0]?.item.key === conversationId;
  return draft.type === 'change-chat-settings' && !isProvisional ? `settings/${conversationId}` : conversationId;
};

const opens = ({ type }: Draft): boolean => type === 'start-direct' || type === 'create-group';

/** Takes a command in. It is stored before it is sent, and goes out however often we end before it has an answer. */
export const enqueue = (core: Core, key: string, given: Draft): void => {
  const draft = 'conversationId' in given ? inConversation(given, core.state.opened.get(given.conversationId)) : given;
  const item: Item = { key, id: key, order: core.state.nextOrder++, draft, failed: null };
  append(core, item, false);
  storeItem(core, item);
  sayState(core, item, 'sending');
};

const inConversation = (draft: Draft, conversationId: string | undefined): Draft =>
  conversationId === undefined ? draft : ({ ...draft, conversationId } as Draft);

export const append = ({ state }: Pick<Core, 'state'>, item: Item, mayBeStored: boolean): void => {
  const lane = laneOf(state, item);
  const waiting = { item, lane, sentOn: 0, notBefore: 0, attempts: 0, mayBeStored };
  const before = state.lanes.get(lane);
  if (before === undefined) state.lanes.set(lane, [waiting]);
  else before.push(waiting);
  state.byId.set(item.id, waiting);
};

/** Sends the first of every lane that may go now. */
export const flushOutbox = (core: Core, { now }: Moment): void => {
  const number = openNumber(core);
  if (number === undefined) return;
  let room = mostUnderWay;
  for (const [first] of core.state.lanes.values()) if (first?.sentOn === number) room--;
  for (const [first] of core.state.lanes.values()) {
    if (room <= 0) return;
    if (first === undefined || first.sentOn === number || first.notBefore > now) continue;
    first.mayBeStored ||= first.sentOn > 0;
    first.sentOn = number;
    room--;
    core.effects.push({ type: 'transmit', number, frame: frameOf(first.item) });
  }
};

const frameOf = ({ id, draft }: Item): ClientFrameInput =>
  draft.type === 'send' ? { ...draft, messageId: id } : { ...draft, commandId: id };

export const outboxWakesAt = (core: Core): number => {
  const number = openNumber(core);
  let at = Infinity;
  if (number === undefined) return at;
  for (const [first] of core.state.lanes.values()) {
    if (first !== undefined && first.sentOn !== number) at = Math.min(at, first.notBefore);
  }
  return at;
};

/** A command has the answer that stands. */
export const complete = (core: Core, waiting: Waiting, answer: Answer): void => {
  const { item } = waiting;
  remove(core, waiting);
  core.changes.set(keys.item(item.order), null);
  emit(core, 'answered', { id: item.key, command: item.draft.type, outcome: { ok: true, answer } });
  sayState(core, item, 'sent', answer.seq);
  const { conversationId } = answer;
  if (opens(item.draft) && conversationId !== null) moveLane(core, item.key, conversationId);
};

/** What was said under the provisional id goes to the conversation that it became, in its order. */
const moveLane = (core: Core, provisional: string, conversationId: string): void => {
  const { lanes, opened, byId } = core.state;
  opened.set(provisional, conversationId);
  emit(core, 'chat-opened', { provisional, conversationId });
  const moved = lanes.get(provisional) ?? [];
  lanes.delete(provisional);
  for (const { item, mayBeStored } of moved) {
    byId.delete(item.id);
    const there = { ...item, draft: inConversation(item.draft, conversationId) };
    append(core, there, mayBeStored);
    storeItem(core, there);
  }
};

export const rejected = (core: Core, frame: ServerFrameOf<'rejected'>, moment: Moment): void => {
  const waiting = core.state.byId.get(frame.messageId ?? frame.commandId ?? '');
  if (waiting === undefined) return;
  waiting.sentOn = 0;
  waiting.mayBeStored ||= frame.retry === 'same_id';
  const { code, retry, retryAfterMs, serverTime, message } = frame;
  if (retry === 'never') fail(core, waiting, code, message);
  else if (retry === 'after_login') signInAnew(core, moment);
  else if (code === 'id_time_ahead' && serverTime !== undefined) renameItem(core, waiting, serverTime, moment);
  else waiting.notBefore = moment.now + (retryAfterMs ?? backoff(waiting.attempts++, moment));
};

/** A connection asks for a new token. */
const signInAnew = (core: Core, moment: Moment): void => {
  const number = openNumber(core);
  if (number === undefined) return;
  core.effects.push({ type: 'disconnect' });
  closed(core, number, abnormalClosure, '', moment);
};

/** Nothing was stored under an id from the future, so the command gets one of now; what depends on it follows. */
const renameItem = (core: Core, waiting: Waiting, serverTime: number, { now, randomBytes }: Moment): void => {
  core.state.account = { ...core.state.account, ahead: serverTime - now };
  core.state.byId.delete(waiting.item.id);
  waiting.item = { ...waiting.item, id: uuidV7(Math.min(serverTime, timeOfUuid(waiting.item.id)), randomBytes(10)) };
  core.state.byId.set(waiting.item.id, waiting);
  storeItem(core, waiting.item);
};

const fail = (core: Core, waiting: Waiting, code: ErrorCode, message: string): void => {
  const { item } = waiting;
  remove(core, waiting);
  emit(core, 'answered', { id: item.key, command: item.draft.type, outcome: { ok: false, code, message } });
  if (item.draft.type === 'send') {
    const failed = { ...item, failed: { code, message } };
    core.state.failed.set(item.key, failed);
    storeItem(core, failed);
    sayState(core, item, 'failed', null, code);
  } else core.changes.set(keys.item(item.order), null);
  // A conversation that could not be opened takes with it what was said in it.
  if (!opens(item.draft)) return;
  for (const dependent of [...(core.state.lanes.get(item.key) ?? [])]) fail(core, dependent, code, message);
};

const remove = ({ state }: Core, waiting: Waiting): void => {
  const lane = state.lanes.get(waiting.lane) ?? [];
  if (lane[0] === waiting) lane.shift();
  else lane.splice(lane.indexOf(waiting), 1);
  if (lane.length === 0) state.lanes.delete(waiting.lane);
  state.byId.delete(waiting.item.id);
};

/** Forgets a send that failed. */
export const discard = (core: Core, key: string): void => {
  const item = core.state.failed.get(key);
  if (item === undefined) return;
  core.state.failed.delete(key);
  core.changes.set(keys.item(item.order), null);
};

const sayState = (
  core: Core,
  { key, draft }: Item,
  state: 'sending' | 'sent' | 'failed',
  seq: number | null = null,
  code: ErrorCode | null = null,
): void => {
  if (draft.type !== 'send') return;
  emit(core, 'outgoing', { conversationId: draft.conversationId, messageId: key, state, seq, code });
};
