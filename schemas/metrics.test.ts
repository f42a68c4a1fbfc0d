import { expect, test } from 'vitest';
import { Counter, gauge, Histogram, metrics, metricsText } from './metrics.ts';

test('O2: the names and labels of the metrics are for ever', () => {
  expect(Object.entries(metrics).map(([name, { labels }]) => [name, ...labels].join(' '))).toEqual([
    'parley_build_info version node',
    'parley_ws_connections',
    'parley_ws_closes_total code',
    'parley_slow_consumer_closes_total',
    'parley_outbox_depth',
    'parley_delivery_latency_seconds',
    'parley_bus_connected',
    'parley_bus_dropped_total',
    'parley_command_link_open address',
    'parley_command_link_under_way address',
    'parley_command_link_held',
    'parley_command_link_round_trip_seconds address',
    'parley_command_link_given_again_total',
    'parley_command_link_unanswered_total why',
    'parley_command_links',
    'parley_command_links_under_way',
    'parley_commands_total type result',
    'parley_command_duration_seconds',
    'parley_dedup_hits_total',
    'parley_rate_limited_total scope',
    'parley_rate_limits_unsettled_total',
    'parley_authz_denied_total door code',
    'parley_append_fsync_seconds',
    'parley_log_connected',
    'parley_log_resubscribed_total why',
    'parley_append_conflicts_total',
    'parley_projection_lag_events model',
    'parley_projection_lag_seconds model',
    'parley_projection_parked model',
    'parley_projection_parked_total model',
    'parley_search_lag_seconds',
    'parley_backup_last_success_timestamp_seconds',
  ]);
});

test('O2: counters, gauges and histograms are written as Prometheus reads them', () => {
  const commands = new Counter('parley_commands_total');
  commands.add('send', 'accepted');
  commands.add('send', 'accepted');
  commands.add('edit', 'not_author');
  const durations = new Histogram('parley_command_duration_seconds');
  for (const milliseconds of [0.5, 1, 30, 99_000]) durations.observe(milliseconds);
  const build = gauge('parley_build_info', () => [[['a"b\\c\nd', '24'], 1]]);
  const text = metricsText([commands, durations, build, new Counter('parley_dedup_hits_total')]);
  expect(text).toContain(
    '# TYPE parley_commands_total counter\n' +
      'parley_commands_total{type="send",result="accepted"} 2\n' +
      'parley_commands_total{type="edit",result="not_author"} 1\n',
  );
  expect(text).toContain('parley_command_duration_seconds_bucket{le="0.001"} 2\n');
  expect(text).toContain('parley_command_duration_seconds_bucket{le="0.05"} 3\n');
  expect(text).toContain(
    'parley_command_duration_seconds_bucket{le="+Inf"} 4\n' +
      'parley_command_duration_seconds_sum 99.0315\n' +
      'parley_command_duration_seconds_count 4\n',
  );
  expect(text).toContain(String.raw`parley_build_info{version="a\"b\\c\nd",node="24"} 1`);
  expect(text).toContain('parley_dedup_hits_total 0\n');
});
