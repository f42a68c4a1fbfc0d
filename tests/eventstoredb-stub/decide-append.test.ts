import { expect, test } from 'vitest';
import { decideAppend } from './decide-append.ts';
import { type ExpectedRevision, tombstoneRevision } from './stored-event.ts';

/** Of a stream of the events a, b, c, of which the server remembers the last two. */
const decided = (
  expected: ExpectedRevision,
  ids: readonly string[],
  now: { last?: bigint; softDeleted?: boolean } = {},
) =>
  decideAppend(expected, ids, {
    last: now.last ?? 2n,
    softDeleted: now.softDeleted ?? false,
    idAt: (revision) => ['a', 'b', 'c'][Number(revision)],
    recentRevisionOf: (id) => ({ b: 1n, c: 2n })[id],
  });

test.each<[ExpectedRevision, ids: string, kind: string]>([
  [2n, 'x', 'write'],
  [2n, 'c', 'write'],
  [2n, '', 'write'],
  [3n, 'x', 'conflict'],
  [1n, 'x', 'conflict'],
  [1n, '', 'conflict'],
  [1n, 'c', 'repeated'],
  [1n, 'cx', 'conflict'],
  [1n, 'xc', 'conflict'],
  ['no_stream', 'abc', 'repeated'],
  ['no_stream', 'ab', 'repeated'],
  ['no_stream', 'b', 'conflict'],
  ['any', 'x', 'write'],
  ['any', '', 'write'],
  ['any', 'a', 'write'],
  ['any', 'bc', 'repeated'],
  ['any', 'bx', 'conflict'],
  ['stream_exists', 'x', 'write'],
  ['stream_exists', 'c', 'repeated'],
])('on a, b, c at 2 an append expecting %s of the events "%s" is a %s', (expected, ids, kind) => {
  expect(decided(expected, ids.match(/./g) ?? []).kind).toBe(kind);
});

test.each<[ExpectedRevision, kind: string]>([
  ['no_stream', 'write'],
  ['any', 'write'],
  ['stream_exists', 'conflict'],
  [0n, 'conflict'],
])('on a missing stream an append expecting %s is a %s', (expected, kind) => {
  expect(decided(expected, ['x'], { last: -1n }).kind).toBe(kind);
});

test('a stream that was deleted softly takes an append as a missing one does; one with a tombstone takes none', () => {
  expect(decided('no_stream', ['x'], { softDeleted: true }).kind).toBe('write');
  expect(decided(1n, ['x'], { softDeleted: true }).kind).toBe('conflict');
  expect(decided('any', ['x'], { last: tombstoneRevision }).kind).toBe('deleted');
});
