import { openPairs, startParley } from './parley.ts';
import type { DriverResult } from './driver-plan.ts';
import { drive, driveCeiling, median, medianRun, type Cell, type Duration } from './drive.ts';
import type { BenchOptions } from './options.ts';
import { caughtUp, lagOf, sizesOf } from './views.ts';

const cells: readonly Cell[] = [
  { clients: 100, window: 1 },
  { clients: 100, window: 4 },
  { clients: 400, window: 1 },
  { clients: 400, window: 4 },
];
const busiest: Cell = { clients: 400, window: 4 };

/** 5 runs of 12 s are the minute of a cell. What is measured is a server that has been up for a while: compiled and warm. */
const full: Duration = { warmUpSeconds: 10, seconds: 12 };
const quickly: Duration = { warmUpSeconds: 10, seconds: 6 };

interface ParleyResult extends DriverResult {
  /** Of inbox or search, when the last message has arrived. */
  readonly lag_s: number;
  /** A message, on the disk of a server that was stopped. */
  readonly log_bytes: number;
  readonly all_bytes: number;
}

/** One cell against a server in an empty folder, with every user registered and every conversation open. */
const driveParley = async ({ clients: count, window }: Cell, duration: Duration): Promise<ParleyResult> => {
  const parley = await startParley();
  const { port, data, server } = parley;
  try {
    const clients = await openPairs(port, count);
    const result = await drive({ protocol: 'parley', port, clients, load: { window }, ...duration });
    const lag = await lagOf(port);
    await caughtUp(port);
    await server.end('SIGTERM');
    const sizes = await sizesOf(data);
    return {
      ...result,
      lag_s: Number(lag.seconds.toFixed(2)),
      log_bytes: Math.round(sizes.log / result.sent),
      all_bytes: Math.round(sizes.together / result.sent),
    };
  } finally {
    await parley.stop();
  }
};

const sum = (runs: readonly DriverResult[], count: (run: DriverResult) => number): number =>
  runs.reduce((total, run) => total + count(run), 0);

/** What a conversation costs: one-to-one chats over sockets, everything on, beside the bare ceiling in alternating runs. */
export const benchChat = async ({ quick }: BenchOptions): Promise<object> => {
  const duration = quick ? quickly : full;
  const rounds = quick ? 1 : 5;
  const results: object[] = [];
  for (const cell of quick ? [busiest] : cells) {
    const ceilings: DriverResult[] = [];
    const runs: ParleyResult[] = [];
    for (let round = 0; round < rounds; round++) {
      ceilings.push(await driveCeiling(cell, duration));
      runs.push(await driveParley(cell, duration));
    }
    results.push({
      window: cell.window,
      ...medianRun(runs),
      // Every run's faults count, not only those of the median.
      lost: sum(runs, (run) => run.lost),
      duplicate: sum(runs, (run) => run.duplicate),
      out_of_order: sum(runs, (run) => run.out_of_order),
      ceiling_per_s: median(ceilings.map((run) => run.delivered_per_s)),
      ratio_to_ceiling: Number(
        median(runs.map((run, round) => run.delivered_per_s / (ceilings[round]?.delivered_per_s ?? 0))).toFixed(3),
      ),
    });
  }
  console.table(results);
  return results.at(-1) ?? {};
};
