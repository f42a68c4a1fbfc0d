import { unseal as unsealDirectory } from '../main/sealed.ts';
import { UsageError } from './usage-error.ts';

/** `parley unseal DIR` */
export const unseal = async (words: readonly string[]): Promise<number> => {
  const [directory, ...more] = words;
  if (directory === undefined || more.length > 0) throw new UsageError('unseal is followed by one directory');
  const was = await unsealDirectory(directory);
  process.stdout.write(was ? `${directory} takes messages again\n` : `${directory} is not sealed\n`);
  return 0;
};
