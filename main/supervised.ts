import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { once } from 'node:events';
import { exitCodes } from './run-service.ts';

export interface SupervisedService {
  /** For who reads what is printed, and for who ends it by its pid. */
  readonly name: string;
  /** Its file in main/. */
  readonly file: string;
  readonly port: number;
  readonly environment: NodeJS.ProcessEnv;
}

export interface Supervised {
  readonly port: number;
  /** Whether it listens now. */
  isUp(): boolean;
  /** Resolves when it listens for the first time; rejects when it ends before with something that no waiting mends. */
  readonly started: Promise<void>;
  /** Ends it as a supervisor does, and waits for it. */
  stop(): Promise<void>;
}

const firstPauseMs = 100;
const longestPauseMs = 5_000;
/** As long as a drain may take. */
const killMs = 28_000;

/** Below those that systems give to connections: one of these could take it while a service is started again. */
const ports = { lowest: 20_000, count: 12_000 } as const;

/** A port of this machine that nobody has now and that was not given before. */
export const freePort = async (given: Set<number>): Promise<number> => {
  for (;;) {
    const wanted = ports.lowest + randomInt(ports.count);
    if (given.has(wanted)) continue;
    given.add(wanted);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve, reject) => {
      server.once('listening', () => resolve(true));
      server.once('error', (error: NodeJS.ErrnoException) =>
        error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
      );
      server.listen(wanted, '127.0.0.1');
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return wanted;
  }
};

/** Keeps a process of ours running: whenever it ends it is started again, at the same port. */
export const supervise = (service: SupervisedService, say: (line: string) => void): Supervised => {
  const { name, file, port, environment } = service;
  const started = Promise.withResolvers<undefined>();
  const stopping = new AbortController();
  const isStopping = (): boolean => stopping.signal.aborted;
  let child: ChildProcess | undefined;
  let isUp = false;

  const runOnce = async (): Promise<number | null> => {
    const running = spawn(process.execPath, [join(import.meta.dirname, file)], {
      env: { ...environment, PARLEY_PORT: String(port) },
      // Over the last one it sees that its supervisor is gone.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    child = running;
    const { stdout, stderr } = running;
    if (stdout === null || stderr === null) throw new Error('what it prints is read here');
    createInterface({ input: stderr }).on('line', (line) => say(`${name}: ${line}`));
    createInterface({ input: stdout }).on('line', (line) => {
      isUp = true;
      say(`${name} (pid ${running.pid}): ${line}`);
      started.resolve(undefined);
    });
    const [code] = (await once(running, 'exit')) as [number | null];
    isUp = false;
    return code;
  };

  const run = async (): Promise<void> => {
    let pauseMs = firstPauseMs;
    while (!isStopping()) {
      const beganAt = performance.now();
      const code = await runOnce();
      if (isStopping()) return;
      say(`${name} ended (${code ?? 'by a signal'}) and is started again`);
      if (code === exitCodes.unusable) started.reject(new Error(`${name} cannot start`));
      pauseMs = performance.now() - beganAt > longestPauseMs ? firstPauseMs : Math.min(pauseMs * 2, longestPauseMs);
      await pause(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const running = run();
  running.catch((error: unknown) => started.reject(error));

  return {
    port,
    isUp: () => isUp,
    started: started.promise,
    async stop() {
      stopping.abort();
      child?.kill('SIGTERM');
      const late = setTimeout(() => child?.kill('SIGKILL'), killMs);
      await running;
      clearTimeout(late);
    },
  };
};
