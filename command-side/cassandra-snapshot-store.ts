import { promisify } from 'node:util';
import { crc32, deflateRaw, inflateRaw } from 'node:zlib';
import { logId } from '../schemas/position.ts';
import type { StreamName } from '../schemas/streams.ts';
import type { CassandraConnection } from './cassandra-connection.ts';
import type { CassandraTables } from './cassandra-schema.ts';
import type { Snapshot, SnapshotStore } from './snapshot-store.ts';
import type { Warn } from './warn.ts';

const [deflate, inflate] = [promisify(deflateRaw), promisify(inflateRaw)];

export const snapshotTables: CassandraTables = {
  part: 'snapshots',
  steps: [
    [
      `CREATE TABLE IF NOT EXISTS snapshots (
        stream text PRIMARY KEY, revision bigint, log text, link text, code_version int, state blob, checksum bigint
      )`,
    ],
  ],
};

interface SnapshotRow {
  readonly revision: bigint;
  readonly log: string;
  readonly link: string;
  readonly code_version: number;
  readonly state: Buffer;
  readonly checksum: bigint;
}

/** Snapshots in a keyspace, one row a stream; of two processes the last to write wins, for either's is right. */
export const openCassandraSnapshotStore = ({ client }: CassandraConnection, warn: Warn): SnapshotStore => {
  let closed = false;

  const stored = async (stream: StreamName): Promise<Snapshot | undefined> => {
    const { rows } = await client.execute('SELECT * FROM snapshots WHERE stream = ?', [stream]);
    const row = rows[0] as unknown as SnapshotRow | undefined;
    if (row === undefined || checksumOf(stream, row) !== row.checksum) return undefined;
    return {
      revision: Number(row.revision),
      log: logId.parse(row.log),
      link: row.link,
      codeVersion: row.code_version,
      state: (await inflate(row.state)).toString(),
    };
  };

  return {
    async load(stream) {
      if (closed) return undefined;
      try {
        return await stored(stream);
      } catch (error) {
        warn({ err: error, stream }, 'a snapshot could not be read');
        return undefined;
      }
    },
    async save(stream, { revision, log, link, codeVersion, state }) {
      if (closed) return;
      try {
        const row = { revision: BigInt(revision), log, link, code_version: codeVersion, state: await deflate(state) };
        const insert =
          'INSERT INTO snapshots (stream, revision, log, link, code_version, state, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)';
        await client.execute(insert, [stream, ...Object.values(row), checksumOf(stream, row)]);
      } catch (error) {
        warn({ err: error, stream }, 'a snapshot could not be written');
      }
    },
    async close() {
      closed = true;
    },
  };
};

const checksumOf = (stream: StreamName, row: Omit<SnapshotRow, 'checksum'>): bigint => {
  const { revision, log, link, code_version: codeVersion, state } = row;
  return BigInt(crc32(state, crc32(JSON.stringify([stream, String(revision), log, link, codeVersion]))));
};
