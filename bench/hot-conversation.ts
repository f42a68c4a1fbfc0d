import { askAlways, type Waits } from './ask-always.ts';
import type { DriverResult } from './driver-plan.ts';
import { drive, median } from './drive.ts';
import type { BenchOptions } from './options.ts';
import { openPairs, startParley } from './parley.ts';

const quietPeople = 1_000;
const quietPerSecond = 500;
const hotPerSecond = 2_000;
/** In which the driver of the quiet ones opens their sockets: the hot one goes on until they are done. */
const secondsToOpen = 5;

interface Run {
  readonly quiet: DriverResult;
  readonly hot: DriverResult | undefined;
  readonly loop: Waits;
}

const run = async (isHot: boolean, warmUpSeconds: number, seconds: number): Promise<Run> => {
  const parley = await startParley();
  try {
    const { port } = parley;
    const people = await openPairs(port, quietPeople + 2);
    const plan = { protocol: 'parley', port, warmUpSeconds } as const;
    const asking = askAlways(`http://127.0.0.1:${port}/livez`);
    const [quiet, hot] = await Promise.all([
      drive({ ...plan, clients: people.slice(0, quietPeople), load: { perSecond: quietPerSecond }, seconds }),
      isHot
        ? drive({
            ...plan,
            clients: people.slice(quietPeople),
            load: { perSecond: hotPerSecond },
            seconds: seconds + secondsToOpen,
          })
        : undefined,
    ]);
    return { quiet, hot, loop: await asking.stop() };
  } finally {
    await parley.stop();
  }
};

/**
 * N10: what 500 conversations with a message a second each notice of one beside them with 2,000. The event loop is measured
 * from outside, by asking for /livez all the time.
 */
export const benchHotConversation = async ({ quick }: BenchOptions): Promise<object> => {
  const [warmUp, seconds] = quick ? [5, 6] : [10, 12];
  const [without, beside]: [Run[], Run[]] = [[], []];
  for (let round = 0; round < (quick ? 1 : 5); round++) {
    without.push(await run(false, warmUp, seconds));
    beside.push(await run(true, warmUp, seconds));
  }
  const p99 = (runs: readonly Run[]): number => median(runs.map(({ quiet }) => quiet.p99_ms));
  const result = {
    hot_per_s: median(beside.map(({ hot }) => hot?.delivered_per_s ?? 0)),
    quiet_p99_ms_alone: p99(without),
    quiet_p99_ms_beside: p99(beside),
    ratio: Number((p99(beside) / p99(without)).toFixed(2)),
    loop_p99_ms: median(beside.map(({ loop }) => loop.p99_ms)),
    loop_longest_ms: Math.max(...beside.map(({ loop }) => loop.longest_ms)),
  };
  console.table([result]);
  return result;
};
