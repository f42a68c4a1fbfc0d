import { beginEpoch } from '../main/begin-epoch.ts';
import { loadConfiguration } from '../main/load-configuration.ts';
import { UsageError } from './usage-error.ts';

const clock = { now: () => Date.now(), monotonic: () => performance.now() };
const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/** `parley restored`: where no server runs on the log. */
export const restored = async (words: readonly string[]): Promise<number> => {
  if (words.length > 0) throw new UsageError('restored is followed by nothing');
  const { configuration } = loadConfiguration(process.env);
  const waiting = (setting: string, reason: string): void => say(`waits for ${setting}: ${reason}`);
  const starting = { waiting, signal: new AbortController().signal };
  const { after, erased } = await beginEpoch(configuration, clock, (_, message) => say(message), starting);
  process.stdout.write(`a new epoch of the log begins after ${after.n}\n`);
  if (erased > 0) process.stdout.write(`${erased} users who were erased since stay erased\n`);
  return 0;
};
