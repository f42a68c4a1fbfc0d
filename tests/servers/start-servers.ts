import type { TestProject } from 'vitest/node';
import { sayLast } from '../say-last.ts';
import { cassandra } from './cassandra.ts';
import { elasticsearch } from './elasticsearch.ts';
import type { Product } from './product.ts';
import { redis } from './redis.ts';
import { dockerAnswers, startServer } from './start-server.ts';

const products: readonly Product[] = [redis, cassandra, elasticsearch];

const isOff = process.env['PARLEY_TEST_LIVE'] === 'off';

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
      const server = await startServer(product, hasDocker);
      stack.defer(() => server.stop());
      provide(product.key, server.url);
    }),
  );
  const failures = starts.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  if (failures.length === 0) return () => stack.disposeAsync();
  await stack.disposeAsync();
  throw failures.length === 1 ? failures[0] : new AggregateError(failures, failures.map(String).join('\n'));
};
