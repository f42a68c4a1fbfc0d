import { copyLog as copyLogTo } from '../main/copy-log.ts';
import { logPlace } from '../schemas/log-place.ts';
import { placesIn } from './copy-places.ts';
import { sayRate } from './say-rate.ts';

const clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** `parley copy-log --from sqlite:DIR --to esdb://…` */
export const copyLog = async (words: readonly string[]): Promise<number> => {
  const { from, to } = placesIn('copy-log', words, logPlace);
  const rate = sayRate('events', clock);
  const done = await copyLogTo({
    from,
    to,
    clock,
    copied: (events, place, of) => rate.copied(events, of === 0 ? 1 : place / of),
  });
  if (done.was === 'finished') process.stdout.write('the copy was finished before\n');
  else process.stdout.write(`${rate.end()}, of ${done.streams} streams; the copy begins an epoch of its own\n`);
  return 0;
};
