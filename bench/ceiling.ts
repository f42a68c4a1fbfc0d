import type { DriverResult } from './driver-plan.ts';
import { driveCeiling, median, medianRun, type Cell, type Duration } from './drive.ts';
import type { BenchOptions } from './options.ts';

const cells: readonly Cell[] = [
  { clients: 100, window: 1 },
  { clients: 100, window: 4 },
  { clients: 400, window: 1 },
  { clients: 400, window: 4 },
];
const busiest: Cell = { clients: 400, window: 4 };

/** What the bare ceiling does here; with `--beside COMMAND`, beside another bare server in alternating runs. */
export const benchCeiling = async ({ quick, beside }: BenchOptions): Promise<object> => {
  const duration: Duration = quick ? { warmUpSeconds: 2, seconds: 5 } : { warmUpSeconds: 3, seconds: 12 };
  const rounds = quick ? 1 : 5;
  const other = beside?.split(' ');
  const results: object[] = [];
  for (const cell of quick ? [busiest] : cells) {
    const own: DriverResult[] = [];
    const others: DriverResult[] = [];
    for (let round = 0; round < rounds; round++) {
      own.push(await driveCeiling(cell, duration));
      if (other !== undefined) others.push(await driveCeiling(cell, duration, other));
    }
    const run = { window: cell.window, ...medianRun(own) };
    const result =
      others.length === 0
        ? run
        : {
            ...run,
            beside_per_s: median(others.map((run) => run.delivered_per_s)),
            ratio_to_beside: median(
              own.map((run, round) => run.delivered_per_s / (others[round]?.delivered_per_s ?? 0)),
            ),
          };
    console.table([result]);
    results.push(result);
  }
  return results.at(-1) ?? {};
};
