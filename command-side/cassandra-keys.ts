import { randomBytes } from 'node:crypto';
import { types, type Client } from 'cassandra-driver';
import type { KeySubject } from '../schemas/events.ts';
import type { AccountsEntry, AccountsKey } from './accounts-store.ts';
import type { CreatedKey, KeySource, StoredKey } from './cached-keys.ts';

/** Of one subject. Without key: destroyed. */
interface KeyRow {
  readonly name: Buffer | null;
  readonly key: Buffer | null;
  readonly destroyed: boolean | null;
}

type SubjectColumns = readonly [kind: string, id: Buffer];

const nameBytes = 16;
const keyBytes = 32;
const buckets = 64;
/** Questions under way at a time, for a page of the log that names many keys. */
const atOnce = 128;

/** After it nobody's half-made change can appear any more. */
const settled = { consistency: types.consistencies.serial };

const columnsOf = (subject: KeySubject): SubjectColumns => {
  const colon = subject.indexOf(':');
  return [subject.slice(0, colon), Buffer.from(subject.slice(colon + 1), 'base64url')];
};

const subjectIn = (kind: string, id: Buffer): KeySubject => `${kind}:${id.toString('base64url')}` as KeySubject;

/** The first bytes of an id are its place, and far from random. */
const bucketOf = (id: Buffer): number => (id.at(-1) ?? 0) % buckets;

const storedKey = (subject: KeySubject, row: KeyRow | undefined): StoredKey | undefined =>
  row?.name && row.key ? { subject, name: row.name.toString('base64url'), key: row.key } : undefined;

type OnSubject<Answer> = (subject: KeySubject) => Promise<Answer>;

/** One after the other for each subject: Paxos lets those who contend for a row fail, however few processes they are in. */
const turns = () => {
  const last = new Map<KeySubject, Promise<unknown>>();
  return <Answer>(work: OnSubject<Answer>): OnSubject<Answer> =>
    async (subject) => {
      const before = last.get(subject) ?? Promise.resolve();
      const turn = before.then(
        () => work(subject),
        () => work(subject),
      );
      last.set(subject, turn);
      try {
        return await turn;
      } finally {
        if (last.get(subject) === turn) last.delete(subject);
      }
    };
};

export interface CassandraKeys extends KeySource {
  /** As `AccountsStore.takeKey`. */
  take(subject: KeySubject, key: AccountsKey): Promise<'taken' | 'different'>;
}

/**
 * A key is found by its subject and by its name. The name is written first and goes first: a name without a key is one
 * that was destroyed, but a key without its name would be written with and never read again.
 */
