import type { LiveServer, Product } from './product.ts';

/** Whether a Docker engine can be asked here. */
export const dockerAnswers = async (): Promise<boolean> => {
  const { getContainerRuntimeClient } = await import('testcontainers');
  return getContainerRuntimeClient().then(
    () => true,
    () => false,
  );
};

/** Where its variable names none, from Docker or from a package. */
export const startServer = async (product: Product, hasDocker: () => Promise<boolean>): Promise<LiveServer> => {
  const url = process.env[product.variable];
  if (url !== undefined && url !== '') return { url, stop: () => Promise.resolve() };
  const started = (await hasDocker()) ? await product.startInDocker() : await product.startFromPackage();
  if (started !== undefined) return started;
  throw new Error(
    `There is no ${product.name}: set ${product.variable}, start a Docker engine or install ${product.needs}. ` +
      'PARLEY_TEST_LIVE=off runs without it.',
  );
};
