import { loadConfiguration } from '../main/load-configuration.ts';
import { printSettings } from '../schemas/configuration.ts';
import { UsageError } from './usage-error.ts';

/** `parley config print` */
export const printConfiguration = async (words: readonly string[]): Promise<number> => {
  if (words.length !== 1 || words[0] !== 'print') throw new UsageError('config is followed by print');
  process.stdout.write(`${printSettings(loadConfiguration(process.env).settings)}\n`);
  return 0;
};
