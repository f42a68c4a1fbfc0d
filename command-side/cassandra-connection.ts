import { connect } from 'node:net';
import { auth, Client, errors, policies, types, type Host } from 'cassandra-driver';
import { setTimeout as pause } from 'node:timers/promises';
import type { ClusterUrl } from '../schemas/cluster-url.ts';

/** It answers, and will never do for what it is asked: credentials, keyspace, tables, version, or no Cassandra at all. */
export class CassandraUnusable extends Error {
  override readonly name = 'CassandraUnusable';
}

/**
 * The connection of one process to a cluster, made once. It comes back by itself; what is asked while the cluster is away
 * rejects at once, and what gets no answer after five seconds.
 */
export interface CassandraConnection {
  /**
   * Its statements are prepared, written to and read from a quorum of the data center, and repeated when nobody knows
   * whether they were carried out: each must come to the same when it is carried out twice.
   */
  readonly client: Client;
  readonly cluster: ClusterUrl;
  /** Why no node answers; undefined: one does. */
  readonly away: () => string | undefined;
  close(): Promise<void>;
}

type CassandraWarn = (details: Readonly<Record<string, unknown>>, message: string) => void;

export interface CassandraDeps {
  readonly warn: CassandraWarn;
  /** Called each time it was tried in vain: until it answers there is no connection. */
  readonly waiting: (reason: string) => void;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

const connectMs = 2_000;
const answerMs = 5_000;
const heartbeatMs = 5_000;
const shortestPauseMs = 100;
const longestPauseMs = 2_000;
const oldest = [5, 0] as const;

/** Every statement may be repeated, so one is while there is hope: on another node where this one did not answer. */
class Repeat extends policies.retry.RetryPolicy {
  static readonly most = 3;

  override onReadTimeout(info: policies.retry.OperationInfo): policies.retry.DecisionInfo {
    return this.#again(info, 'here');
  }

  override onWriteTimeout(info: policies.retry.OperationInfo): policies.retry.DecisionInfo {
    return this.#again(info, 'here');
  }

  override onUnavailable(info: policies.retry.OperationInfo): policies.retry.DecisionInfo {
    return this.#again(info, 'elsewhere');
  }

  override onRequestError(info: policies.retry.OperationInfo): policies.retry.DecisionInfo {
    return this.#again(info, 'elsewhere');
  }

  #again(
    { nbRetry, executionOptions }: policies.retry.OperationInfo,
    where: 'here' | 'elsewhere',
  ): policies.retry.DecisionInfo {
    const may = executionOptions.isIdempotent() && nbRetry < Repeat.most;
    return may ? this.retryResult(executionOptions.getConsistency(), where === 'here') : this.rethrowResult();
  }
}

/** Before `parley migrate` has made the keyspace, there is none to be in. */
type Within = 'its keyspace' | 'no keyspace';

const newClient = ({ hosts, credentials, dataCenter, keyspace }: ClusterUrl, within: Within): Client =>
  new Client({
    contactPoints: [...hosts],
    localDataCenter: dataCenter,
    ...(within === 'its keyspace' && { keyspace }),
    ...(credentials && { authProvider: new auth.PlainTextAuthProvider(credentials.username, credentials.password) }),
    socketOptions: { connectTimeout: connectMs, readTimeout: answerMs, defunctReadTimeoutThreshold: 8 },
    pooling: { heartBeatInterval: heartbeatMs },
    policies: {
      reconnection: new policies.reconnection.ExponentialReconnectionPolicy(shortestPauseMs, longestPauseMs),
      retry: new Repeat(),
    },
    queryOptions: {
      prepare: true,
      isIdempotent: true,
      consistency: types.consistencies.localQuorum,
      serialConsistency: types.consistencies.serial,
      fetchSize: 1_000,
    },
    encoding: { useBigIntAsLong: true, useUndefinedAsUnset: true },
  });

/** What the driver does not tell of in its types. */
interface WithControl {
  readonly controlConnection: { _refresh(hosts?: unknown): Promise<void> };
}
interface WithPool {
  shutdown(waitForPending: boolean): Promise<void>;
}

/** Where all nodes were away, the driver takes each for a new one, and the old one's pool would go on connecting for ever. */
const closePool = (host: Host): void => {
  (host as Host & WithPool).shutdown(false).catch(() => undefined);
};

/**
 * One search at a time for a connection by which the driver (4.10.0) hears of the cluster. Where all nodes were away it
 * listens twice to the one it finds, and when that is lost searches twice from then on, and four times after the next: a
 * day of short outages would fill the memory. A search that is overtaken by another rejects, and ends the process.
 */
const searchOnce = (client: Client): Client => {
  const { controlConnection } = client as unknown as WithControl;
  const search = controlConnection._refresh.bind(controlConnection);
  let underWay: Promise<void> | undefined;
  controlConnection._refresh = (hosts) => {
    // Called with the nodes that are left to ask, it is a search that goes on.
    if (hosts !== undefined) return search(hosts);
    underWay ??= search()
      .catch(() => undefined)
      .finally(() => (underWay = undefined));
    return underWay;
  };
  return client;
};

/**
 * What `attempt` comes to once the cluster answers; until then it is made again and again. Rejects with `CassandraUnusable`
 * when the cluster answers that it will not do.
 */
