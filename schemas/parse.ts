import type { z } from 'zod';
import type { ErrorCode } from './errors.ts';

export type Parsed<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

const longestMessage = 300;

/** The first thing wrong, as `field: reason`, at a bounded length whatever the input was. */
export const firstIssue = (error: z.ZodError): string => {
  const issue = error.issues[0];
  if (issue === undefined) return 'not valid';
  const path = issue.path.map(String).join('.');
  const reason = issue.code === 'unrecognized_keys' ? `unknown field ${issue.keys[0] ?? ''}` : issue.message;
  const text = path === '' ? reason : `${path}: ${reason}`;
  return text.length > longestMessage ? `${text.slice(0, longestMessage)}…` : text;
};

export const invalid = (error: z.ZodError): Parsed<never> => ({
  ok: false,
  code: 'invalid',
  message: firstIssue(error),
});

/** What others may leave out or give as null. */
export const absent = <T extends z.ZodType>(schema: T) => schema.nullish().transform((given) => given ?? undefined);
