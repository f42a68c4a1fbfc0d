/** When a token expires by its own words, the `exp` of a JWT, in milliseconds since 1970; undefined if it says nothing. */
export const expiryOf = (token: string): number | undefined => {
  try {
    const claims = JSON.parse(atob((token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/'))) as {
      readonly exp?: unknown;
    } | null;
    return typeof claims?.exp === 'number' ? claims.exp * 1_000 : undefined;
  } catch {
    return undefined;
  }
};
