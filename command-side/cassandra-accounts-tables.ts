import type { CassandraTables } from './cassandra-schema.ts';

export const accountsTables: CassandraTables = {
  part: 'accounts',
  steps: [
    [
      'CREATE TABLE IF NOT EXISTS accounts_install (one int PRIMARY KEY, key blob)',
      // Written by Paxos alone. Destroyed, it has neither name nor key, and refuses the subject a second one.
      `CREATE TABLE IF NOT EXISTS accounts_keys (
        kind text, id blob, name blob, key blob, destroyed boolean, PRIMARY KEY ((kind, id))
      )`,
      'CREATE TABLE IF NOT EXISTS accounts_key_names (name blob PRIMARY KEY, kind text, id blob)',
      `CREATE TABLE IF NOT EXISTS accounts_destroyed (
        bucket int, kind text, id blob, PRIMARY KEY (bucket, kind, id)
      )`,
      'CREATE TABLE IF NOT EXISTS accounts_erased_through (one int PRIMARY KEY, log text, n bigint)',
    ],
  ],
};
