import type { ErrorCode, Rejection } from './errors.ts';

/**
 * What a process tells its operator, by the names of Prometheus. A name is for ever: dashboards and alerts are built on
 * it. No label is an id of a user, a conversation or a message.
 */
interface MetricRow {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
}

export const metrics = {
  parley_build_info: { type: 'gauge', labels: ['version', 'node'], help: 'Always 1.' },
  parley_ws_connections: { type: 'gauge', labels: [], help: 'Sockets open now.' },
  parley_ws_closes_total: { type: 'counter', labels: ['code'], help: 'Sockets this server closed, by close code.' },
  parley_slow_consumer_closes_total: {
    type: 'counter',
    labels: [],
    help: 'Sockets closed because their client read nothing while frames waited.',
  },
  parley_outbox_depth: { type: 'gauge', labels: [], help: 'Bytes that wait for sockets to take them.' },
  parley_delivery_latency_seconds: {
    type: 'histogram',
    labels: [],
    help: 'From the time of a conversation event to its frames being written to the sockets.',
  },
  parley_bus_connected: { type: 'gauge', labels: [], help: '1 while the remote bus answers and is heard, else 0.' },
  parley_bus_dropped_total: {
    type: 'counter',
    labels: [],
    help: 'Messages that did not reach the remote bus: other processes fill such holes from the log.',
  },
  parley_command_link_open: {
    type: 'gauge',
    labels: ['address'],
    help: '1 while the command side at the address takes requests, else 0.',
  },
  parley_command_link_under_way: {
    type: 'gauge',
    labels: ['address'],
    help: 'Requests that the command side at the address has and has not answered.',
  },
  parley_command_link_held: { type: 'gauge', labels: [], help: 'Requests that wait for a command side to take them.' },
  parley_command_link_round_trip_seconds: {
    type: 'histogram',
    labels: ['address'],
    help: 'From sending a request to the command side at the address to its answer.',
  },
  parley_command_link_given_again_total: {
    type: 'counter',
    labels: [],
    help: 'Requests given to a command side again, because the one that had them went away.',
  },
  parley_command_link_unanswered_total: {
    type: 'counter',
    labels: ['why'],
    help: 'Requests that no command side answered in time, or for which there was no room to wait.',
  },
  parley_command_links: {
    type: 'gauge',
    labels: [],
    help: 'Processes that are connected to this one to hand over commands.',
  },
  parley_command_links_under_way: { type: 'gauge', labels: [], help: 'Requests of theirs that are not answered yet.' },
  parley_commands_total: {
    type: 'counter',
    labels: ['type', 'result'],
    help: 'Commands answered: accepted, or the code they were refused with.',
  },
  parley_command_duration_seconds: { type: 'histogram', labels: [], help: 'From taking a command to its answer.' },
  parley_dedup_hits_total: { type: 'counter', labels: [], help: 'Commands that had been answered before.' },
  parley_rate_limited_total: { type: 'counter', labels: ['scope'], help: 'Refused by a limiter or a full queue.' },
  parley_rate_limits_unsettled_total: {
    type: 'counter',
    labels: [],
    help: 'Times that what users took of their limits could not be counted together with other processes.',
  },
  parley_authz_denied_total: {
    type: 'counter',
    labels: ['door', 'code'],
    help: 'Commands and reads of what the caller has no right to, or that is not there.',
  },
  parley_append_fsync_seconds: {
    type: 'histogram',
    labels: [],
    help: 'From handing a group of appends to the thread that writes to its being on disk.',
  },
  parley_log_connected: { type: 'gauge', labels: [], help: '1 while the server of the event log is reached, else 0.' },
  parley_log_resubscribed_total: {
    type: 'counter',
    labels: ['why'],
    help: 'Subscriptions to the event log that ended and were begun again; those that were too slow are routine.',
  },
  parley_append_conflicts_total: {
    type: 'counter',
    labels: [],
    help: 'Appends that found their stream further than they were decided on, and were decided again.',
  },
  parley_projection_lag_events: {
    type: 'gauge',
    labels: ['model'],
    help: 'Events between a read model and the head of the log.',
  },
  parley_projection_lag_seconds: {
    type: 'gauge',
    labels: ['model'],
    help: 'How long the oldest event that a read model lacks has waited.',
  },
  parley_projection_parked: {
    type: 'gauge',
    labels: ['model'],
    help: 'Streams that wait for an event that could not be projected.',
  },
  parley_projection_parked_total: {
    type: 'counter',
    labels: ['model'],
    help: 'Streams that were parked since the process started.',
  },
  parley_search_lag_seconds: { type: 'gauge', labels: [], help: 'parley_projection_lag_seconds of the search.' },
  parley_backup_last_success_timestamp_seconds: {
    type: 'gauge',
    labels: [],
    help: 'When the newest backup of this data was made, in seconds since 1970; absent: none is known.',
  },
} as const satisfies Record<string, MetricRow>;

