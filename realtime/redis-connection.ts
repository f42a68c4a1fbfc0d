import { Redis } from 'ioredis';

/** It answers, and will never do for what it is asked: credentials, database, version, or no Redis at all. */
export class RedisUnusable extends Error {
  override readonly name = 'RedisUnusable';
}

/** The connections of one process. Each comes back by itself; what is asked while it is away is refused at once. */
export interface RedisConnection {
  readonly commands: Redis;
  /** A connection that has subscribed takes no other commands. */
  readonly subscriber: Redis;
  /** Why Redis does not answer; undefined: it does. */
  away(): string | undefined;
  close(): void;
}

type RedisWarn = (details: Readonly<Record<string, unknown>>, message: string) => void;

const startMs = 3_000;
const answerMs = 2_000;
const longestPauseMs = 2_000;
/** With ZMSCORE and RESP3. */
const oldest = [6, 2] as const;

const isUnusable = ({ message }: Error): boolean =>
  /^(NOAUTH|WRONGPASS|NOPERM|ERR)\b/.test(message) || message.startsWith('Unknown RESP type');

/** A connection, and the last error that kept it away. */
interface Connected {
  readonly client: Redis;
  error: Error | undefined;
}

const connect = (url: string): Connected => {
  const client = new Redis(url, {
    lazyConnect: true,
    // What cannot be said now is lost, and never said later: its time is over by then, and it would fill our memory.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: null,
    connectTimeout: answerMs,
    commandTimeout: answerMs,
    socketTimeout: 2 * answerMs,
    retryStrategy: (times) => Math.min(2 ** times * 25, longestPauseMs) * (0.5 + Math.random() / 2),
  });
  const connected: Connected = { client, error: undefined };
  client.on('error', (error: Error) => (connected.error = error));
  return connected;
};

/**
 * Waits a moment for Redis, and goes on without it when it is away. Rejects with `RedisUnusable` when it answers that it
 * will not do.
 */
export const openRedis = async (url: string, warn: RedisWarn): Promise<RedisConnection> => {
  const connections = [connect(url), connect(url)] as const;
  const [commands, subscriber] = connections;
  const close = (): void => {
    for (const { client } of connections) client.disconnect();
  };
  const away = (): string | undefined => {
    const missing = connections.find(({ client }) => client.status !== 'ready');
    return missing && (missing.error?.message ?? 'not connected yet');
  };

  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), startMs);
  try {
    await Promise.race([
      late.promise,
      Promise.all(connections.map(({ client }) => client.connect().catch(() => undefined))),
    ]);
    for (const { error } of connections)
      if (error !== undefined && isUnusable(error)) throw new RedisUnusable(error.message);
    if (away() === undefined) await checkVersion(commands.client);
  } catch (error) {
    close();
    throw error;
  } finally {
    clearTimeout(timer);
  }

  let wasAway = away() !== undefined;
  if (wasAway) warn({ reason: away() }, 'redis is away: presence waits for it, chat does not');
  const look = (): void => {
    const reason = away();
    if (wasAway === (reason !== undefined)) return;
    wasAway = reason !== undefined;
    warn({ reason }, wasAway ? 'redis is away: presence waits for it, chat does not' : 'redis is back');
  };
  for (const one of connections) {
    one.client.on('ready', () => {
      one.error = undefined;
      look();
    });
    one.client.on('close', look);
  }
  return {
    commands: commands.client,
    subscriber: subscriber.client,
    away,
    close() {
      for (const { client } of connections) client.off('close', look);
      close();
    },
  };
};

const checkVersion = async (client: Redis): Promise<void> => {
  // Where it may not be asked, or went away just now, the first command shows it.
  const info = await client.info('server').catch(() => '');
  const [, version, major, minor] = /redis_version:((\d+)\.(\d+)[\d.]*)/.exec(info) ?? [];
  if (version === undefined) return;
  const isOld = Number(major) < oldest[0] || (Number(major) === oldest[0] && Number(minor) < oldest[1]);
  if (isOld) throw new RedisUnusable(`Redis ${version} is too old: it must be ${oldest.join('.')} or newer`);
};
