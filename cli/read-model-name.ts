import type { ModelName } from '../main/operations.ts';
import { UsageError } from './usage-error.ts';

export const readModelName = (word: string | undefined): ModelName => {
  if (word === 'inbox' || word === 'search') return word;
  throw new UsageError('name a read model: inbox or search');
};
