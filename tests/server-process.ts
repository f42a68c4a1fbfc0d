import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, type Reaped } from './reaper-client.ts';

export interface ServerOptions {
  /** Where the data lie; without it a new folder that goes with the server. */
  readonly data?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Put before `node`, e.g. `strace -D …`; it must end up in the same process. */
  readonly prefix?: readonly string[];
  /** Where the sources lie. */
  readonly root?: string;
  /** The file that is run; the embedded server unless said. */
  readonly main?: string;
  /** The port of an earlier start, so that clients find it again; 0 lets the system pick. */
  readonly port?: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const sources = join(import.meta.dirname, '..');
const startSeconds = 60;

/** A folder of this run: it goes when `stop` is called or, at the latest, with the process that asked for it. */
export const temporaryFolder = async (name: string): Promise<Reaped & { readonly path: string }> => {
  const path = await mkdtemp(join(tmpdir(), `parley-${name}-`));
  const reaped = after({ remove: path });
  return {
    path,
    stop: async () => {
      await rm(path, { recursive: true, force: true });
      await reaped.stop();
    },
  };
};

/** `node main/embedded.ts`, or another one, as a process of its own, known by its pid; it ends with the process that started it. */
export class ServerProcess {
  readonly data: string;
  readonly port: number;
  readonly pid: number;
  /** Everything it printed, for the message of a failure. */
  readonly output: readonly string[];
  readonly exited: Promise<Exit>;
  running = true;

  private constructor(
    child: ChildProcess & { pid: number },
    exited: Promise<Exit>,
    data: string,
    port: number,
    output: string[],
  ) {
    this.pid = child.pid;
    this.exited = exited;
    this.data = data;
    this.port = port;
    this.output = output;
    void exited.then(() => (this.running = false));
  }

  /** Resolves when the server has printed its address. Rejects with its output when it ends before. */
  static async start(options: ServerOptions & { readonly data: string }): Promise<ServerProcess> {
    const { data, env = {}, prefix = [], root = sources, main = 'main/embedded.ts', port = 0 } = options;
    const command = [...prefix, process.execPath, join(root, main)];
    const child = spawn(command[0] ?? '', command.slice(1), {
      cwd: root,
      env: { ...environment(), PARLEY_DATA: data, PARLEY_PORT: String(port), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const exited = new Promise<Exit>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
    const { pid } = child;
    if (pid === undefined) return exited.then(() => Promise.reject(new Error('the server did not start')));
    const reaped = after({ kill: pid });
    void exited.finally(() => void reaped.stop());

    const output: string[] = [];
    const address = new Promise<number>((resolve) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          output.push(line);
          const found = /^parley .*http:\/\/[^\s:]+:(\d+)/.exec(line)?.[1];
          if (found !== undefined) resolve(Number(found));
        });
      }
    });
    const late = setTimeout(() => child.kill('SIGKILL'), startSeconds * 1_000);
    void exited.finally(() => clearTimeout(late));
    const ended = exited.then(({ code, signal }): never => {
      throw new Error(`the server ended with ${code ?? signal} before it listened:\n${output.join('\n')}`);
    });
    ended.catch(() => undefined);
    const listening = await Promise.race([address, ended]);
    clearTimeout(late);
    return new ServerProcess(Object.assign(child, { pid }), exited, data, listening, output);
  }

  kill(signal: NodeJS.Signals): void {
    try {
      process.kill(this.pid, signal);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }

  /** Ends it at once, whatever state it is in. */
  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    this.kill(signal);
    return this.exited;
  }
}

/** The environment without settings of whoever runs the tests. */
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PARLEY_')));
