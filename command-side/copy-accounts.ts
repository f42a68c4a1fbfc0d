import type { KeySubject } from '../schemas/events.ts';
import { AccountsUnusable, type AccountsEntry, type AccountsStore } from './accounts-store.ts';

/** Under way at once: a key on a cluster waits for its replicas. */
const atOnce = 64;

export interface CopyAccounts {
  /** Nobody changes them meanwhile. */
  readonly source: AccountsStore;
  /** Made for this copy, or left by one that was cut short. */
  readonly target: AccountsStore;
  /** Told how many subjects were copied. */
  readonly copied: (subjects: number) => void;
}

export interface CopiedAccounts {
  readonly keys: number;
  readonly destroyed: number;
}

/**
 * Copies everything that accounts hold. Repeated, also after the source went on, it comes to what a first copy would have:
 * what was destroyed since is destroyed in the copy. Throws `AccountsUnusable` for a target that holds anything else.
 */
export const copyAccounts = async ({ source, target, copied }: CopyAccounts): Promise<CopiedAccounts> => {
  if (Buffer.compare(source.installKey, target.installKey) !== 0) {
    throw new AccountsUnusable('the target holds accounts of another installation');
  }
  const destroyed: ReadonlySet<KeySubject> = new Set(await source.destroyed());
  await inGroups(target.each(), (entry) => refuseStranger(entry, source, destroyed));

  const counts = { keys: 0, destroyed: 0 };
  await inGroups(source.each(), async ({ subject, key }) => {
    if (key === null) {
      await target.destroyKey(subject);
      counts.destroyed++;
    } else {
      if ((await target.takeKey(subject, key)) === 'different') throw strange(subject);
      counts.keys++;
    }
    copied(counts.keys + counts.destroyed);
  });
  const erasedThrough = await source.erasedThrough();
  if (erasedThrough !== null) await target.storeErasedThrough(erasedThrough);
  return counts;
};

const strange = (subject: KeySubject): AccountsUnusable =>
  new AccountsUnusable(`the target holds another key of ${subject}, or one that the source does not have`);

const refuseStranger = async (
  { subject, key }: AccountsEntry,
  source: AccountsStore,
  destroyed: ReadonlySet<KeySubject>,
): Promise<void> => {
  if (destroyed.has(subject)) return;
  if (key === null || (await source.keyOf(subject))?.name !== key.name) throw strange(subject);
};

const inGroups = async <Item>(items: AsyncIterable<Item>, work: (item: Item) => Promise<void>): Promise<void> => {
  let group: Item[] = [];
  for await (const item of items) {
    group.push(item);
    if (group.length < atOnce) continue;
    await Promise.all(group.map(work));
    group = [];
  }
  await Promise.all(group.map(work));
};
