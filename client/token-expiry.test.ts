import { expect, test } from 'vitest';
import { signToken } from '../tests/tokens.ts';
import { expiryOf } from './token-expiry.ts';

test('a token says when it expires, whatever letters are in the names it holds', () => {
  const before = Math.floor(Date.now() / 1_000);
  for (const name of ['ada', 'Zoë ÿÿÿ', '電車???~~~']) {
    const expiry = expiryOf(signToken(name, 'phone', 1));
    expect(expiry).toBeGreaterThanOrEqual((before + 3_600) * 1_000);
    expect(expiry).toBeLessThan((before + 3_660) * 1_000);
  }
});

test.each(['', 'opaque', 'a.b.c', `a.${btoa('null')}.c`, `a.${btoa('{"exp":"soon"}')}.c`])(
  'of any other token (%s) nothing is known',
  (token) => {
    expect(expiryOf(token)).toBeUndefined();
  },
);
