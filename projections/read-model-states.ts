import { gauge, type Metric } from '../schemas/metrics.ts';
import type { Progress, ProgressStatus } from './progress.ts';

const models = ['inbox', 'search'] as const;
type ProgressOf = Readonly<Record<(typeof models)[number], Pick<Progress, 'status'>>>;

/** How far behind the read models are, and what of them stands still. */
export const readModelMetrics = (progress: ProgressOf): readonly Metric[] => {
  const each = (value: (status: ProgressStatus) => number) =>
    models.map((model) => [[model], value(progress[model].status())] as const);
  return [
    gauge('parley_projection_lag_events', () => each(({ behind }) => behind)),
    gauge('parley_projection_lag_seconds', () => each(({ behindMs }) => behindMs / 1_000)),
    gauge('parley_projection_parked', () => each(({ parked }) => parked.length)),
    gauge('parley_projection_parked_total', () => each(({ everParked }) => everParked)),
    gauge('parley_search_lag_seconds', () => [[[], progress.search.status().behindMs / 1_000]]),
  ];
};

/** Whether one goes on. Why not stands in the log of its process: whoever asks for this need not be an operator. */
export const readModelState = (progress: Pick<Progress, 'status'>): string =>
  progress.status().failing === undefined ? 'ok' : 'failing';

export const readModelStates = (progress: ProgressOf): Readonly<Record<(typeof models)[number], string>> => ({
  inbox: readModelState(progress.inbox),
  search: readModelState(progress.search),
});
