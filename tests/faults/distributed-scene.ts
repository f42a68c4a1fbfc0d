import { randomBytes } from 'node:crypto';
import { inject, onTestFinished } from 'vitest';
import { accountsTables } from '../../command-side/cassandra-accounts-tables.ts';
import { snapshotTables } from '../../command-side/cassandra-snapshot-store.ts';
import { inboxCassandraTables } from '../../projections/cassandra-inbox-schema.ts';
import { storePlace } from '../../schemas/store-place.ts';
import { startStubProcess, type StubProcess } from '../eventstoredb-stub/stub-process.ts';
import { runParley, type Ran } from '../run-parley.ts';
import { Scene } from '../scene.ts';
import { ownKeyspace } from '../servers/cassandra-keyspace.ts';
import { tokenSecret } from '../tokens.ts';

export interface DistributedScene {
  readonly scene: Scene;
  readonly stub: StubProcess;
  /** Every service by its name. */
  readonly names: readonly string[];
  /** Sends a signal to the process that a service is now. */
  signal(name: string, signal: NodeJS.Signals): void;
  /** How often a service has begun to listen. */
  startsOf(name: string): number;
  /** `parley …` for this installation. */
  parley(...words: readonly string[]): Promise<Ran>;
}

const prefixOf = (): string => `test-${randomBytes(6).toString('hex')}`;
const startLine = /^(.+) \(pid ([0-9]+)\): parley listens on /;

/** The distributed profile on the servers of this run, with tables, indices and a log of its own, behind one address. */
export const openDistributed = async (env: Readonly<Record<string, string>> = {}): Promise<DistributedScene> => {
  const stub = await startStubProcess();
  onTestFinished(() => stub.kill('SIGKILL'));
  const keyspace = await ownKeyspace(inject('cassandra'), [accountsTables, snapshotTables, inboxCassandraTables]);
  onTestFinished(() => keyspace[Symbol.asyncDispose]());
  const prefix = prefixOf();
  onTestFinished(async () => {
    const answer = await fetch(`${inject('elasticsearch')}/_cat/indices/${prefix}-*?format=json&h=index`);
    for (const { index } of (await answer.json()) as { index: string }[])
      await fetch(`${inject('elasticsearch')}/${index}`, { method: 'DELETE' });
  });
  const settings = {
    PARLEY_TOKEN_SECRET: tokenSecret,
    PARLEY_EVENT_LOG: stub.url,
    PARLEY_ACCOUNTS: keyspace.url,
    PARLEY_INBOX: keyspace.url,
    PARLEY_SEARCH: `${inject('elasticsearch')}/${prefix}`,
    PARLEY_BUS: inject('redis'),
    ...env,
  };
  const scene = await Scene.open({
    main: 'main/distributed.ts',
    env: settings,
    log: { in: 'eventstoredb', url: stub.url },
    accounts: storePlace.parse(keyspace.url),
  });
  const startsIn = () =>
    scene.server.output.flatMap((line) => {
      const [, name = '', pid] = startLine.exec(line) ?? [];
      return pid === undefined ? [] : [{ name, pid: Number(pid) }];
    });
  return {
    scene,
    stub,
    names: [...new Set(startsIn().map(({ name }) => name))],
    signal(name, signal) {
      const { pid } = startsIn().findLast((start) => start.name === name) ?? {};
      if (pid === undefined) throw new Error(`${name} was never started`);
      process.kill(pid, signal);
    },
    startsOf: (name) => startsIn().filter((start) => start.name === name).length,
    parley: (...words) => runParley(scene.data, words, settings),
  };
};
