import { resolve } from 'node:path';
import { loadConfiguration } from '../main/load-configuration.ts';
import { operate } from './operate.ts';
import { UsageError } from './usage-error.ts';

/** `parley backup DIR` */
export const backUp = async (words: readonly string[]): Promise<number> => {
  const [directory, ...more] = words;
  if (directory === undefined || more.length > 0) throw new UsageError('backup is followed by one directory');
  const { configuration } = loadConfiguration(process.env);
  const { backup, position } = await operate(configuration, 'backup', { directory: resolve(directory) });
  process.stdout.write(`${backup} holds the log up to event ${position}\n`);
  return 0;
};