export const onceItAnswers = async <Answer>(
  { waiting, signal }: Omit<CassandraDeps, 'warn'>,
  attempt: () => Promise<Answer>,
): Promise<Answer> => {
  for (let pauseMs = shortestPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    try {
      return await attempt();
    } catch (error) {
      const reason = unusable(error);
      if (reason !== undefined) throw new CassandraUnusable(reason, { cause: error });
      if (!(error instanceof errors.DriverError)) throw error;
      waiting(reasonOf(error));
      await pause(pauseMs * (0.5 + Math.random() / 2), undefined, { signal });
    }
  }
};

/** Waits for the cluster as long as it is away, and rejects when it will not do, as `onceItAnswers` does. */
export const openCassandra = (
  cluster: ClusterUrl,
  deps: CassandraDeps,
  within: Within = 'its keyspace',
): Promise<CassandraConnection> =>
  onceItAnswers(deps, async () => {
    const client = searchOnce(newClient(cluster, within));
    try {
      await client.connect();
      checkVersions(client);
      return connected(client, cluster, deps.warn);
    } catch (error) {
      await client.shutdown();
      const stranger = unusable(error) === undefined ? await strangerAmong(cluster.hosts) : undefined;
      throw stranger === undefined ? error : new CassandraUnusable(stranger, { cause: error });
    }
  });

const connected = (client: Client, cluster: ClusterUrl, warn: CassandraWarn): CassandraConnection => {
  const away = (): string | undefined => {
    const hosts = client.hosts.values();
    return hosts.some((host) => host.isUp())
      ? undefined
      : `${hosts.map(({ address }) => address).join(', ')}: no answer`;
  };
  let wasAway = false;
  const look = (): void => {
    const reason = away();
    if (wasAway === (reason !== undefined)) return;
    wasAway = reason !== undefined;
    warn({ reason }, wasAway ? 'cassandra is away' : 'cassandra is back');
  };
  client.on('hostDown', look);
  client.on('hostUp', look);
  client.on('hostRemove', closePool);
  return {
    client,
    cluster,
    away,
    async close() {
      client.removeListener('hostDown', look);
      client.removeListener('hostUp', look);
      await client.shutdown();
    },
  };
};

const checkVersions = (client: Client): void => {
  for (const { address, cassandraVersion } of client.hosts.values()) {
    // Of a node that is joining or away the others may not know it.
    const [major, minor = 0] = ((cassandraVersion as string | null) ?? '').split('.').map(Number);
    if (!major) continue;
    if (major < oldest[0] || (major === oldest[0] && minor < oldest[1]))
      throw new CassandraUnusable(
        `Cassandra ${cassandraVersion} at ${address} is too old: it must be ${oldest.join('.')} or newer`,
      );
  }
};

/** What nodes said, where several were asked in vain. */
const causesOf = (error: unknown): readonly Error[] => {
  if (error instanceof errors.NoHostAvailableError) {
    const inner = Object.values((error.innerErrors ?? {}) as Record<string, unknown>);
    return inner.length === 0 ? [error] : inner.flatMap(causesOf);
  }
  return [error instanceof Error ? error : new Error(String(error))];
};

const reasonOf = (error: unknown): string => causesOf(error)[0]?.message ?? 'no answer';

/** Why it will never do; undefined: it may a moment later. */
const unusable = (error: unknown): string | undefined => {
  for (const cause of causesOf(error)) {
    if (cause instanceof CassandraUnusable) return cause.message;
    if (/keyspace .* does not exist/i.test(cause.message)) return `${cause.message}: run parley migrate`;
    if (cause instanceof errors.AuthenticationError || cause instanceof errors.ArgumentError) return cause.message;
    if (cause instanceof errors.ResponseError && hopeless.has(cause.code)) return cause.message;
  }
  return undefined;
};

const { badCredentials, invalid, unauthorized, protocolError, configError } = types.responseErrorCodes;
const hopeless: ReadonlySet<number> = new Set([badCredentials, invalid, unauthorized, protocolError, configError]);

const usualPort = 9042;
/** An empty OPTIONS frame, which is answered before anybody has said who they are. */
const optionsFrame = Buffer.from([4, 0, 0, 0, 5, 0, 0, 0, 0]);
/** What an answer begins with, in each version of the protocol there is. */
const isAnswer = (first: number | undefined): boolean => first !== undefined && first >= 0x81 && first <= 0x86;

/** The driver waits for more of what is no answer to it, as if the node were slow. */
const strangerAmong = async (hosts: readonly string[]): Promise<string | undefined> => {
  const answers = await Promise.all(hosts.map(firstByte));
  const stranger = hosts.find((_, index) => answers[index] !== undefined && !isAnswer(answers[index]));
  return stranger && `${stranger} speaks something else than Cassandra's protocol, or speaks it over TLS`;
};

const firstByte = (host: string): Promise<number | undefined> =>
  new Promise((resolve) => {
    const [, name = host, port = usualPort] = /^(.*?):(\d+)$/.exec(host) ?? [];
    const socket = connect(Number(port), name.replaceAll(/[[\]]/g, ''), () => socket.write(optionsFrame));
    socket.setTimeout(connectMs, () => socket.destroy());
    socket.once('data', (answer: Buffer) => {
      resolve(answer[0]);
      socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(undefined));
  });
