import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Writable } from 'node:stream';

/** What must not outlive this process: a process, a folder, a mount. */
export type Mortal = { readonly kill: number } | { readonly remove: string } | { readonly unmount: string };

export interface Reaped {
  /** It is gone already, or is being put away by its owner. */
  stop(): Promise<void>;
}

let reaper: ChildProcessByStdio<Writable, null, null> | undefined;
let mortals = 0;

/**
 * Has `mortal` ended after this process, however this process ends: the reaper is a process of its own which holds the
 * other end of a pipe, and a pipe closes also on SIGKILL.
 */
export const after = (mortal: Mortal): Reaped => {
  reaper ??= start();
  const { stdin } = reaper;
  const key = ++mortals;
  stdin.write(`${JSON.stringify({ key, mortal })}\n`);
  return { stop: () => new Promise((resolve) => void stdin.write(`${JSON.stringify({ key })}\n`, () => resolve())) };
};

const start = (): ChildProcessByStdio<Writable, null, null> => {
  // A group of its own: Ctrl-C in the terminal must not take the reaper first.
  const child = spawn(process.execPath, [join(import.meta.dirname, 'reaper.ts')], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  child.unref();
  if (child.stdin instanceof Socket) child.stdin.unref();
  return child;
};
