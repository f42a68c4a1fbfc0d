import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { after } from '../reaper-client.ts';
import { temporaryFolder } from '../server-process.ts';
import type { LiveServer, Product } from './product.ts';

/** A Redis of its own, which a test may end and start again; each start is empty and has another port. */
export interface OwnRedis extends LiveServer {
  readonly port: number;
  readonly pid: number;
  /** At once, as a crash. */
  kill(): Promise<void>;
}

const image = 'redis:7.2-alpine';
const startMs = 20_000;

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
};

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
  const folder = await temporaryFolder('redis');
  const give = async (): Promise<void> => {
    await rm(folder.path, { recursive: true, force: true });
    await folder.stop();
  };
  for (const deadline = performance.now() + startMs; ;) {
    // Somebody else may take the port before Redis does: then it ends, and another is tried.
    const port = await freePort();
    const own = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      folder.path,
      '--save',
      '',
      '--appendonly',
      'no',
    ];
    const child = spawn('redis-server', [...own, ...settings], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += String(text)));
    const exited = new Promise<Error | undefined>((resolve) => {
      child.once('error', resolve);
      child.once('close', () => resolve(undefined));
    });
    const { pid } = child;
    if (pid === undefined) {
      await give();
      return undefined;
    }
    const reaped = after({ kill: pid });
    const kill = async (): Promise<void> => {
      child.kill('SIGKILL');
      await exited;
      await reaped.stop();
    };
    while (child.exitCode === null && performance.now() < deadline) {
      if (await answers(port)) {
        const stop = async (): Promise<void> => {
          await kill();
          await give();
        };
        return { url: `redis://127.0.0.1:${port}`, port, pid, kill, stop };
      }
      await pause(50);
    }
    await kill();
    if (performance.now() < deadline) continue;
    await give();
    throw new Error(`redis-server did not start:\n${output}`);
  }
};

export const redis: Product = {
  name: 'Redis',
  variable: 'PARLEY_TEST_REDIS_URL',
  package: 'redis-server',
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
