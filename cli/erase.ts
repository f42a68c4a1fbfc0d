import { parseArgs } from 'node:util';
import { loadConfiguration } from '../main/load-configuration.ts';
import { operate } from './operate.ts';
import { UsageError, understood } from './usage-error.ts';

/** `parley erase USER --yes` */
export const erase = async (words: readonly string[]): Promise<number> => {
  const { positionals, values } = understood(() =>
    parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { yes: { type: 'boolean' }, id: { type: 'boolean' }, issuer: { type: 'string' } },
    }),
  );
  const [name, ...more] = positionals;
  if (name === undefined || more.length > 0) throw new UsageError('erase is followed by one user');
  if (values.yes !== true) throw new UsageError(`what ${name} wrote cannot be brought back: say --yes`);
  const user = values.id === true ? name : { name, ...(values.issuer !== undefined && { issuer: values.issuer }) };
  const { configuration } = loadConfiguration(process.env);
  const { userId, outcome, gone } = await operate(configuration, 'erase', { user });
  process.stdout.write(outcome === 'erased' ? `${userId} is erased\n` : `${userId} was erased before\n`);
  const pending = Object.entries(gone).flatMap(([where, isGone]) => (isGone ? [] : [where]));
  if (pending.length === 0) return 0;
  process.stderr.write(`not yet gone from ${pending.join(', ')}: it goes on; look at parley rebuild … --status\n`);
  return 1;
};
