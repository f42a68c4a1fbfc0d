import { createHmac } from 'node:crypto';

/** The shared secret of every server that tests and benchmarks start. */
export const tokenSecret = 'a secret of the tests, known to all and worth nothing';

const part = (claims: object): string => Buffer.from(JSON.stringify(claims)).toString('base64url');

/** A token as an operator's issuer signs it with the shared secret. */
export const signToken = (name: string, device: string, hours = 24): string => {
  const seconds = Math.floor(Date.now() / 1_000);
  const claims = { iss: 'parley', aud: 'parley', sub: name, device, iat: seconds, exp: seconds + hours * 3_600 };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', tokenSecret).update(signed).digest('base64url')}`;
};
