import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after } from '../reaper-client.ts';
import type { Control } from './control.ts';
import { controlBehind } from './control-door.ts';

export interface StubProcess {
  readonly url: string;
  readonly pid: number;
  readonly control: Control;
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** The server in a process of its own; it ends with the one that started it. */
export const startStubProcess = async (...parameters: readonly string[]): Promise<StubProcess> => {
  const main = join(import.meta.dirname, 'run-stub.ts');
  const child = spawn(process.execPath, [main, '--control', '0', ...parameters], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  if (child.pid === undefined) throw new Error('The stub of EventStoreDB did not start.');
  const reaped = after({ kill: child.pid });
  const ready = once(createInterface(child.stdout), 'line').then(([line]) => String(line));
  const line = await Promise.race([ready, exited.then(() => 'ended')]);
  const [url, controlUrl] = line.split(' ');
  if (url === undefined || controlUrl === undefined) throw new Error(`The stub of EventStoreDB did not start: ${line}`);
  return {
    url,
    pid: child.pid,
    control: controlBehind(controlUrl),
    async kill(signal) {
      child.kill(signal);
      await exited;
      await reaped.stop();
    },
  };
};