export type MetricName = keyof typeof metrics;

/** One line of the text: the name with its suffix, the values of the labels, the number. */
export interface Sample {
  readonly suffix: '' | '_bucket' | '_sum' | '_count';
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Something counted or measured. Services add to it as plain numbers; whoever scrapes reads it. */
export interface Metric {
  readonly name: MetricName;
  samples(): readonly Sample[];
}

const sample = (name: MetricName, values: readonly string[], value: number): Sample => ({
  suffix: '',
  labels: Object.fromEntries(metrics[name].labels.map((label, index) => [label, values[index] ?? ''])),
  value,
});

/** Only rises. */
export class Counter implements Metric {
  readonly name: MetricName;
  readonly #counts = new Map<string, Map<string, number>>();

  constructor(name: MetricName) {
    this.name = name;
    if (metrics[name].labels.length === 0) this.#counts.set('', new Map<string, number>([['', 0]]));
  }

  /** By the values of its labels, at most two, each of a closed set. */
  add(first = '', second = ''): void {
    let bySecond = this.#counts.get(first);
    if (bySecond === undefined) {
      bySecond = new Map<string, number>();
      this.#counts.set(first, bySecond);
    }
    bySecond.set(second, (bySecond.get(second) ?? 0) + 1);
  }

  samples(): readonly Sample[] {
    return [...this.#counts].flatMap(([first, bySecond]) =>
      Array.from(bySecond, ([second, count]) => sample(this.name, [first, second], count)),
    );
  }
}

const denials: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'admin_required',
  'conversation_not_found',
  'message_not_found',
  'not_author',
]);

/** What a door to commands or reads refused, by limiter and by right. */
export class Refusals {
  readonly #door: 'command' | 'read';
  readonly #limited = new Counter('parley_rate_limited_total');
  readonly #denied = new Counter('parley_authz_denied_total');
  readonly all: readonly Metric[] = [this.#limited, this.#denied];

  constructor(door: 'command' | 'read') {
    this.#door = door;
  }

  refused({ code, limiter }: Rejection): void {
    if (limiter !== undefined) this.#limited.add(limiter);
    if (denials.has(code)) this.#denied.add(this.#door, code);
  }
}

/** Upper bounds in seconds. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10] as const;

/** How long something took, for one set of values of its labels. */
export class Histogram implements Metric {
  readonly name: MetricName;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #counts = new Float64Array(bounds.length + 1);
  #sum = 0;

  constructor(name: MetricName, labels: Readonly<Record<string, string>> = {}) {
    this.name = name;
    this.#labels = labels;
  }

  observe(milliseconds: number): void {
    const seconds = milliseconds / 1_000;
    let bucket = 0;
    while (bucket < bounds.length && seconds > (bounds[bucket] ?? 0)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += seconds;
  }

  samples(): readonly Sample[] {
    let count = 0;
    const buckets = Array.from(this.#counts, (more, index): Sample => {
      count += more;
      return { suffix: '_bucket', labels: { ...this.#labels, le: String(bounds[index] ?? '+Inf') }, value: count };
    });
    return [
      ...buckets,
      { suffix: '_sum', labels: this.#labels, value: this.#sum },
      { suffix: '_count', labels: this.#labels, value: count },
    ];
  }
}

/** Read when somebody asks; also of what something else counts. */
export const gauge = (
  name: MetricName,
  read: () => Iterable<readonly [labels: readonly string[], value: number]>,
): Metric => ({ name, samples: () => Array.from(read(), ([labels, value]) => sample(name, labels, value)) });

const escaped = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');

const lineOf = (name: string, { suffix, labels, value }: Sample): string => {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}${suffix}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
};

/** The text format of Prometheus, version 0.0.4. */
export const metricsText = (all: readonly Metric[]): string =>
  Object.entries(metrics)
    .map(([name, { type, help }]) => {
      const samples = all.filter((metric) => metric.name === name).flatMap((metric) => metric.samples());
      const lines = samples.map((one) => lineOf(name, one)).join('');
      return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines}`;
    })
    .join('');
