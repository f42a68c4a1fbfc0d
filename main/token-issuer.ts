import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JSONWebKeySet } from 'jose';
import { z } from 'zod';
import type { Issuer } from '../command-side/tokens.ts';
import type { Configuration } from '../schemas/configuration.ts';
import { ConfigurationUnusable } from './load-configuration.ts';

const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) });

/** Who vouches for users here. */
export const tokenIssuer = ({ data, tokens }: Configuration): Issuer => {
  const { issuer: name, secret, jwks } = tokens;
  if (jwks === undefined) return sharedSecret(name, secret ?? developmentSecret(data));
  return /^https?:/.test(jwks) ? { name, keysAt: new URL(jwks) } : { name, keys: keysIn(jwks) };
};

/** The same for whoever signs; undefined where only the operator's issuer can. */
export const signingIssuer = ({
  data,
  tokens,
}: Configuration): (Issuer & { readonly secret: Uint8Array }) | undefined => {
  const { issuer: name, secret, jwks } = tokens;
  return jwks === undefined ? sharedSecret(name, secret ?? developmentSecret(data)) : undefined;
};

const sharedSecret = (name: string, secret: string): { readonly name: string; readonly secret: Uint8Array } => ({
  name,
  secret: Buffer.from(secret),
});

const keysIn = (path: string): JSONWebKeySet => {
  try {
    return keySet.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new ConfigurationUnusable(`PARLEY_TOKEN_JWKS: ${path} is not a readable set of JSON Web Keys`, { cause });
  }
};

/** Made at the first start, so that `npm start` and `parley token` need nothing; refused where others can connect. */
const developmentSecret = (data: string): string => {
  const path = join(data, 'token-secret');
  if (!existsSync(path))
    writeFileSync(path, randomBytes(32).toString('base64url'), { mode: 0o600, flag: 'wx', flush: true });
  const secret = readFileSync(path, 'utf8').trim();
  if (secret.length < 32) throw new ConfigurationUnusable(`${path} holds no secret: remove it, and a new one is made`);
  return secret;
};
