import { parseArgs } from 'node:util';
import type { z } from 'zod';
import { UsageError, understood } from './usage-error.ts';

/** The words of a copy: from one place to another of the same kind. */
export const placesIn = <Place>(
  command: string,
  words: readonly string[],
  place: z.ZodType<Place>,
): { readonly from: Place; readonly to: Place } => {
  const { values } = understood(() =>
    parseArgs({ args: [...words], options: { from: { type: 'string' }, to: { type: 'string' } } }),
  );
  const placeOf = (option: 'from' | 'to'): Place => {
    if (values[option] === undefined) throw new UsageError(`${command} needs --from and --to`);
    const parsed = place.safeParse(values[option]);
    if (!parsed.success) throw new UsageError(`--${option} ${parsed.error.issues[0]?.message ?? 'is not understood'}`);
    return parsed.data;
  };
  return { from: placeOf('from'), to: placeOf('to') };
};
