import { openSqliteLogStoreReadOnly } from '../event-log/sqlite-log-store.ts';
import { verifyLog } from '../event-log/verify-log.ts';
import { loadConfiguration } from '../main/load-configuration.ts';
import { UsageError } from './usage-error.ts';

/** `parley verify`: may run beside the server; sees what was committed when it began. */
export const verify = async (words: readonly string[]): Promise<number> => {
  if (words.length > 0) throw new UsageError('verify is followed by nothing');
  const { data } = loadConfiguration(process.env).configuration;
  const store = await openSqliteLogStoreReadOnly({ directory: data });
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
    return findings === 0 ? 0 : 1;
  } finally {
    await store.close();
  }
};
