import { connect } from 'node:net';
import { temporaryFolder } from '../server-process.ts';
import type { LiveServer, Product } from './product.ts';
import { runServer, type RunningServer } from './run-server.ts';

/** A Redis of its own, which a test may end and start again; each start is empty and has another port. */
export interface OwnRedis extends LiveServer, RunningServer {}

const image = 'redis:7.2-alpine';
const startMs = 20_000;

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.setTimeout(1_000, () => socket.destroy());
    socket.on('data', (answer) => {
      // With a password it answers that it needs one.
      resolve(/^(\+PONG|-NOAUTH)/.test(answer.toString()));
      socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(false));
  });

/** Of the package `redis-server`; undefined: it is not installed. */
export const startOwnRedis = async (settings: readonly string[] = []): Promise<OwnRedis | undefined> => {
  await using opening = new AsyncDisposableStack();
  const folder = await temporaryFolder('redis');
  opening.defer(() => folder.stop());
  const own = (port: number): readonly string[] => [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    folder.path,
  ];
  const running = await runServer({
    name: 'redis-server',
    startMs,
    folder: folder.path,
    command: async (port) => ['redis-server', ...own(port), '--save', '', '--appendonly', 'no', ...settings],
    answers,
  });
  if (running === undefined) return undefined;
  opening.defer(() => running.kill());
  const kept = opening.move();
  return { ...running, url: `redis://127.0.0.1:${running.port}`, stop: () => kept.disposeAsync() };
};

export const redis: Product = {
  key: 'redis',
  name: 'Redis',
  variable: 'PARLEY_TEST_REDIS_URL',
  needs: 'redis-server',
  async startInDocker() {
    const { GenericContainer } = await import('testcontainers');
    const container = await new GenericContainer(image).withExposedPorts(6379).start();
    return {
      url: `redis://${container.getHost()}:${container.getMappedPort(6379)}`,
      stop: async () => {
        await container.stop();
      },
    };
  },
  startFromPackage: () => startOwnRedis(),
};
