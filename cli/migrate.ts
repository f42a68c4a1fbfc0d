import { loadConfiguration } from '../main/load-configuration.ts';
import { migrate as migrateStores } from '../main/migrate.ts';
import { UsageError } from './usage-error.ts';

/** `parley migrate` */
export const migrate = async (words: readonly string[]): Promise<number> => {
  if (words.length > 0) throw new UsageError('migrate is followed by nothing');
  const { configuration } = loadConfiguration(process.env);
  let said = '';
  const waiting = (setting: string, reason: string): void => {
    const line = `waits for ${setting}: ${reason}\n`;
    if (line !== said) process.stderr.write(line);
    said = line;
  };
  const migrated = await migrateStores(configuration, { waiting, signal: new AbortController().signal });
  for (const { setting, keyspace, parts } of migrated) {
    for (const { part, from, to } of parts) {
      const what = from === to ? `are at version ${to}` : `were brought from version ${from} to ${to}`;
      process.stdout.write(`${setting}: the ${part} in keyspace ${keyspace} ${what}\n`);
    }
  }
  if (migrated.length === 0) process.stdout.write('nothing to migrate: files are brought up to date by the start\n');
  return 0;
};
