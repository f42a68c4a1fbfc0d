import { createSecretKey } from 'node:crypto';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeProtectedHeader,
  errors as joseErrors,
  jwtVerify,
  SignJWT,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
} from 'jose';
import { z } from 'zod';
import { wellFormed } from '../schemas/content.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import { deviceId, type DeviceId, type UserId } from '../schemas/ids.ts';
import { userKind } from '../schemas/user-events.ts';
import { unavailable } from './answers.ts';
import type { Clock } from './clock.ts';
import type { SignedIn } from './command-side.ts';
import { deriveUserId } from './derive-ids.ts';

/** Who vouches for the users: the secret it signs with, or its public keys. */
export type Issuer = { readonly name: string } & (
  { readonly secret: Uint8Array } | { readonly keys: JSONWebKeySet } | { readonly keysAt: URL }
);

/** What a valid token says. */
export interface Identity {
  readonly userId: UserId;
  readonly deviceId: DeviceId;
  readonly issuer: string;
  /** The user's name at the issuer. */
  readonly subject: string;
  /** Kinds beside this one are refused until they mean something. */
  readonly kind: 'person';
  /** In milliseconds. */
  readonly expiresAt: number;
}

export type Verified =
  { readonly ok: true; readonly identity: Identity } | { readonly ok: false; readonly rejection: Rejection };

/** Of a user who is registered. */
export const signedInAs = ({ userId, deviceId, issuer, expiresAt }: Identity): SignedIn => ({
  ok: true,
  caller: { userId, deviceId, issuer },
  expiresAt,
});

export type VerifyToken = (token: string) => Promise<Verified>;

export const audience = 'parley';
const longestToken = 8_192;
const sharedSecretAlgorithm = 'HS256';
/** One for each type of public key (RSA, EC P-256, Ed25519), so a key has one algorithm it may be used with. */
const publicKeyAlgorithms = ['RS256', 'ES256', 'EdDSA'];
const types = new Set(['jwt', 'at+jwt', 'application/at+jwt']);

const header = z.object({ typ: z.string().optional() });

const claims = z.object({
  sub: wellFormed.min(1).max(500),
  device: deviceId,
  kind: userKind.default('person'),
  exp: z.number(),
});

/** The same for every fault of a token: what exactly is wrong helps only who forges one. */
const unauthenticated = (): Verified => ({
  ok: false,
  rejection: reject('unauthenticated', 'the token is missing, wrong or expired'),
});

/** The fault lies in fetching the issuer's keys and not in the token. */
class KeysUnreachable extends Error {
  override readonly name = 'KeysUnreachable';
}

const fetchedKeys = (at: URL): JWTVerifyGetKey => {
  const keys = createRemoteJWKSet(at);
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (cause) {
      if (cause instanceof joseErrors.JWKSNoMatchingKey || cause instanceof joseErrors.JWKSMultipleMatchingKeys)
        throw cause;
      throw new KeysUnreachable(at.href, { cause });
    }
  };
};

/** Headers that name keys of their own (`jku`, `x5u`, `jwk`) are never looked at: keys come from the configuration. */
const keySource = (issuer: Issuer): { algorithms: string[]; key: JWTVerifyGetKey } => {
  if ('secret' in issuer) {
    const key = createSecretKey(issuer.secret);
    return { algorithms: [sharedSecretAlgorithm], key: async () => key };
  }
  return {
    algorithms: publicKeyAlgorithms,
    key: 'keys' in issuer ? createLocalJWKSet(issuer.keys) : fetchedKeys(issuer.keysAt),
  };
};

/** A token of another kind (an ID token, a logout token) is none of ours; one that does not say is judged by its claims. */
const hasOurType = (token: string): boolean => {
  const { typ } = header.parse(decodeProtectedHeader(token));
  return typ === undefined || types.has(typ.toLowerCase());
};

export const tokenVerifier = (issuer: Issuer, installKey: Uint8Array, clock: Clock): VerifyToken => {
  const { algorithms, key } = keySource(issuer);

  return async (token) => {
    if (token.length > longestToken) return unauthenticated();
    try {
      if (!hasOurType(token)) return unauthenticated();
      const { payload } = await jwtVerify(token, key, {
        algorithms,
        issuer: issuer.name,
        audience,
        requiredClaims: ['exp', 'sub', 'device'],
        currentDate: new Date(clock.now()),
      });
      const parsed = claims.safeParse(payload);
      if (!parsed.success) return unauthenticated();
      const { sub, device, kind, exp } = parsed.data;
      if (kind !== 'person') {
        return { ok: false, rejection: reject('unsupported', `users of the kind ${kind} are not supported yet`) };
      }
      return {
        ok: true,
        identity: {
          userId: deriveUserId(installKey, issuer.name, sub),
          deviceId: device,
          issuer: issuer.name,
          subject: sub,
          kind,
          expiresAt: exp * 1_000,
        },
      };
    } catch (error) {
      return error instanceof KeysUnreachable
        ? { ok: false, rejection: unavailable('the keys of the issuer cannot be had now') }
        : unauthenticated();
    }
  };
};

export interface TokenRequest {
  readonly subject: string;
  readonly deviceId: DeviceId;
  /** In milliseconds. */
  readonly now: number;
  readonly lifetimeMs: number;
}

/** For development and for `parley token`: what an operator's issuer would sign. */
export const signToken = (
  issuer: { readonly name: string; readonly secret: Uint8Array },
  { subject, deviceId: device, now, lifetimeMs }: TokenRequest,
): Promise<string> =>
  new SignJWT({ device })
    .setProtectedHeader({ alg: sharedSecretAlgorithm, typ: 'JWT' })
    .setIssuer(issuer.name)
    .setAudience(audience)
    .setSubject(subject)
    .setIssuedAt(Math.floor(now / 1_000))
    .setExpirationTime(Math.floor((now + lifetimeMs) / 1_000))
    .sign(createSecretKey(issuer.secret));
