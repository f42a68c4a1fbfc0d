import { setTimeout as wait } from 'node:timers/promises';
import type { RandomBytes } from '../command-side/clock.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';

/** Together inside the 25 seconds a process has to end. */
const answersMs = 8_000;
const goodbyesMs = 8_000;
const pollMs = 20;

const waves = 20;
const waveMs = 100;
const shortestRetryMs = 500;
/** So that those who come back at the same time are no more a second than the servers that are left can greet. */
const retriesPerSecond = 500;

/**
 * Lets the commands under way finish and their answers be flushed, then closes the sockets in waves, each with its own time
 * to come back at. Whatever is cut short by a deadline is in the log or was never answered.
 */
export const drainSessions = async (sessions: Sessions, randomBytes: RandomBytes): Promise<void> => {
  for (const session of sessions.all) session.drain();
  await until(() => ![...sessions.all].some((session) => session.inFlight > 0), answersMs);

  const leaving = [...sessions.all];
  const spreadMs = shortestRetryMs + (leaving.length / retriesPerSecond) * 1_000;
  const perWave = Math.max(50, Math.ceil(leaving.length / waves));
  for (let i = 0; i < leaving.length; i += perWave) {
    if (i > 0) await wait(waveMs);
    for (const session of leaving.slice(i, i + perWave)) close(session, spreadMs, randomBytes);
  }
  await until(() => sessions.all.size === 0, goodbyesMs);
};

const close = (session: Session, spreadMs: number, randomBytes: RandomBytes): void => {
  const [high = 0, low = 0] = randomBytes(2);
  const retryMs = shortestRetryMs + Math.floor((spreadMs * (high * 256 + low)) / 65_536);
  session.end('restarting', `retry in ${retryMs} ms`);
};

const until = async (done: () => boolean, deadlineMs: number): Promise<void> => {
  for (let waited = 0; !done() && waited < deadlineMs; waited += pollMs) await wait(pollMs);
};
