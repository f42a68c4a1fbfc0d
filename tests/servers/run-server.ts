import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { after } from '../reaper-client.ts';

/** A process of this run that answers on a port. */
export interface RunningServer {
  readonly port: number;
  readonly pid: number;
  /** At once, as a crash. */
  kill(): Promise<void>;
}

export interface ServerStart {
  readonly name: string;
  readonly startMs: number;
  /** Where it runs, and leaves what it writes as it crashes. */
  readonly folder: string;
  /** Called for each attempt, with a port that was free a moment ago. */
  readonly command: (port: number) => Promise<readonly [string, ...string[]]>;
  readonly answers: (port: number) => Promise<boolean>;
}

const lookEveryMs = 100;
/** Of what it printed, in the message of a failure. */
const lastCharacters = 10_000;

export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
};

/** Resolves when it answers; undefined: its program is not installed. It ends with this process, however that ends. */
export const runServer = async (start: ServerStart): Promise<RunningServer | undefined> => {
  let output = '';
  for (const deadline = performance.now() + start.startMs; ;) {
    // Somebody else may take the port before the server does: then it ends, and another is tried.
    const port = await freePort();
    const [program, ...words] = await start.command(port);
    const child = spawn(program, words, { cwd: start.folder, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => (output = `${output}${String(text)}`.slice(-lastCharacters)));
    const exited = new Promise<Error | undefined>((resolve) => {
      child.once('error', resolve);
      child.once('close', () => resolve(undefined));
    });
    const { pid } = child;
    if (pid === undefined) return undefined;
    const reaped = after({ kill: pid });
    const kill = async (): Promise<void> => {
      child.kill('SIGKILL');
      await exited;
      await reaped.stop();
    };
    while (child.exitCode === null && child.signalCode === null && performance.now() < deadline) {
      if (await start.answers(port)) return { port, pid, kill };
      await pause(lookEveryMs);
    }
    await kill();
    if (performance.now() >= deadline) throw new Error(`${start.name} did not start:\n${output}`);
  }
};
