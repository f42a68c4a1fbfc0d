import type { TestProject } from 'vitest/node';
import { sayLast } from '../say-last.ts';
import type { LiveServer, Product } from './product.ts';
import { redis } from './redis.ts';

const isOff = process.env['PARLEY_TEST_LIVE'] === 'off';

const dockerAnswers = async (): Promise<boolean> => {
  const { getContainerRuntimeClient } = await import('testcontainers');
  return getContainerRuntimeClient().then(
    () => true,
    () => false,
  );
};

const start = async (product: Product): Promise<LiveServer> => {
  const url = process.env[product.variable];
  if (url !== undefined && url !== '') return { url, stop: () => Promise.resolve() };
  const started = (await dockerAnswers()) ? await product.startInDocker() : await product.startFromPackage();
  if (started !== undefined) return started;
  throw new Error(
    `There is no ${product.name}: set ${product.variable}, start a Docker engine or install ${product.package}. ` +
      'PARLEY_TEST_LIVE=off runs without it.',
  );
};

/** Once for the whole run, before its first live test; what it gives back runs after the last. */
export default async ({ provide }: TestProject): Promise<() => Promise<void>> => {
  const stack = new AsyncDisposableStack();
  if (isOff) sayLast('PARLEY_TEST_LIVE=off: nothing was tried on a real Redis.');
  else {
    const server = await start(redis);
    stack.defer(() => server.stop());
    provide('redis', server.url);
  }
  return () => stack.disposeAsync();
};
