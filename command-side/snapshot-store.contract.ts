import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { conversationId } from '../schemas/ids.ts';
import { logId } from '../schemas/position.ts';
import { conversationStream, type StreamName } from '../schemas/streams.ts';
import type { Snapshot, SnapshotStore } from './snapshot-store.ts';

export interface SnapshotsUnderTest {
  open(): Promise<SnapshotStore>;
  /** Flips one bit of the stored state in which `text` stands; called while no store is open. */
  damage(text: string): Promise<void>;
  remove(): Promise<void>;
}

const id = (): string => randomBytes(16).toString('base64url');
const someStream = (): StreamName => conversationStream(conversationId.parse(id()));
const someSnapshot = (revision: number, state: string): Snapshot => ({
  revision,
  log: logId.parse(id()),
  link: randomBytes(32).toString('base64url'),
  codeVersion: 1,
  state,
});

export const snapshotStoreContract = (name: string, prepare: () => Promise<SnapshotsUnderTest>): void => {
  describe(`snapshot store: ${name}`, () => {
    let place: SnapshotsUnderTest;
    let store: SnapshotStore;
    beforeEach(async () => {
      place = await prepare();
      store = await place.open();
    });
    afterEach(async () => {
      await store.close();
      await place.remove();
    });

    test('the newest snapshot of a stream comes back, also after reopening', async () => {
      const [stream, other] = [someStream(), someStream()];
      const newest = someSnapshot(1_999, '{"text":"é 東京 \\u0000 😀"}');
      await store.save(stream, someSnapshot(999, '{}'));
      await store.save(stream, newest);
      await store.save(other, someSnapshot(7, '[]'));
      expect(await store.load(stream)).toEqual(newest);
      await store.close();
      store = await place.open();
      expect(await store.load(stream)).toEqual(newest);
      expect(await store.load(someStream())).toBeUndefined();
    });

    test('a state of a megabyte comes back whole', async () => {
      const stream = someStream();
      const snapshot = someSnapshot(2 ** 40, JSON.stringify('x'.repeat(1_000_000)));
      await store.save(stream, snapshot);
      expect(await store.load(stream)).toEqual(snapshot);
    });

    test('D6: a damaged snapshot is none', async () => {
      const [stream, other] = [someStream(), someStream()];
      await store.save(stream, someSnapshot(1, '{"needle":"in a haystack"}'));
      await store.save(other, someSnapshot(2, '{"all":"well"}'));
      await store.close();
      await place.damage('in a haystack');
      store = await place.open();
      expect(await store.load(stream)).toBeUndefined();
      expect(await store.load(other)).toMatchObject({ revision: 2 });
      await store.save(stream, someSnapshot(3, '{}'));
      expect(await store.load(stream)).toMatchObject({ revision: 3 });
    });

    test('a closed store saves nothing, finds nothing and does not throw', async () => {
      const stream = someStream();
      await store.save(stream, someSnapshot(1, '{}'));
      await store.close();
      await store.save(stream, someSnapshot(2, '{}'));
      expect(await store.load(stream)).toBeUndefined();
    });
  });
};
