import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, matchesGlob } from 'node:path';
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import { beforeAll, describe, expect, test } from 'vitest';
import { products } from '../eslint.imports.ts';
import { projects } from '../vitest.config.ts';

const root = join(import.meta.dirname, '..');

let eslint: ESLint;
beforeAll(() => {
  // The rules that need types need a file on the disk; the house's own rules do not.
  eslint = new ESLint({ cwd: root, overrideConfig: [tseslint.configs.disableTypeChecked] });
});

const runsInThread = (file: string): boolean => importsFromThreads.test(readFileSync(join(root, file), 'utf8'));
const importsFromThreads = /import \{[^}]*\bworkerData\b[^}]*\} from 'node:worker_threads'/;

const rulesBrokenBy = async (file: string, code: string): Promise<string[]> => {
  const [result] = await eslint.lintText(code, { filePath: join(root, file) });
  return (result?.messages ?? []).map(({ ruleId, message }) => ruleId ?? message);
};

describe('imports that cross the house', () => {
  test.each([
    ['schemas/planted.ts', '../domain/decide.ts'],
    ['schemas/planted.ts', 'node:crypto'],
    ['schemas/planted.ts', 'crypto'],
    ['schemas/planted.ts', 'fastify'],
    ['domain/planted.ts', '../event-log/event-log.ts'],
    ['domain/planted.ts', 'node:crypto'],
    ['domain/planted.ts', 'zod'],
    ['projections/project-planted.ts', 'node:fs'],
    ['event-log/event-log.ts', 'node:sqlite'],
    ['event-log/sqlite-event-log.ts', '@eventstore/db-client'],
    ['event-log/event-log.ts', '@kurrent/kurrentdb-client'],
    ['projections/inbox.ts', 'cassandra-driver'],
    ['projections/search.ts', '@elastic/elasticsearch'],
    ['realtime/bus.ts', 'ioredis'],
    ['realtime/memory-bus.ts', './redis-bus.ts'],
    ['realtime/realtime.ts', './redis-presence-leases.ts'],
    ['main/open-bus.ts', 'ioredis'],
    ['main/embedded.ts', 'node:sqlite'],
    ['event-log/follow.ts', './sqlite-event-log.ts'],
    ['event-log/sqlite-event-log.ts', './eventstoredb-event-log.ts'],
    ['projections/sqlite-inbox.ts', '../event-log/sqlite-event-log.ts'],
    ['query-api/routes.ts', '../projections/sqlite-inbox.ts'],
    ['command-side/gateway.ts', '../realtime/session.ts'],
    ['query-api/routes.ts', '../projections/follow.ts'],
    ['event-log/codec.ts', '../command-side/handle-command.ts'],
    ['realtime/session.ts', '../main/config.ts'],
    ['realtime/session.ts', '../client/client.ts'],
    ['realtime/session.ts', 'node:process'],
    ['client/client.ts', '../domain/decide.ts'],
    ['client/client.ts', 'ws'],
    ['client/client.ts', 'zod'],
    ['client/client.ts', 'node:crypto'],
    ['client/client.ts', 'fs'],
    ['client/file-storage.ts', '../event-log/codec.ts'],
    ['web/app.ts', '../realtime/session.ts'],
    ['command-side/gateway.ts', '../tests/say-last.ts'],
    ['main/embedded.ts', '../event-log/event-log.contract.ts'],
  ])('%s must not import %s', async (file, specifier) => {
    expect(await rulesBrokenBy(file, `import * as planted from '${specifier}';\nplanted;`)).toContain('house/imports');
    expect(await rulesBrokenBy(file, `export * from '${specifier}';`)).toContain('house/imports');
    expect(await rulesBrokenBy(file, `export const load = () => import('${specifier}');`)).toContain('house/imports');
  });

  test.each([
    ['schemas/planted.ts', 'zod'],
    ['schemas/planted.ts', './ids.ts'],
    ['schemas/planted.test.ts', 'node:crypto'],
    ['domain/planted.ts', '../schemas/ids.ts'],
    ['projections/project-planted.ts', '../domain/visibility.ts'],
    ['event-log/sqlite-event-log.ts', 'node:sqlite'],
    ['event-log/sqlite-event-log.ts', './sqlite-rows.ts'],
    ['event-log/eventstoredb-event-log.ts', '@eventstore/db-client'],
    ['event-log/codec.ts', '../command-side/accounts-store.ts'],
    ['realtime/redis-bus.ts', './redis-connection.ts'],
    ['realtime/redis-connection.ts', 'ioredis'],
    ['main/open-bus.ts', '../realtime/redis-bus.ts'],
    ['projections/follow.ts', '../event-log/event-log.ts'],
    ['query-api/routes.ts', '../projections/inbox.ts'],
    ['realtime/session.ts', '../command-side/command-gateway.ts'],
    ['client/client.ts', '../schemas/frames.ts'],
    ['client/file-storage.ts', 'node:fs'],
    ['web/app.ts', '../client/client.ts'],
    ['main/embedded.ts', '../event-log/sqlite-event-log.ts'],
    ['cli/verify.ts', '../event-log/sqlite-event-log.ts'],
    ['realtime/session.test.ts', '../event-log/sqlite-event-log.ts'],
    ['projections/inbox.contract.ts', './sqlite-inbox.ts'],
    ['bench/ceiling/server.ts', 'node:sqlite'],
  ])('%s may import %s', async (file, specifier) => {
    expect(await rulesBrokenBy(file, `export * from '${specifier}';`)).toEqual([]);
    expect(await rulesBrokenBy(file, `export const load = () => import('${specifier}');`)).toEqual([]);
  });
});

