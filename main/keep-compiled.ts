import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

/**
 * What is imported from here on compiles once a version and not at every start, in worker threads too: without it type
 * stripping is most of a start. Kept beside the sources, where nobody else may write; where the folder cannot be written,
 * nothing is kept.
 */
export const keepCompiled = (): void => {
  const directory = join(import.meta.dirname, '..', '.cache', 'compiled');
  enableCompileCache(directory);
  // What worker threads go by.
  process.env['NODE_COMPILE_CACHE'] ??= directory;
};
