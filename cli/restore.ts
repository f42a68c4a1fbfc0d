import { parseArgs } from 'node:util';
import { restore as restoreData } from '../main/restore.ts';
import { UsageError, understood } from './usage-error.ts';

/** `parley restore DIR --data NEW` */
export const restore = async (words: readonly string[]): Promise<number> => {
  const { positionals, values } = understood(() =>
    parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { data: { type: 'string' }, backup: { type: 'string' } },
    }),
  );
  const [directory, ...more] = positionals;
  if (directory === undefined || more.length > 0) throw new UsageError('restore is followed by one directory');
  if (values.data === undefined) throw new UsageError('--data must name a new data directory');
  const { backup, position, erasedSince } = await restoreData({ directory, data: values.data, backup: values.backup });
  process.stdout.write(`${values.data} holds ${backup}, events up to ${position}, in a new epoch\n`);
  if (erasedSince > 0) process.stdout.write(`${erasedSince} users who were erased since stay erased\n`);
  return 0;
};
