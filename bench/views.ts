import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** How far the read models of a server are behind its log. */
export interface Lag {
  readonly events: number;
  readonly seconds: number;
}

const greatest = (metrics: string, name: string): number =>
  Math.max(...Array.from(metrics.matchAll(new RegExp(`^${name}\\{.*\\} (\\S+)$`, 'gm')), ([, value]) => Number(value)));

/** Of the read model that is furthest behind. */
export const lagOf = async (port: number): Promise<Lag> => {
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return {
    events: greatest(metrics, 'parley_projection_lag_events'),
    seconds: greatest(metrics, 'parley_projection_lag_seconds'),
  };
};

/** Until inbox and search have everything the log has. */
export const caughtUp = async (port: number): Promise<void> => {
  while ((await lagOf(port)).events > 0) await pause(100);
};

export interface Sizes {
  readonly log: number;
  readonly inbox: number;
  readonly search: number;
  readonly together: number;
}

/** Bytes of a data folder by what they are for. */
export const sizesOf = async (data: string): Promise<Sizes> => {
  const files = await readdir(data, { recursive: true, withFileTypes: true });
  const sizes = { log: 0, inbox: 0, search: 0, together: 0 };
  for (const file of files) {
    if (!file.isFile()) continue;
    const { size } = await stat(join(file.parentPath, file.name));
    sizes.together += size;
    for (const part of ['log', 'inbox', 'search'] as const) if (file.name.startsWith(part)) sizes[part] += size;
  }
  return sizes;
};
