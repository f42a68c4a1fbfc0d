import { expect, test } from 'vitest';

import { logId, type LogId } from '../schemas/position.ts';
import type { logStream } from '../schemas/streams.ts';
import type { EventOf, RecordedEvent } from '../schemas/events.ts';
import { unbrokenLogs } from './unbroken-logs.ts';

const named = (n: number): LogId => logId.parse(String(n).padEnd(21, '-') + 'A');

const lineOf = (...reasons: readonly EventOf<'epoch-started'>['reason'][]) => ({
  readStream: (_stream: typeof logStream, from: number): Promise<readonly RecordedEvent[]> => {
    const events = reasons.map((reason, n) => {
      const begins = { type: 'epoch-started', log: named(n), parent: null, base: 0 } as const;
      const event: EventOf<'epoch-started'> = { ...begins, reason, pairs: [] };
      return { event } as RecordedEvent;
    });
    return Promise.resolve(events.slice(from));
  },
});

test('a copy goes on with what its source made; a restore begins anew', async () => {
  expect(await unbrokenLogs(lineOf('new'))).toEqual(new Set([named(0)]));
  expect(await unbrokenLogs(lineOf('new', 'copied', 'copied'))).toEqual(new Set([named(0), named(1), named(2)]));
  expect(await unbrokenLogs(lineOf('new', 'copied', 'restored'))).toEqual(new Set([named(2)]));
  expect(await unbrokenLogs(lineOf('new', 'restored', 'copied'))).toEqual(new Set([named(1), named(2)]));
});
