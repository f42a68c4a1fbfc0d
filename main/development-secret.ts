import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigurationUnusable } from './load-configuration.ts';

const secretFile = (data: string): string => join(data, 'token-secret');
const shortestSecret = 32;

/** Made at the first start, so that `npm start` and `parley token` need nothing; refused where others can connect. */
export const ensureDevelopmentSecret = (data: string): string => {
  const path = secretFile(data);
  if (!existsSync(path)) {
    writeFileSync(path, randomBytes(32).toString('base64url'), { mode: 0o600, flag: 'wx', flush: true });
  }
  return readDevelopmentSecret(data);
};

export const readDevelopmentSecret = (data: string): string => {
  const path = secretFile(data);
  if (!existsSync(path)) {
    throw new ConfigurationUnusable(`${path} is not there: start the server once, or set PARLEY_TOKEN_SECRET`);
  }
  const secret = readFileSync(path, 'utf8').trim();
  if (secret.length < shortestSecret) {
    throw new ConfigurationUnusable(`${path} holds no secret: remove it, and the next start makes a new one`);
  }
  return secret;
};
