import { Client, ClusterConnectionPool, errors } from '@elastic/elasticsearch';
import { z } from 'zod';

/** It answers, and will never do for what it is asked: credentials, version, an index of others, or no Elasticsearch at all. */
export class ElasticsearchUnusable extends Error {
  override readonly name = 'ElasticsearchUnusable';
}

/** The client of one process. It keeps its connections by itself; what is asked while the server is away is refused at once. */
export interface ElasticsearchConnection {
  readonly client: Client;
  /** Why Elasticsearch does not answer; undefined: it does. */
  away(): string | undefined;
  close(): Promise<void>;
}

export type ElasticsearchWarn = (details: Readonly<Record<string, unknown>>, message: string) => void;

/** A bulk of some thousand documents on a busy server; a search is given up much earlier. */
const answerMs = 15_000;
const oldestMajor = 9;

const isAway = (error: Error): boolean =>
  error instanceof errors.ConnectionError ||
  error instanceof errors.TimeoutError ||
  error instanceof errors.NoLivingConnectionsError ||
  (error instanceof errors.ResponseError && (error.statusCode ?? 0) >= 502);

export const connectElasticsearch = (url: URL, warn: ElasticsearchWarn): ElasticsearchConnection => {
  const auth = { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
  const client = new Client({
    node: url.origin,
    ...(url.username !== '' && { auth }),
    requestTimeout: answerMs,
    // Whoever asks knows what may be asked again, and when.
    maxRetries: 0,
    // With one address, it is tried whatever became of it before.
    ConnectionPool: ClusterConnectionPool,
    // An error is logged with what it answers, never with a header of the request.
    redaction: { type: 'remove' },
  });
  let reason: string | undefined = 'not asked yet';
  let said = false;
  client.diagnostic.on('response', (error) => {
    const now = error !== null && isAway(error) ? error.message : undefined;
    if ((now !== undefined) !== said) {
      said = now !== undefined;
      warn(
        { reason: now },
        said ? 'elasticsearch is away: search waits for it, all else does not' : 'elasticsearch is back',
      );
    }
    reason = now;
  });
  return { client, away: () => reason, close: () => client.close() };
};

const errorBody = z.object({ error: z.object({ type: z.string() }) });

/** What the server calls it; undefined: it is no error of the server's. */
export const exceptionIn = (error: unknown): string | undefined =>
  error instanceof errors.ResponseError ? errorBody.safeParse(error.body).data?.error.type : undefined;

/** The one of `error` that no waiting mends; undefined: it may be tried again. */
export const unusableFor = (error: unknown): ElasticsearchUnusable | undefined => {
  if (error instanceof ElasticsearchUnusable) return error;
  if (error instanceof errors.ProductNotSupportedError) return new ElasticsearchUnusable('this is no Elasticsearch');
  if (!(error instanceof errors.ResponseError)) return undefined;
  const { statusCode } = error;
  if (statusCode === 401) return new ElasticsearchUnusable('Elasticsearch refuses the user or the password');
  if (statusCode === 403)
    return new ElasticsearchUnusable(`Elasticsearch lets this user do too little: ${error.message}`);
  return exceptionIn(error) === 'media_type_header_exception'
    ? new ElasticsearchUnusable(`Elasticsearch must be ${oldestMajor}.0 or newer`)
    : undefined;
};

/** Rejects with `ElasticsearchUnusable` where it will not do, and with what the client says where it is away. */
export const checkElasticsearch = async ({ client }: ElasticsearchConnection): Promise<void> => {
  const answer = await client.nodes
    .info({ node_id: '_local', metric: 'http', filter_path: 'nodes.*.version' })
    .catch((error: unknown) => {
      throw withoutRequest(error);
    });
  for (const { version } of Object.values(answer.nodes)) {
    if (Number.parseInt(version, 10) < oldestMajor)
      throw new ElasticsearchUnusable(`Elasticsearch ${version} is too old: it must be ${oldestMajor}.0 or newer`);
  }
};

/**
 * What of an error may be logged: one of the client holds the request with it, what people wrote included. Where no waiting
 * mends it, it is an `ElasticsearchUnusable`.
 */
export const withoutRequest = (error: unknown): unknown => {
  const unusable = unusableFor(error);
  if (unusable !== undefined || !(error instanceof errors.ElasticsearchClientError)) return unusable ?? error;
  return new Error(`Elasticsearch: ${error.name}: ${error.message.split('\n', 1)[0] ?? ''}`);
};
