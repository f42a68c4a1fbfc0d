import type { Client } from 'cassandra-driver';
import { columnTypes, tableIn, type InboxTable, type TableSet } from './cassandra-inbox-schema.ts';
import type { RowWrite } from './cassandra-inbox-rows.ts';
import type { Row } from './cassandra-inbox-values.ts';

export type Parameter = Buffer | string | number | boolean | bigint;

/** One set of the inbox's tables. */
export interface InboxStore {
  /** All rows, of however many pages. */
  rows(table: InboxTable, columns: string, where: string, parameters: readonly Parameter[]): Promise<readonly Row[]>;
  /** The rows of a whole table, page by page, in the order of their partitions' tokens. */
  scan(table: InboxTable, columns: string): AsyncIterable<Row>;
  /** Resolves when all of them are on a quorum. */
  write(writes: readonly RowWrite[]): Promise<void>;
}

/** Requests of one process under way at once, so that a batch does not crowd out who reads. */
const underWay = 128;
/** Rows of one partition go together, up to so many. */
const rowsAtOnce = 50;

export const inboxStore = (client: Client, set: TableSet): InboxStore => ({
  async rows(table, columns, where, parameters) {
    const found: Row[] = [];
    const select = `SELECT ${columns} FROM ${tableIn(set, table)} WHERE ${where}`;
    for await (const row of await client.execute(select, parameters)) found.push(row);
    return found;
  },
  async *scan(table, columns) {
    for await (const row of await client.execute(`SELECT ${columns} FROM ${tableIn(set, table)}`)) yield row;
  },
  async write(writes) {
    const groups = new Map<string, { query: string; params: Parameter[] }[]>();
    for (const write of writes) {
      const key = partitionOf(write);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [statementOf(set, write)]);
      else group.push(statementOf(set, write));
    }
    const requests = [...groups.values()].flatMap((group) => inPieces(group, rowsAtOnce));
    await inParallel(requests, underWay, async (statements) => {
      const [first] = statements;
      if (first === undefined) return;
      if (statements.length === 1) await client.execute(first.query, first.params);
      else await client.batch(statements, { logged: false });
    });
  },
});

/** The first column of each table is of its partition's key; of some the second one is too. */
const secondOfKey: Partial<Record<InboxTable, string>> = {
  message: 'bucket',
  long_text: 'seq',
  sent: 'bucket',
  change: 'chunk',
  command: 'day',
};
const firstOfKey = (table: InboxTable): string => columnTypes[table].keys().next().value ?? '';

const partitionOf = ({ table, values }: RowWrite): string => {
  const first = values[firstOfKey(table)];
  const second = secondOfKey[table];
  const text = Buffer.isBuffer(first) ? first.toString('base64url') : String(first);
  return `${table}/${text}/${second === undefined ? '' : String(values[second])}`;
};

const statements = new Map<string, string>();

const statementOf = (set: TableSet, { table, stamp, values }: RowWrite): { query: string; params: Parameter[] } => {
  const types = columnTypes[table];
  const columns = Object.keys(values);
  const key = `${set}/${table}/${columns.join()}`;
  let query = statements.get(key);
  if (query === undefined) {
    const marks = columns.map(() => '?').join(', ');
    query = `INSERT INTO ${tableIn(set, table)} (${columns.join(', ')}) VALUES (${marks}) USING TIMESTAMP ?`;
    statements.set(key, query);
  }
  const params: Parameter[] = columns.map((column) => {
    const value = values[column] ?? '';
    return types.get(column) === 'bigint' && typeof value === 'number' ? BigInt(value) : value;
  });
  return { query, params: [...params, BigInt(stamp)] };
};

const inPieces = <T>(all: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, piece) => all.slice(piece * size, (piece + 1) * size));

/** At most so many at once. Rejects with the first failure, and only when none is under way any more. */
export const inParallel = async <T>(
  all: readonly T[],
  most: number,
  work: (one: T) => Promise<void>,
): Promise<void> => {
  let next = 0;
  const failures: unknown[] = [];
  const take = async (): Promise<void> => {
    while (next < all.length && failures.length === 0) {
      const one = all[next++];
      if (one === undefined) return;
      try {
        await work(one);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, all.length) }, take));
  if (failures.length > 0) throw failures[0];
};
