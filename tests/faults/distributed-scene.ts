import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { inject, onTestFinished } from 'vitest';
import { accountsTables } from '../../command-side/cassandra-accounts-tables.ts';
import { snapshotTables } from '../../command-side/cassandra-snapshot-store.ts';
import { inboxCassandraTables } from '../../projections/cassandra-inbox-schema.ts';
import { storePlace } from '../../schemas/store-place.ts';
import { startStubProcess } from '../eventstoredb-stub/stub-process.ts';
import { Proxy, together } from '../proxy.ts';
import { runParley, type Ran } from '../run-parley.ts';
import { Scene } from '../scene.ts';
import { ownKeyspace } from '../servers/cassandra-keyspace.ts';
import { tokenSecret } from '../tokens.ts';

export type ServerName = 'log' | 'cassandra' | 'elasticsearch' | 'redis';

export interface DistributedScene {
  readonly scene: Scene;
  /** Every service by its name. */
  readonly names: readonly string[];
  /** Sends a signal to the process that a service is now. */
  readonly signal: (name: string, signal: NodeJS.Signals) => void;
  /** How often a service has begun to listen. */
  readonly startsOf: (name: string) => number;
  /** Cuts what every service has to a server, and refuses it until `comeBack`. */
  readonly goAway: (server: ServerName) => void;
  readonly comeBack: (server: ServerName) => void;
  /** `parley …` for this installation. */
  readonly parley: (...words: readonly string[]) => Promise<Ran>;
}

/** A server by an address of its own, at which it can be away. */
class Reached {
  readonly url: string;
  readonly #cuts: Set<() => void>;
  isAway = false;

  private constructor(url: string, cuts: Set<() => void>) {
    this.url = url;
    this.#cuts = cuts;
  }

  static async open(url: string): Promise<Reached> {
    const cuts = new Set<() => void>();
    const port = Number(/:([0-9]+)/.exec(url)?.[1]);
    const carry = (client: Socket, upstream: Socket): void => {
      const cut = together(client, upstream);
      if (reached.isAway) cut();
      cuts.add(cut);
      client.once('close', () => cuts.delete(cut));
      client.pipe(upstream);
      upstream.pipe(client);
    };
    const proxy = await Proxy.open(() => port, carry);
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const reached: Reached = new Reached(url.replace(`:${port}`, `:${proxy.port}`), cuts);
    return reached;
  }

  cutAll(): void {
    for (const cut of this.#cuts) cut();
  }
}

const startLine = /^(.+) \(pid ([0-9]+)\): parley listens on /;

const dropIndices = async (prefix: string): Promise<void> => {
  const url = inject('elasticsearch');
  const answer = await fetch(`${url}/_cat/indices/${prefix}-*?format=json&h=index`);
  for (const { index } of (await answer.json()) as { index: string }[])
    await fetch(`${url}/${index}`, { method: 'DELETE' });
};

/** The distributed profile on the servers of this run, with tables, indices and a log of its own, behind one address. */
export const openDistributed = async (): Promise<DistributedScene> => {
  const stub = await startStubProcess();
  onTestFinished(() => stub.kill('SIGKILL'));
  const keyspace = await ownKeyspace(inject('cassandra'), [accountsTables, snapshotTables, inboxCassandraTables]);
  onTestFinished(() => keyspace[Symbol.asyncDispose]());
  const prefix = `test-${randomBytes(6).toString('hex')}`;
  onTestFinished(() => dropIndices(prefix));
  const servers: Readonly<Record<ServerName, Reached>> = {
    log: await Reached.open(stub.url),
    cassandra: await Reached.open(keyspace.url),
    elasticsearch: await Reached.open(inject('elasticsearch')),
    redis: await Reached.open(inject('redis')),
  };
  const settings = {
    PARLEY_TOKEN_SECRET: tokenSecret,
    PARLEY_EVENT_LOG: servers.log.url,
    PARLEY_ACCOUNTS: servers.cassandra.url,
    PARLEY_INBOX: servers.cassandra.url,
    PARLEY_SEARCH: `${servers.elasticsearch.url}/${prefix}`,
    PARLEY_BUS: servers.redis.url,
  };
  const scene = await Scene.open({
    main: 'main/distributed.ts',
    env: settings,
    log: { in: 'eventstoredb', url: stub.url },
    accounts: storePlace.parse(keyspace.url),
  });
  const starts = () =>
    scene.server.output.flatMap((line) => {
      const [, name = '', pid] = startLine.exec(line) ?? [];
      return pid === undefined ? [] : [{ name, pid: Number(pid) }];
    });
  return {
    scene,
    names: [...new Set(starts().map(({ name }) => name))],
    signal(name, signal) {
      const { pid } = starts().findLast((start) => start.name === name) ?? {};
      if (pid === undefined) throw new Error(`${name} was never started`);
      process.kill(pid, signal);
    },
    startsOf: (name) => starts().filter((start) => start.name === name).length,
    goAway(server) {
      servers[server].isAway = true;
      servers[server].cutAll();
    },
    comeBack(server) {
      servers[server].isAway = false;
    },
    parley: (...words) => runParley(scene.data, words, settings),
  };
};
