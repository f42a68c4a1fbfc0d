import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { startStub } from '../eventstoredb-stub/start-stub.ts';
import { urlOfKeyspace } from './cassandra-keyspace.ts';
import { cassandra } from './cassandra.ts';
import { elasticsearch } from './elasticsearch.ts';
import type { Product } from './product.ts';
import { redis } from './redis.ts';
import { dockerAnswers, startServer } from './start-server.ts';

/**
 * `npm run distributed`: the four services of the distributed profile on this machine. Servers that no PARLEY_ setting
 * names are started for it, and hold nothing when it has ended.
 */
await using stack = new AsyncDisposableStack();
const given = (...names: readonly string[]): boolean =>
  names.every((name) => (process.env[name] ?? process.env[`${name}_FILE`] ?? '') !== '');
let docker: Promise<boolean> | undefined;
const started = async (product: Product): Promise<string> => {
  console.log(`starts ${product.name} …`);
  const server = await startServer(product, () => (docker ??= dockerAnswers()));
  stack.defer(() => server.stop());
  return server.url;
};

const eventLog = async (): Promise<Record<string, string>> => {
  if (given('PARLEY_EVENT_LOG')) return {};
  const stub = await startStub();
  stack.defer(() => stub.stop());
  console.log(
    'EventStoreDB is stood in for by a server for tests: it has no package. Name a real one in PARLEY_EVENT_LOG.',
  );
  return { PARLEY_EVENT_LOG: stub.url };
};
const onCassandra = async (): Promise<Record<string, string>> => {
  if (given('PARLEY_ACCOUNTS', 'PARLEY_INBOX')) return {};
  const url = urlOfKeyspace(await started(cassandra), 'parley');
  return { PARLEY_ACCOUNTS: url, PARLEY_INBOX: url };
};
const onElasticsearch = async (): Promise<Record<string, string>> =>
  given('PARLEY_SEARCH') ? {} : { PARLEY_SEARCH: await started(elasticsearch) };
const onRedis = async (): Promise<Record<string, string>> =>
  given('PARLEY_BUS') ? {} : { PARLEY_BUS: await started(redis) };

const settings = await Promise.all([eventLog(), onCassandra(), onElasticsearch(), onRedis()]);
const child = spawn(process.execPath, [join(import.meta.dirname, '../../main/distributed.ts')], {
  env: Object.assign({}, process.env, ...settings) as NodeJS.ProcessEnv,
  stdio: 'inherit',
});
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => child.kill('SIGTERM'));
const [code] = (await once(child, 'exit')) as [number | null];
process.exitCode = code ?? 1;
