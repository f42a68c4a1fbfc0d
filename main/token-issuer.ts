import { readFileSync } from 'node:fs';
import type { JSONWebKeySet } from 'jose';
import { z } from 'zod';
import type { Issuer } from '../command-side/tokens.ts';
import type { Configuration } from '../schemas/configuration.ts';
import { ensureDevelopmentSecret } from './development-secret.ts';
import { ConfigurationUnusable } from './load-configuration.ts';

const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) });

/** Who vouches for users here. */
export const tokenIssuer = ({ data, tokens }: Configuration): Issuer => {
  const { issuer: name, secret, jwks } = tokens;
  if (jwks === undefined) return { name, secret: Buffer.from(secret ?? ensureDevelopmentSecret(data)) };
  return /^https?:/.test(jwks) ? { name, keysAt: new URL(jwks) } : { name, keys: keysIn(jwks) };
};

const keysIn = (path: string): JSONWebKeySet => {
  try {
    return keySet.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new ConfigurationUnusable(`PARLEY_TOKEN_JWKS: ${path} is not a readable set of JSON Web Keys`, { cause });
  }
};
