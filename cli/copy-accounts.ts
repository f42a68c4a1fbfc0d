import { copyAccounts as copyAccountsTo } from '../main/copy-accounts.ts';
import { storePlace } from '../schemas/store-place.ts';
import { placesIn } from './copy-places.ts';
import { sayRate } from './say-rate.ts';

const clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** `parley copy-accounts --from sqlite:DIR --to cassandra://…` */
export const copyAccounts = async (words: readonly string[]): Promise<number> => {
  const { from, to } = placesIn('copy-accounts', words, storePlace);
  const rate = sayRate('subjects', clock);
  const waiting = (_: string, reason: string): void => {
    process.stderr.write(`waits for the target: ${reason}\n`);
  };
  const starting = { waiting, signal: new AbortController().signal };
  const { keys, destroyed } = await copyAccountsTo({ from, to, clock, starting, copied: (now) => rate.copied(now) });
  process.stdout.write(`${rate.end()}: ${keys} keys, ${destroyed} destroyed ones\n`);
  return 0;
};
