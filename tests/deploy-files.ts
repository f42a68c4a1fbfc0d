import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fastify } from 'fastify';
import { serveHealth } from '../main/health.ts';
import {
  requireBus,
  requireCommandSides,
  requireRouters,
  requireSearch,
  requireShared,
} from '../main/service-requirements.ts';
import { readConfiguration, type Configuration } from '../schemas/configuration.ts';

export const root = join(import.meta.dirname, '..');
export const read = (file: string): string => readFileSync(join(root, file), 'utf8');

export type Environment = Readonly<Record<string, string>>;

/** A process as a file for clusters starts it. */
export interface Started {
  readonly name: string;
  /** Without `node`. */
  readonly words: readonly string[];
  readonly environment: Environment;
  /** What is mounted at a path; throws where nothing is. */
  readonly readFile: (path: string) => string;
}

/** What each process asks of its configuration before it starts. */
const requirements: Readonly<Record<string, readonly ((configuration: Configuration) => unknown)[]>> = {
  'cli/parley.ts': [],
  'main/command-side.ts': [requireShared],
  'main/projections.ts': [requireShared, requireSearch],
  'main/query-api.ts': [requireShared, requireSearch, requireCommandSides],
  'main/realtime.ts router': [requireShared, requireBus],
  'main/realtime.ts gateway': [requireShared, requireBus, requireCommandSides, requireRouters],
};

/** What a process would end with when it starts. */
export const startProblems = ({ name, words, environment, readFile }: Started): readonly string[] => {
  const given = readConfiguration(environment, readFile);
  if (!given.ok) return given.problems.map((problem) => `${name}: ${problem}`);
  const [entry = ''] = words;
  const role = entry === 'main/realtime.ts' ? `${entry} ${given.configuration.realtime}` : entry;
  const required = requirements[role];
  if (required === undefined) return [`${name}: there is no process ${words.join(' ')}`];
  if (entry !== 'cli/parley.ts' && given.configuration.host === '127.0.0.1')
    return [`${name}: is heard by nobody outside its container`];
  return required.flatMap((require) => {
    try {
      require(given.configuration);
      return [];
    } catch (error) {
      return [`${name}: ${error instanceof Error ? error.message : String(error)}`];
    }
  });
};

/** What a process takes to end at most. */
export const drainSeconds = Number(/\bdrainMs = (\d+)_000;/.exec(read('main/run-service.ts'))?.[1]);

/** Of the health paths given, those that no process serves. */
export const unknownHealthPaths = async (paths: readonly string[]): Promise<readonly string[]> => {
  const server = fastify();
  const nothing = () => ({});
  serveHealth(server, nothing, { readModels: nothing, servers: nothing });
  await server.ready();
  const unknown = paths.filter((url) => !server.hasRoute({ method: 'GET', url }));
  await server.close();
  return unknown;
};

/** What sources name of each other, however they load it: with `import`, `import()` or as the file of a thread. */
const named = /'(\.{0,2}\/?[\w./-]+\.(?:ts|json))'/g;

/** All files that a process loads, sooner or later. */
export const loadedBy = (entries: readonly string[], isFile: (file: string) => boolean): ReadonlySet<string> => {
  const loaded = new Set(entries);
  for (const file of loaded) {
    if (!file.endsWith('.ts')) continue;
    for (const [, name = ''] of read(file).matchAll(named)) {
      const target = posix.join(posix.dirname(file), name);
      if (isFile(target)) loaded.add(target);
    }
  }
  return loaded;
};

/** A copy in which `change` planted something. */
export const planted = <Value>(value: Value, change: (copy: Value) => void): Value => {
  const copy = structuredClone(value);
  change(copy);
  return copy;
};
