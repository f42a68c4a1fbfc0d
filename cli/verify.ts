import { verifyLog } from '../event-log/verify-log.ts';
import { loadConfiguration } from '../main/load-configuration.ts';
import { openLogStoreReadOnly } from '../main/open-log.ts';
import type { LogPlace } from '../schemas/log-place.ts';
import { operate } from './operate.ts';
import { sayComparison } from './say-comparison.ts';
import { UsageError } from './usage-error.ts';

/** `parley verify`: the log as it was committed when it began, also beside a server; then each read model against the log. */
export const verify = async (words: readonly string[]): Promise<number> => {
  if (words.length > 0) throw new UsageError('verify is followed by nothing');
  const { configuration } = loadConfiguration(process.env);
  const findings = await verifyEvents(configuration.log);
  // A fold of a damaged log proves nothing.
  if (findings > 0) return 1;
  const missing = await operate(configuration, 'keys', {});
  for (const { subject, position, events } of missing) {
    process.stdout.write(
      `the key of ${subject} is missing and was not destroyed: ${events} events from ${position} on\n`,
    );
  }
  let equal = missing.length === 0;
  for (const model of ['inbox', 'search'] as const) {
    const comparison = await operate(configuration, 'verify', { model });
    sayComparison(`the live ${model}`, 'a fresh fold of the log', comparison);
    equal &&= comparison.equal;
  }
  return equal ? 0 : 1;
};

const verifyEvents = async (log: LogPlace): Promise<number> => {
  const warn = (_: object, message: string): void => say(message);
  const waiting = (setting: string, reason: string): void => say(`waits for ${setting}: ${reason}`);
  const starting = { waiting, signal: new AbortController().signal };
  const store = await openLogStoreReadOnly(log, { warn, starting });
  try {
    const walk = verifyLog(store);
    let findings = 0;
    let step = await walk.next();
    for (; step.done !== true; step = await walk.next()) {
      findings++;
      const { position, stream, what } = step.value;
      process.stdout.write(`event ${position}${stream === undefined ? '' : ` (${stream})`}: ${what}\n`);
    }
    const { events, streams } = step.value;
    process.stdout.write(`${events} events in ${streams} streams, ${findings} findings\n`);
    return findings;
  } finally {
    await store.close();
  }
};

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};
