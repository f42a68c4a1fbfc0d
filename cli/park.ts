import { loadConfiguration } from '../main/load-configuration.ts';
import { operate } from './operate.ts';
import { readModelName } from './read-model-name.ts';
import { UsageError } from './usage-error.ts';

/** `parley park list|retry` */
export const park = async ([verb, ...words]: readonly string[]): Promise<number> => {
  const { configuration } = loadConfiguration(process.env);
  if (verb === 'list' && words.length === 0) {
    const parked = await operate(configuration, 'parked', {});
    for (const { model, stream, n, revision, error } of parked) {
      process.stdout.write(`${model}: ${stream} at revision ${revision} (event ${n}): ${error}\n`);
    }
    process.stdout.write(`${parked.length} streams are parked\n`);
    return parked.length === 0 ? 0 : 1;
  }
  const [model, stream, ...more] = words;
  if (verb !== 'retry' || stream === undefined || more.length > 0) {
    throw new UsageError('park is followed by list, or by retry, a read model and a stream');
  }
  const { stillParked } = await operate(configuration, 'retry', { model: readModelName(model), stream });
  process.stdout.write(stillParked ? `${stream} is still parked\n` : `${stream} is whole again\n`);
  return stillParked ? 1 : 0;
};
