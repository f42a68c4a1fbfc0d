import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connect } from '../client/client.ts';
import { fileStorage } from '../client/file-storage.ts';
import { loadConfiguration } from '../main/load-configuration.ts';
import { deviceId } from '../schemas/ids.ts';
import { chatInLines } from './chat-lines.ts';
import { chatOnScreen } from './chat-screen.ts';
import { developmentToken } from './token.ts';
import { UsageError, understood } from './usage-error.ts';

const tokenLifetimeMs = 3_600_000;

/** `parley chat USER`: one device of a user. What it holds and what is not sent yet lies in a file, for the next time. */
export const chat = async (words: readonly string[]): Promise<number> => {
  const { positionals, values } = parse(words);
  const [user, ...more] = positionals;
  if (user === undefined || user === '' || more.length > 0) throw new UsageError('chat is followed by one user');
  const device = deviceId.safeParse(values.device);
  if (!device.success) throw new UsageError(`--device ${device.error.issues[0]?.message ?? 'is not valid'}`);
  const { configuration } = loadConfiguration(process.env);
  const { data, host, port } = configuration;
  const ask = { subject: user, deviceId: device.data, lifetimeMs: tokenLifetimeMs };
  const file = `${encodeURIComponent(user)}.${device.data}`;
  const client = await connect({
    url: values.url ?? `http://${host}:${port}`,
    token: () => values.token ?? developmentToken(configuration, ask),
    storage: await fileStorage(values.store ?? join(data, 'chat', file)),
  });
  const { stdin: input, stdout: output } = process;
  const leaving = new AbortController();
  const leave = (): void => leaving.abort();
  const { signal } = leaving;
  process.once('SIGTERM', leave).once('SIGINT', leave);
  if (input.isTTY && output.isTTY) await chatOnScreen(client, user, values.with, { input, output, signal });
  else await chatInLines(client, user, values.with, { input, output, signal });
  const hasEnded = client.status.status === 'ended';
  await client.close();
  return hasEnded ? 1 : 0;
};

const parse = (words: readonly string[]) =>
  understood(() =>
    parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        with: { type: 'string' },
        device: { type: 'string', default: 'chat' },
        url: { type: 'string' },
        store: { type: 'string' },
        token: { type: 'string' },
      },
    }),
  );
