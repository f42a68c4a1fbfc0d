import { closes } from '../schemas/errors.ts';
import type { ServerFrameOf } from '../schemas/frames.ts';
import { emit, storeAccount, type Core, type Moment } from './core.ts';

export type Connection =
  | { readonly phase: 'resting'; readonly until: number }
  /** A socket was asked for, and `welcome` is waited for until the deadline. */
  | { readonly phase: 'opening'; readonly number: number; readonly deadline: number }
  | Open
  | { readonly phase: 'ended' };

/** `welcome` came and `resume` was sent. */
interface Open {
  readonly phase: 'open';
  readonly number: number;
  readonly heardAt: number;
  readonly pinged: boolean;
  readonly caughtUp: boolean;
}

/** What a socket says that ended without a close frame. */
export const abnormalClosure = 1006;

const firstBackoffMs = 1_000;
const longestBackoffMs = 30_000;
const toOpenMs = 20_000;
/** A browser does not show the server's pings, so a silent connection is asked. */
const silentBeforePingMs = 30_000;
const silentBeforeEndMs = 60_000;

/** Full jitter: anything up to a bound that doubles. */
export const backoff = (attempts: number, { randomBytes }: Moment): number => {
  const [high = 0, low = 0] = randomBytes(2);
  return Math.ceil(((high * 256 + low + 1) / 65_536) * Math.min(longestBackoffMs, firstBackoffMs * 2 ** attempts));
};

/** The number of the connection over which frames go now. */
export const openNumber = ({ state: { connection } }: Core): number | undefined =>
  connection.phase === 'open' ? connection.number : undefined;

export const isLive = ({ state: { connection } }: Core): boolean => connection.phase === 'open' && connection.caughtUp;

export const tickConnection = (core: Core, moment: Moment): void => {
  const { state } = core;
  const { now } = moment;
  const { connection } = state;
  if (connection.phase === 'resting' && connection.until <= now) {
    const number = state.nextConnection++;
    state.connection = { phase: 'opening', number, deadline: now + toOpenMs };
    core.effects.push({ type: 'connect', number });
    emit(core, 'connection', { status: 'connecting' });
  } else if (connection.phase === 'opening' && connection.deadline <= now) {
    giveUp(core, connection.number, moment);
  } else if (connection.phase === 'open') {
    const silent = now - connection.heardAt;
    if (silent >= silentBeforeEndMs) giveUp(core, connection.number, moment);
    else if (silent >= silentBeforePingMs && !connection.pinged) {
      state.connection = { ...connection, pinged: true };
      core.effects.push({ type: 'transmit', number: connection.number, frame: { type: 'ping' } });
    }
  }
};

/** A peer that says nothing would not say goodbye either. */
const giveUp = (core: Core, number: number, moment: Moment): void => {
  core.effects.push({ type: 'disconnect' });
  closed(core, number, abnormalClosure, '', moment);
};

/** When the connection itself has something to do next. */
export const connectionWakesAt = ({ state: { connection } }: Core): number => {
  switch (connection.phase) {
    case 'resting':
      return connection.until;
    case 'opening':
      return connection.deadline;
    case 'open':
      return connection.heardAt + (connection.pinged ? silentBeforeEndMs : silentBeforePingMs);
    case 'ended':
      return Infinity;
  }
};

/** Connects at once, whatever wait was due: the network is back, or the app is in the foreground. */
export const hurry = (core: Core, moment: Moment): void => {
  if (core.state.connection.phase !== 'resting') return;
  core.state.connection = { phase: 'resting', until: moment.now };
  tickConnection(core, moment);
};

/** Notes a sign of life; false: the frame is of a connection that is over. */
export const hear = (core: Core, number: number, now: number): boolean => {
  const { connection } = core.state;
  if (connection.phase === 'opening') return connection.number === number;
  if (connection.phase !== 'open' || connection.number !== number) return false;
  core.state.connection = { ...connection, heardAt: now, pinged: false };
  return true;
};

export const welcomed = (core: Core, frame: ServerFrameOf<'welcome'>, { now }: Moment): void => {
  const { state } = core;
  const { connection, account } = state;
  if (connection.phase !== 'opening') return;
  if (account.userId !== null && account.userId !== frame.userId) {
    // What is stored is of somebody else, and must neither be shown to this user nor sent in its name.
    end(core, 'other_user');
    return;
  }
  storeAccount(core, { ...account, userId: frame.userId, ahead: frame.time - now });
  open(core, connection.number, now);
};

/** Everything after our cursor, please; without one, what a device shows first. */
export const open = (core: Core, number: number, now: number): void => {
  const { cursor, chatsAsOf } = core.state.account;
  core.state.connection = { phase: 'open', number, heardAt: now, pinged: false, caughtUp: false };
  const frame =
    cursor === null ? ({ type: 'first-sync', after: chatsAsOf } as const) : ({ type: 'resume', cursor } as const);
  core.effects.push({ type: 'transmit', number, frame });
  emit(core, 'connection', { status: 'catching-up' });
};

/** For good. */
export const end = (core: Core, reason: string): void => {
  core.effects.push({ type: 'disconnect' });
  core.state.connection = { phase: 'ended' };
  emit(core, 'connection', { status: 'ended', reason });
};

const endsForGood: ReadonlySet<number> = new Set(
  Object.values(closes).flatMap(({ code, comeBack }) => (comeBack === 'no' ? [code] : [])),
);
/** After these a `welcome` before counts for nothing: the server has trouble, and the backoff goes on where it was. */
const comeLater: ReadonlySet<number> = new Set(
  Object.values(closes).flatMap(({ code, comeBack }) => (comeBack === 'resume_later' ? [code] : [])),
);

/** The socket is gone, or never came to be. */
export const closed = (core: Core, number: number, code: number, reason: string, moment: Moment): void => {
  const { state } = core;
  const { connection } = state;
  if ((connection.phase !== 'opening' && connection.phase !== 'open') || connection.number !== number) return;
  if (endsForGood.has(code)) {
    end(core, Object.entries(closes).find(([, close]) => close.code === code)?.[0] ?? 'closed');
    return;
  }
  if (connection.phase === 'open' && !comeLater.has(code)) state.failures = 0;
  const named = code === closes.restarting.code ? /retry in (\d+) ms/.exec(reason)?.[1] : undefined;
  const until = moment.now + (named === undefined ? backoff(state.failures, moment) : Number(named));
  state.failures++;
  state.connection = { phase: 'resting', until };
  if (connection.phase === 'opening') core.effects.push({ type: 'read', read: { name: 'probe' } });
  emit(core, 'connection', { status: 'offline', retryAt: until, code });
};

/** The server named a wait before it lets us in. */
export const restUntil = (core: Core, at: number): void => {
  const { connection } = core.state;
  if (connection.phase === 'resting')
    core.state.connection = { phase: 'resting', until: Math.max(connection.until, at) };
};
