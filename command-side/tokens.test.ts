import { createServer } from 'node:http';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT, type JWTHeaderParameters } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deviceId } from '../schemas/ids.ts';
import { TestClock } from '../tests/commands-under-test.ts';
import { signToken, tokenVerifier, type Issuer } from './tokens.ts';

const now = 1_800_000_000_000;
const seconds = now / 1_000;
const name = 'https://issuer.test';
const secret = Buffer.from('a secret of at least thirty-two bytes');
const installKey = Buffer.alloc(32, 7);
const clock = new TestClock();
clock.frozenAt = now;

const good = { iss: name, aud: 'parley', sub: 'ada', device: 'phone', exp: seconds + 60 };

type Key = Parameters<SignJWT['sign']>[0];
const sign = (claims: Readonly<Record<string, unknown>>, header: JWTHeaderParameters, key: Key): Promise<string> =>
  new SignJWT(claims).setProtectedHeader(header).sign(key);

let fetches = 0;
const canary = createServer((_, response) => {
  fetches++;
  response.end('{"keys":[]}');
});
let canaryUrl = '';
let rsa: CryptoKeyPair;
let ec: CryptoKeyPair;
let ed: CryptoKeyPair;
let keySet: Issuer;
type CryptoKeyPair = Awaited<ReturnType<typeof generateKeyPair>>;

beforeAll(async () => {
  await new Promise<void>((resolve) => canary.listen(0, '127.0.0.1', resolve));
  const address = canary.address();
  canaryUrl = `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}/keys`;
  [rsa, ec, ed] = await Promise.all([
    generateKeyPair('RS256', { extractable: true }),
    generateKeyPair('ES256', { extractable: true }),
    generateKeyPair('EdDSA', { extractable: true }),
  ]);
  const pairs = { rsa, ec, ed };
  const keys = await Promise.all(
    Object.entries(pairs).map(async ([kid, { publicKey }]) => ({ ...(await exportJWK(publicKey)), kid })),
  );
  keySet = { name, keys: { keys } };
});
afterAll(() => {
  canary.close();
});

const sharedSecret: Issuer = { name, secret };
const verdict = async (issuer: Issuer, token: string): Promise<string> => {
  const verified = await tokenVerifier(issuer, installKey, clock)(token);
  return verified.ok ? verified.identity.subject : verified.rejection.code;
};

const part = (value: object | string): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

test('a token of the issuer says who comes from which device, until when', async () => {
  const device = deviceId.parse('phone');
  const token = await signToken({ name, secret }, { subject: 'ada', deviceId: device, now, lifetimeMs: 60_000 });
  const verified = await tokenVerifier(sharedSecret, installKey, clock)(token);
  expect(verified).toMatchObject({
    ok: true,
    identity: { deviceId: device, issuer: name, subject: 'ada', kind: 'person', expiresAt: now + 60_000 },
  });
  const other = await tokenVerifier(
    { name: 'another', secret },
    installKey,
    clock,
  )(await signToken({ name: 'another', secret }, { subject: 'ada', deviceId: device, now, lifetimeMs: 60_000 }));
  expect(other.ok && verified.ok && other.identity.userId === verified.identity.userId).toBe(false);
});

test('a key set takes RS256, ES256 and EdDSA, each with its own key', async () => {
  expect(await verdict(keySet, await sign(good, { alg: 'RS256', kid: 'rsa' }, rsa.privateKey))).toBe('ada');
  expect(await verdict(keySet, await sign(good, { alg: 'ES256', kid: 'ec' }, ec.privateKey))).toBe('ada');
  expect(await verdict(keySet, await sign(good, { alg: 'EdDSA', kid: 'ed' }, ed.privateKey))).toBe('ada');
  expect(await verdict(keySet, await sign(good, { alg: 'ES256' }, ec.privateKey))).toBe('ada');
});

