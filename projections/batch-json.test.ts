import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyNewEvent } from '../event-log/events.fixture.ts';
import { eventTypes, type RecordedEvent } from '../schemas/events.ts';
import type { LogId } from '../schemas/position.ts';
import { batchFromJson, batchToJson } from './batch-json.ts';
import type { ProjectedEvent } from './read-model.ts';

const log = randomBytes(16).toString('base64url') as LogId;

const anyRecorded = fc
  .tuple(anyNewEvent, fc.nat(), fc.nat(), fc.boolean())
  .map(([given, revision, n, known]): RecordedEvent => {
    const { type } = given.event;
    const { stream, version, critical } = eventTypes[type];
    return {
      ...given,
      stream: `${stream}-${log}`,
      revision,
      position: { log, n },
      type,
      schemaVersion: version,
      critical,
      event: known ? given.event : undefined,
      link: null,
    };
  });

const projected = (recorded: RecordedEvent): ProjectedEvent => {
  const { stream, revision, position, time, type, schemaVersion, critical, event } = recorded;
  return { stream, revision, position, time, type, schemaVersion, critical, event };
};

test('a batch on its way to a thread loses nothing that a projection sees', () => {
  fc.assert(
    fc.property(fc.array(anyRecorded), fc.nat(), (events, n) => {
      const through = { log, n, place: n + 7, event: null };
      expect(batchFromJson(batchToJson({ events, through }))).toStrictEqual({
        events: events.map(projected),
        through,
      });
    }),
  );
});