describe('what a file may reach for', () => {
  const clock = ['Date.now()', "Date['now']()", 'new Date()', 'Date()', 'performance.now()'];
  const impure = [...clock, 'Math.random()', 'crypto.randomUUID()', 'setTimeout(() => 1, 1)', 'Buffer.from([])'];

  test.each(
    ['schemas/planted.ts', 'domain/planted.ts', 'projections/project-planted.ts'].flatMap((file) =>
      [...impure, 'process.env', 'globalThis.process'].map((code) => ({ file, code })),
    ),
  )('$file is pure: no $code', async ({ file, code }) => {
    expect(await rulesBrokenBy(file, `export const planted = () => ${code};`)).toEqual([
      expect.stringMatching(/^no-restricted-(syntax|globals)$/),
    ]);
  });

  test('time that comes in as data is pure', async () => {
    const code = 'export const day = (at: number) => new Date(at).toISOString();';
    expect(await rulesBrokenBy('domain/planted.ts', code)).toEqual([]);
  });

  test.each(['process.env', "process['env']", "process.on('SIGTERM', close)", 'process.exit(1)'])(
    'a service leaves %s to main/ and cli/',
    async (code) => {
      const planted = `export const planted = (close: () => void) => [${code}, close];`;
      expect(await rulesBrokenBy('realtime/planted.ts', planted)).toEqual(['no-restricted-syntax']);
      expect(await rulesBrokenBy('realtime/planted.ts', 'export const { env } = process;')).toHaveLength(1);
      for (const file of ['main/planted.ts', 'cli/planted.ts', 'bench/planted.ts', 'realtime/planted.test.ts']) {
        expect(await rulesBrokenBy(file, planted)).toEqual([]);
      }
    },
  );

  test.each(['process.pid', 'Buffer.from([])', 'setImmediate(() => 1)'])(
    'the client runs in browsers: %s is for its file-*.ts alone',
    async (code) => {
      const planted = `export const planted = () => ${code};`;
      expect(await rulesBrokenBy('client/planted.ts', planted)).toEqual(['no-restricted-globals']);
      expect(await rulesBrokenBy('client/file-storage.ts', planted)).toEqual([]);
    },
  );

  test('a file has at most 300 lines of code', async () => {
    const lines = (count: number): string => 'export {};\n\n// why\n'.repeat(count);
    expect(await rulesBrokenBy('realtime/planted.ts', lines(300))).toEqual([]);
    expect(await rulesBrokenBy('realtime/planted.ts', lines(301))).toEqual(['max-lines']);
  });
});

