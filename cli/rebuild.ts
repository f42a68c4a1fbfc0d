import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { loadConfiguration } from '../main/load-configuration.ts';
import type { ModelName } from '../main/operations.ts';
import type { VersionsStatus } from '../main/read-model-versions.ts';
import type { Configuration } from '../schemas/configuration.ts';
import { operate } from './operate.ts';
import { readModelName } from './read-model-name.ts';
import { sayComparison } from './say-comparison.ts';
import { UsageError, understood } from './usage-error.ts';

const flags = ['status', 'switch', 'back', 'drop'] as const;
const lookEveryMs = 500;
/** So near, the comparison brings it the rest of the way; under load it is never nearer for long. */
const nearEvents = 1_000;

/** `parley rebuild inbox|search`; one flag at most asks for one step alone. */
export const rebuild = async (words: readonly string[]): Promise<number> => {
  const { positionals, values } = understood(() =>
    parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        status: { type: 'boolean' },
        switch: { type: 'boolean' },
        back: { type: 'boolean' },
        drop: { type: 'boolean' },
      },
    }),
  );
  const model = readModelName(positionals[0]);
  const [step, ...more] = flags.filter((flag) => values[flag] === true);
  if (positionals.length > 1 || more.length > 0) throw new UsageError('rebuild takes one read model and one flag');
  const { configuration } = loadConfiguration(process.env);
  switch (step) {
    case undefined:
      return buildCompareSwitch(configuration, model);
    case 'status':
      say(await operate(configuration, 'status', { model }));
      return 0;
    case 'switch':
      say(await operate(configuration, 'switch', { model, to: 'next' }));
      return 0;
    case 'back':
      say(await operate(configuration, 'switch', { model, to: 'last' }));
      return 0;
    case 'drop':
      say(await operate(configuration, 'drop', { model }));
      return 0;
    default:
      return step satisfies never;
  }
};

const buildCompareSwitch = async (configuration: Configuration, model: ModelName): Promise<number> => {
  const before = await operate(configuration, 'status', { model });
  // Begun before, perhaps by a process that has ended since: it goes on.
  let status = before.other?.is === 'next' ? before : await operate(configuration, 'rebuild', { model });
  while (status.other !== null && status.other.behind > nearEvents) {
    const { version, behind, failing } = status.other;
    process.stderr.write(`${version}: ${behind} events to go${failing === undefined ? '' : `; ${failing}`}\n`);
    await pause(lookEveryMs);
    status = await operate(configuration, 'status', { model });
  }
  const comparison = await operate(configuration, 'compare', { model });
  sayComparison(`the live ${model}`, 'the one built anew', comparison);
  if (!comparison.equal) {
    process.stdout.write(`not switched; to use it all the same: parley rebuild ${model} --switch\n`);
    return 1;
  }
  say(await operate(configuration, 'switch', { model, to: 'next' }));
  return 0;
};

const say = ({ live, other }: VersionsStatus): void => {
  process.stdout.write(`live: ${live.version}, ${live.behind} events behind\n`);
  if (other !== null) process.stdout.write(`${other.is}: ${other.version}, ${other.behind} events behind\n`);
};
