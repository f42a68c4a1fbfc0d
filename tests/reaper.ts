/** Reads from stdin what must not outlive its parent, and ends it when stdin closes. See reaper-client.ts. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Mortal } from './reaper-client.ts';

const mortals = new Map<number, Mortal>();

for await (const line of createInterface({ input: process.stdin })) {
  const { key, mortal } = JSON.parse(line) as { readonly key: number; readonly mortal?: Mortal };
  if (mortal === undefined) mortals.delete(key);
  else mortals.set(key, mortal);
}

const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself a moment ago.
  }
};

// Last in, first out: a process before the folder it writes to, a mount before the folder it hangs in.
for (const mortal of [...mortals.values()].reverse()) {
  if ('kill' in mortal) kill(mortal.kill);
  else if ('unmount' in mortal) spawnSync('umount', ['--lazy', mortal.unmount]);
  else rmSync(mortal.remove, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
