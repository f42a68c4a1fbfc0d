import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serveEmbedded, type Serving } from '../main/serve-embedded.ts';
import { readConfiguration } from '../schemas/configuration.ts';
import { tokenSecret } from './tokens.ts';

/** A clock that tests move. */
export class TestClock {
  /** Added to the time of the machine, in milliseconds. */
  ahead = 0;
  readonly now = (): number => Date.now() + this.ahead;
  readonly monotonic = (): number => performance.now();
}

export interface InProcessServer extends Serving {
  readonly port: number;
  readonly clock: TestClock;
  /** As a SIGTERM would. */
  drain(): Promise<void>;
}

/** The whole server in this process, over real files in a folder of its own that goes with `stack`. */
export const serveInProcess = async (
  stack: AsyncDisposableStack,
  settings: Readonly<Record<string, string>> = {},
): Promise<InProcessServer> => {
  const data = await mkdtemp(join(tmpdir(), 'parley-in-process-'));
  stack.defer(() => rm(data, { recursive: true, force: true }));
  const read = readConfiguration(
    {
      PARLEY_DATA: data,
      PARLEY_PORT: '0',
      PARLEY_TOKEN_SECRET: tokenSecret,
      PARLEY_SEND_BURST: '100000',
      PARLEY_SEND_RATE: '100000',
      ...settings,
    },
    () => '',
  );
  if (!read.ok) throw new Error(read.problems.join('; '));
  const clock = new TestClock();
  const service = stack.use(new AsyncDisposableStack());
  const serving = await serveEmbedded(read.configuration, clock, service, new AbortController().signal);
  return { ...serving, port: Number(new URL(serving.address).port), clock, drain: () => service.disposeAsync() };
};
