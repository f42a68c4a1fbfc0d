import { readdirSync } from 'node:fs';
import { expect, onTestFinished } from 'vitest';
import { Proxy, together } from '../proxy.ts';
import { sayLast } from '../say-last.ts';
import { ServerProcess, temporaryFolder } from '../server-process.ts';
import { startOwnRedis, type OwnRedis } from '../servers/redis.ts';
import { tokenSecret } from '../tokens.ts';
import { WireClient } from '../wire-client.ts';

const presence = { PARLEY_PRESENCE_HEARTBEAT: '1', PARLEY_PRESENCE_OFFLINE_AFTER: '4' };
const manySends = { PARLEY_SEND_BURST: '1000000', PARLEY_SEND_RATE: '1000000' };

export const newStack = (): AsyncDisposableStack => {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  return stack;
};

export const startOn = async (bus: string, stack: AsyncDisposableStack): Promise<ServerProcess> => {
  const folder = await temporaryFolder('redis-faults');
  stack.defer(() => folder.stop());
  const env = { PARLEY_TOKEN_SECRET: tokenSecret, PARLEY_BUS: bus, ...presence, ...manySends };
  const server = await ServerProcess.start({ data: folder.path, env });
  stack.defer(async () => {
    await server.end();
  });
  return server;
};

export const busOf = async ({ port }: ServerProcess): Promise<string> => {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
  expect(answer.status).toBe(200);
  const { servers } = (await answer.json()) as { servers: { bus: string } };
  return servers.bus;
};

export const seenOnline = async (viewer: WireClient, user: string, isOnline: boolean): Promise<void> => {
  await viewer.next('presence', ({ users }) => users.some((one) => one.userId === user && one.online === isOnline));
};

export const idOf = (client: WireClient): string => client.of('welcome')[0]?.userId ?? '';

/** Two people with a chat of theirs. */
export const talking = async (server: ServerProcess, stack: AsyncDisposableStack) => {
  const [ann, ben] = [
    stack.use(await WireClient.live(server.port, 'ann')),
    stack.use(await WireClient.live(server.port, 'ben')),
  ];
  const { conversationId } = await ann.ask({ type: 'start-direct', with: { name: 'ben' } });
  return { ann, ben, conversationId };
};

/** The one sees from now on that the other comes and goes, and that it is there. */
export const watch = async (viewer: WireClient, other: WireClient): Promise<void> => {
  viewer.send({ type: 'subscribe-presence', users: [idOf(other)] });
  await seenOnline(viewer, idOf(other), true);
};

export const descriptorsOf = ({ pid }: ServerProcess): number => readdirSync(`/proc/${pid}/fd`).length;

/** Redises that follow each other at one address, as a supervisor starts them. */
export class RestartedRedis {
  readonly url: string;
  #redis: OwnRedis;
  readonly #stack: AsyncDisposableStack;

  private constructor(url: string, redis: OwnRedis, stack: AsyncDisposableStack) {
    this.url = url;
    this.#redis = redis;
    this.#stack = stack;
  }

  static async start(stack: AsyncDisposableStack): Promise<RestartedRedis | undefined> {
    const redis = await own(stack);
    if (redis === undefined) return undefined;
    const proxy = stack.use(
      await Proxy.open(
        () => restarted.#redis.port,
        (client, upstream) => {
          together(client, upstream);
          client.pipe(upstream);
          upstream.pipe(client);
        },
      ),
    );
    const restarted: RestartedRedis = new RestartedRedis(`redis://127.0.0.1:${proxy.port}`, redis, stack);
    return restarted;
  }

  kill(): Promise<void> {
    return this.#redis.kill();
  }

  get port(): number {
    return this.#redis.port;
  }

  /** From now on another one stands at the address; who is connected stays with the one before. */
  followedBy(redis: OwnRedis): void {
    this.#redis = redis;
  }

  async startAgain(): Promise<void> {
    const redis = await own(this.#stack);
    if (redis !== undefined) this.#redis = redis;
  }
}

export const own = async (
  stack: AsyncDisposableStack,
  settings: readonly string[] = [],
): Promise<OwnRedis | undefined> => {
  const redis = await startOwnRedis(settings);
  if (redis === undefined) sayLast('redis-server is not installed: D12 was not tried on a Redis that is killed.');
  else stack.defer(() => redis.stop());
  return redis;
};
