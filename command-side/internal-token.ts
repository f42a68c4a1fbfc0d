import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Whether a request is of a service of the same installation. How long the answer takes tells nothing of the token. */
export const holdsInternalToken = ({ headers }: Pick<IncomingMessage, 'headers'>, token: string): boolean => {
  const given = Buffer.from(headers.authorization ?? '');
  const expected = Buffer.from(`Bearer ${token}`);
  return given.length === expected.length && timingSafeEqual(given, expected);
};
