import { parseArgs } from 'node:util';
import { signToken } from '../command-side/tokens.ts';
import { readDevelopmentSecret } from '../main/development-secret.ts';
import { loadConfiguration } from '../main/load-configuration.ts';
import type { Configuration } from '../schemas/configuration.ts';
import { deviceId, type DeviceId } from '../schemas/ids.ts';
import { UsageError, understood } from './usage-error.ts';

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

interface Wanted {
  readonly subject: string;
  readonly deviceId: DeviceId;
  readonly lifetimeMs: number;
}

/** `parley token USER`: what the operator's issuer would sign, for development. Prints the token and nothing else. */
export const printToken = async (words: readonly string[]): Promise<number> => {
  const wanted = read(words);
  process.stdout.write(`${await developmentToken(loadConfiguration(process.env).configuration, wanted)}\n`);
  return 0;
};

/** Signed by the secret of the server in this folder. */
export const developmentToken = async ({ data, tokens }: Configuration, wanted: Wanted): Promise<string> => {
  if (tokens.jwks !== undefined) throw new UsageError('with PARLEY_TOKEN_JWKS only the issuer of those keys can sign');
  const secret = Buffer.from(tokens.secret ?? readDevelopmentSecret(data));
  return signToken({ name: tokens.issuer, secret }, { ...wanted, now: Date.now() });
};

const read = (words: readonly string[]): Wanted => {
  const { positionals, values } = parse(words);
  const [subject, ...more] = positionals;
  if (subject === undefined || subject === '' || more.length > 0) throw new UsageError('token is followed by one user');
  const device = deviceId.safeParse(values.device);
  if (!device.success) throw new UsageError(`--device ${device.error.issues[0]?.message ?? 'is not valid'}`);
  const [, count, unit] = /^([1-9][0-9]{0,5})([smhd])$/.exec(values.expires) ?? [];
  if (count === undefined || unit === undefined) throw new UsageError('--expires must be a number of s, m, h or d');
  return { subject, deviceId: device.data, lifetimeMs: Number(count) * unitMs[unit as keyof typeof unitMs] };
};

const parse = (words: readonly string[]) =>
  understood(() =>
    parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { device: { type: 'string', default: 'cli' }, expires: { type: 'string', default: '30d' } },
    }),
  );