describe('the tree', () => {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: root });
  const files = listed
    .toString()
    .split('\0')
    .filter((file) => file !== '' && existsSync(join(root, file)));

  test('has no barrels and no catch-all folders', () => {
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((file) => /(^|\/)index\.[cm]?[jt]sx?$/.test(file))).toEqual([]);
    expect(files.filter((file) => /(^|\/)(utils?|common|helpers?)(\/|\.[cm]?[jt]sx?$)/i.test(file))).toEqual([]);
  });

  test('has every test file in exactly one project', () => {
    const projectsOf = (file: string): string[] =>
      projects
        .filter(({ include, exclude }) => {
          const matches = (glob: string): boolean => matchesGlob(file, glob);
          return include.some(matches) && !exclude.some(matches);
        })
        .map(({ name }) => name);
    const strays = files
      .filter((file) => /\.(test|spec)\.[cm]?[jt]sx?$/.test(file))
      .filter((file) => projectsOf(file).length !== 1);
    expect(strays).toEqual([]);
    expect(['a.test.ts', 'a/b.stub.test.ts', 'a/b.live.test.ts', 'b.e2e.test.ts'].map(projectsOf)).toEqual([
      ['fast'],
      ['stub'],
      ['live'],
      ['e2e'],
    ]);
  });

  test('has every adapter under the contract of its port', () => {
    const contracts = files
      .filter((file) => file.endsWith('.contract.ts'))
      .filter((file) => files.includes(file.replace('.contract.ts', '.ts')));
    const adapters = contracts.flatMap((contract) =>
      ['memory', ...products]
        .map((product) => join(dirname(contract), `${product}-${basename(contract, '.contract.ts')}.ts`))
        .filter((file) => files.includes(file))
        .map((adapter) => ({ adapter, contract })),
    );
    expect(adapters.length).toBeGreaterThan(4);
    const untested = adapters.filter(({ adapter, contract }) => {
      const tests = ['', '.live', '.stub'].map((kind) => adapter.replace(/\.ts$/, `${kind}.test.ts`));
      return !tests
        .filter((file) => files.includes(file))
        .some((file) => readFileSync(join(root, file), 'utf8').includes(`from './${basename(contract)}'`));
    });
    expect(untested).toEqual([]);
  });

  test('loads no schemas in a thread of its own, where they would be most of its start and of its memory', () => {
    const importsOf = (file: string): string[] =>
      [...readFileSync(join(root, file), 'utf8').matchAll(/^(?:import|export) (?!type\b)[^;]*?'([^']+)';/gm)].map(
        ([, from = '']) => (from.startsWith('.') ? join(dirname(file), from) : from),
      );
    const reachedFrom = (entry: string): ReadonlySet<string> => {
      const reached = new Set([entry]);
      for (const file of reached) if (files.includes(file)) for (const next of importsOf(file)) reached.add(next);
      return reached;
    };
    const threads = files.filter((file) => /^(?!tests|bench).*\/sqlite-[^.]*\.ts$/.test(file) && runsInThread(file));
    expect(threads.length).toBeGreaterThan(7);
    expect(threads.filter((thread) => reachedFrom(thread).has('zod'))).toEqual([]);
    expect(reachedFrom('schemas/frames.ts').has('zod')).toBe(true);
  });

  test('lifts no rule of the house by a comment', () => {
    const lifted = files
      .filter((file) => /\.[cm]?ts$/.test(file))
      .filter((file) =>
        /eslint-disable.*(house\/|max-lines|no-restricted-)/.test(readFileSync(join(root, file), 'utf8')),
      )
      .filter((file) => file !== 'tests/house-rules.test.ts');
    expect(lifted).toEqual([]);
  });
});
