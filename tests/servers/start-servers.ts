import type { TestProject } from 'vitest/node';
import { sayLast } from '../say-last.ts';
import { cassandra } from './cassandra.ts';
import { elasticsearch } from './elasticsearch.ts';
import type { LiveServer, Product } from './product.ts';
import { redis } from './redis.ts';

const products: readonly Product[] = [redis, cassandra, elasticsearch];

const isOff = process.env['PARLEY_TEST_LIVE'] === 'off';

const dockerAnswers = async (): Promise<boolean> => {
  const { getContainerRuntimeClient } = await import('testcontainers');
  return getContainerRuntimeClient().then(
    () => true,
    () => false,
  );
};

const start = async (product: Product, hasDocker: () => Promise<boolean>): Promise<LiveServer> => {
  const url = process.env[product.variable];
  if (url !== undefined && url !== '') return { url, stop: () => Promise.resolve() };
  const started = (await hasDocker()) ? await product.startInDocker() : await product.startFromPackage();
  if (started !== undefined) return started;
  throw new Error(
    `There is no ${product.name}: set ${product.variable}, start a Docker engine or install ${product.needs}. ` +
      'PARLEY_TEST_LIVE=off runs without it.',
  );
};

/** Once for the whole run, before its first live test; what it gives back runs after the last. */
export default async ({ provide }: TestProject): Promise<() => Promise<void>> => {
  if (isOff) {
    sayLast('PARLEY_TEST_LIVE=off: nothing was tried on a real server.');
    return () => Promise.resolve();
  }
  const stack = new AsyncDisposableStack();
  let docker: Promise<boolean> | undefined;
  const hasDocker = (): Promise<boolean> => (docker ??= dockerAnswers());
  const starts = await Promise.allSettled(
    products.map(async (product) => {
      const server = await start(product, hasDocker);
      stack.defer(() => server.stop());
      provide(product.key, server.url);
    }),
  );
  const failures = starts.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  if (failures.length === 0) return () => stack.disposeAsync();
  await stack.disposeAsync();
  throw failures.length === 1 ? failures[0] : new AggregateError(failures, failures.map(String).join('\n'));
};