export const cassandraKeys = (client: Client): CassandraKeys => {
  const inTurn = turns();

  const rowOf = async (subject: KeySubject, options = {}): Promise<KeyRow | undefined> => {
    const select = 'SELECT name, key, destroyed FROM accounts_keys WHERE kind = ? AND id = ?';
    const { rows } = await client.execute(select, [...columnsOf(subject)], options);
    return rows[0] as unknown as KeyRow | undefined;
  };

  const forgetName = async (name: Buffer): Promise<void> => {
    await client.execute('DELETE FROM accounts_key_names WHERE name = ?', [name]);
  };

  const existing = (subject: KeySubject, row: KeyRow): CreatedKey => {
    const key = storedKey(subject, row);
    return { outcome: key === undefined ? 'destroyed' : 'exists', key };
  };

  const findNamed = async (name: string): Promise<readonly StoredKey[]> => {
    const select = 'SELECT kind, id FROM accounts_key_names WHERE name = ?';
    const { rows } = await client.execute(select, [Buffer.from(name, 'base64url')]);
    const found = rows[0] as unknown as { readonly kind: string; readonly id: Buffer } | undefined;
    if (found === undefined) return [];
    const subject = subjectIn(found.kind, found.id);
    const key = storedKey(subject, await rowOf(subject));
    return key?.name === name ? [key] : [];
  };

  const insertName = async (name: Buffer, columns: SubjectColumns): Promise<void> => {
    await client.execute('INSERT INTO accounts_key_names (name, kind, id) VALUES (?, ?, ?)', [name, ...columns]);
  };
  /** Undefined: the row is as given; else the one that stands there. */
  const insertKey = async (columns: SubjectColumns, name: Buffer, key: Buffer): Promise<KeyRow | undefined> => {
    const insert = 'INSERT INTO accounts_keys (kind, id, name, key) VALUES (?, ?, ?, ?) IF NOT EXISTS';
    const answer = await client.execute(insert, [...columns, name, key]);
    const stands = answer.wasApplied() ? undefined : (answer.rows[0] as unknown as KeyRow);
    // Repeated because nobody knew whether it was carried out, it finds what it had written.
    return stands?.name?.equals(name) === true ? undefined : stands;
  };

  return {
    async take(subject, { name, key }) {
      const [columns, nameBuffer, keyBuffer] = [columnsOf(subject), Buffer.from(name, 'base64url'), Buffer.from(key)];
      const before = await rowOf(subject);
      if (before === undefined) {
        await insertName(nameBuffer, columns);
        if ((await insertKey(columns, nameBuffer, keyBuffer)) === undefined) return 'taken';
        await forgetName(nameBuffer);
        return 'different';
      }
      return before.name?.equals(nameBuffer) === true && before.key?.equals(keyBuffer) === true ? 'taken' : 'different';
    },
    find: async (subject) => storedKey(subject, await rowOf(subject)),
    async findNamed(names) {
      const found: StoredKey[] = [];
      for (let from = 0; from < names.length; from += atOnce) {
        const some = await Promise.all(names.slice(from, from + atOnce).map(findNamed));
        found.push(...some.flat());
      }
      return found;
    },
    create: inTurn(async (subject) => {
      const before = await rowOf(subject);
      if (before !== undefined) return existing(subject, before);
      const [name, key] = [randomBytes(nameBytes), randomBytes(keyBytes)];
      const columns = columnsOf(subject);
      await insertName(name, columns);
      const winner = await insertKey(columns, name, key);
      if (winner === undefined) {
        return { outcome: 'created', key: { subject, name: name.toString('base64url'), key } };
      }
      await forgetName(name);
      return existing(subject, winner);
    }),
    destroy: inTurn(async (subject) => {
      const columns = columnsOf(subject);
      const [kind, id] = columns;
      const insert = 'INSERT INTO accounts_destroyed (bucket, kind, id) VALUES (?, ?, ?)';
      await client.execute(insert, [bucketOf(id), kind, id]);
      for (;;) {
        const row = await rowOf(subject, settled);
        if (row?.destroyed === true) return;
        const name = row?.name ?? null;
        if (name !== null) await forgetName(name);
        const update = `UPDATE accounts_keys SET destroyed = true, name = null, key = null WHERE kind = ? AND id = ?`;
        const answer = await client.execute(`${update} IF name = ? AND destroyed = null`, [...columns, name]);
        // Not so where the key was made, or destroyed, since it was read.
        if (answer.wasApplied()) return;
      }
    }),
  };
};

/** Every key and tombstone, page by page. */
export async function* allKeys(client: Client): AsyncGenerator<AccountsEntry, undefined> {
  const rows = await client.execute('SELECT kind, id, name, key FROM accounts_keys');
  for await (const row of rows as AsyncIterable<KeyRow & { readonly kind: string; readonly id: Buffer }>) {
    const subject = subjectIn(row.kind, row.id);
    yield { subject, key: storedKey(subject, row) ?? null };
  }
}

/** Every subject whose key was destroyed, or is at this moment. */
export const destroyedSubjects = async (client: Client): Promise<readonly KeySubject[]> => {
  const destroyed: KeySubject[] = [];
  for (let bucket = 0; bucket < buckets; bucket++) {
    const rows = await client.execute('SELECT kind, id FROM accounts_destroyed WHERE bucket = ?', [bucket]);
    for await (const row of rows as AsyncIterable<{ kind: string; id: Buffer }>)
      destroyed.push(subjectIn(row.kind, row.id));
  }
  return destroyed;
};