describe('S1: a token that is forged or stale is refused, without a word why', () => {
  const forged: [string, () => Promise<string> | string][] = [
    ['alg none', () => new UnsecuredJWT(good).encode()],
    ['alg None', () => `${part({ alg: 'None' })}.${part(good)}.`],
    ['no alg', () => `${part({ typ: 'JWT' })}.${part(good)}.`],
    ['an empty signature', async () => (await sign(good, { alg: 'HS256' }, secret)).replace(/[^.]*$/, '')],
    ['another secret', () => sign(good, { alg: 'HS256' }, Buffer.alloc(32, 1))],
    ['an empty secret', () => `${part({ alg: 'HS256' })}.${part(good)}.${part('')}`],
    ['HS512', () => sign(good, { alg: 'HS512' }, Buffer.concat([secret, secret]))],
    [
      'a changed payload',
      async () => {
        const [header, , signature] = (await sign(good, { alg: 'HS256' }, secret)).split('.');
        return `${header ?? ''}.${part({ ...good, sub: 'root' })}.${signature ?? ''}`;
      },
    ],
    ['wrong iss', () => sign({ ...good, iss: 'https://other.test' }, { alg: 'HS256' }, secret)],
    ['no iss', () => sign({ ...good, iss: undefined }, { alg: 'HS256' }, secret)],
    ['wrong aud', () => sign({ ...good, aud: 'other' }, { alg: 'HS256' }, secret)],
    ['no aud', () => sign({ ...good, aud: undefined }, { alg: 'HS256' }, secret)],
    ['wrong typ', () => sign(good, { alg: 'HS256', typ: 'logout+jwt' }, secret)],
    ['typ that is no text', () => `${part({ alg: 'HS256', typ: 5 })}.${part(good)}.AAAA`],
    ['exp now', () => sign({ ...good, exp: seconds }, { alg: 'HS256' }, secret)],
    ['exp past', () => sign({ ...good, exp: seconds - 1 }, { alg: 'HS256' }, secret)],
    ['no exp', () => sign({ ...good, exp: undefined }, { alg: 'HS256' }, secret)],
    ['exp as text', () => sign({ ...good, exp: String(seconds + 60) }, { alg: 'HS256' }, secret)],
    ['nbf to come', () => sign({ ...good, nbf: seconds + 1 }, { alg: 'HS256' }, secret)],
    ['no sub', () => sign({ ...good, sub: undefined }, { alg: 'HS256' }, secret)],
    ['an empty sub', () => sign({ ...good, sub: '' }, { alg: 'HS256' }, secret)],
    ['a long sub', () => sign({ ...good, sub: 'x'.repeat(501) }, { alg: 'HS256' }, secret)],
    ['no device', () => sign({ ...good, device: undefined }, { alg: 'HS256' }, secret)],
    ['a device with a slash', () => sign({ ...good, device: '../x' }, { alg: 'HS256' }, secret)],
    ['a device that is an object', () => sign({ ...good, device: { a: 1 } }, { alg: 'HS256' }, secret)],
    [
      'an unknown crit',
      () =>
        sign(good, { alg: 'HS256', crit: ['x'], x: 1 }, secret).catch(
          () => `${part({ alg: 'HS256', crit: ['x'], x: 1 })}.${part(good)}.AAAA`,
        ),
    ],
    ['a megabyte', () => sign({ ...good, more: 'x'.repeat(1_000_000) }, { alg: 'HS256' }, secret)],
    ['just above 8 KiB', () => sign({ ...good, more: 'x'.repeat(6_200) }, { alg: 'HS256' }, secret)],
    ['nothing', () => ''],
    ['dots', () => '..'],
    ['no JSON', () => `${part('x')}.${part('y')}.${part('z')}`],
    ['a header that is an array', () => `${part('[]')}.${part(good)}.AAAA`],
    ['five parts', () => 'a.b.c.d.e'],
    ['NUL', () => '\0.\0.\0'],
  ];
  test.each(forged)('%s', async (_, make) => {
    const token = await make();
    for (const issuer of [sharedSecret, keySet]) {
      const verified = await tokenVerifier(issuer, installKey, clock)(token);
      expect(verified).toEqual({
        ok: false,
        rejection: { code: 'unauthenticated', message: 'the token is missing, wrong or expired' },
      });
    }
  });

  test('the public key of a key set as a shared secret', async () => {
    const pem = Buffer.from(await exportSPKI(rsa.publicKey));
    expect(await verdict(keySet, await sign(good, { alg: 'HS256', kid: 'rsa' }, pem))).toBe('unauthenticated');
  });

  test('a key with another algorithm than its own', async () => {
    const token = await sign(good, { alg: 'RS256', kid: 'rsa' }, rsa.privateKey);
    const [, payload, signature] = token.split('.');
    for (const alg of ['PS256', 'RS512', 'ES256', 'EdDSA', 'HS256']) {
      const forgedToken = `${part({ alg, kid: 'rsa' })}.${payload ?? ''}.${signature ?? ''}`;
      expect(await verdict(keySet, forgedToken)).toBe('unauthenticated');
    }
    expect(await verdict(sharedSecret, token)).toBe('unauthenticated');
  });

  test('a key that the token brings itself, names by address or by path: nothing is fetched', async () => {
    const own = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(own.publicKey);
    const headers: JWTHeaderParameters[] = [
      { alg: 'ES256', jwk },
      { alg: 'ES256', jku: canaryUrl, kid: 'ec' },
      { alg: 'ES256', x5u: canaryUrl, kid: 'ec' },
      { alg: 'ES256', kid: '../../../../dev/null' },
      { alg: 'ES256', kid: canaryUrl },
      { alg: 'ES256', kid: "' OR 1=1 --" },
    ];
    for (const header of headers) {
      expect(await verdict(keySet, await sign(good, header, own.privateKey))).toBe('unauthenticated');
    }
    expect(fetches).toBe(0);
  });
});

test('S1: at the edges of their time tokens count to the second', async () => {
  expect(await verdict(sharedSecret, await sign({ ...good, exp: seconds + 1 }, { alg: 'HS256' }, secret))).toBe('ada');
  expect(await verdict(sharedSecret, await sign({ ...good, nbf: seconds }, { alg: 'HS256' }, secret))).toBe('ada');
});

test('a kind of user that is not built yet is refused by name, and only to who has a valid token', async () => {
  const token = await sign({ ...good, kind: 'guest' }, { alg: 'HS256' }, secret);
  expect(await verdict(sharedSecret, token)).toBe('unsupported');
  expect(await verdict(sharedSecret, await sign({ ...good, kind: 'person' }, { alg: 'HS256' }, secret))).toBe('ada');
  expect(await verdict({ name, secret: Buffer.alloc(32, 2) }, token)).toBe('unauthenticated');
});

test('keys that cannot be fetched make a token undecided, not wrong', async () => {
  const gone: Issuer = { name, keysAt: new URL('http://127.0.0.1:1/keys') };
  expect(await verdict(gone, await sign(good, { alg: 'ES256', kid: 'ec' }, ec.privateKey))).toBe('unavailable');
  expect(await verdict(gone, 'x.y.z')).toBe('unauthenticated');
});
