import type { RegisterUser } from '../command-side/register-user.ts';
import type { VerifyToken } from '../command-side/tokens.ts';
import type { SignIn } from '../realtime/sign-in.ts';

/** The first handshake of a user whom the issuer vouches for registers it. */
export const signInWith =
  (verify: VerifyToken, register: RegisterUser): SignIn =>
  async (token) => {
    const verified = await verify(token);
    if (!verified.ok) return verified;
    const { userId, deviceId, issuer, expiresAt } = verified.identity;
    const rejection = await register(verified.identity);
    return rejection === undefined
      ? { ok: true, caller: { userId, deviceId, issuer }, expiresAt }
      : { ok: false, rejection };
  };
