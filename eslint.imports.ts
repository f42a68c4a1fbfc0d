import { isBuiltin } from 'node:module';
import { posix, relative, sep } from 'node:path';
import type { Rule } from 'eslint';
import type { Node } from 'estree';

/**
 * The files through which a service may be imported by another one. Register a port here when a second service needs it:
 * the interface and its types, never an implementation. A port in a file named after a product (what the adapters of one
 * product share) opens to the adapters of that product alone.
 */
export const ports: ReadonlySet<string> = new Set([
  'command-side/accounts-store.ts',
  'command-side/cassandra-connection.ts',
  'command-side/cassandra-schema.ts',
  'command-side/clock.ts',
  'command-side/command-gateway.ts',
  'command-side/internal-token.ts',
  'command-side/presence-gateway.ts',
  'command-side/problem.ts',
  'command-side/rate-limit.ts',
  'command-side/rest-scope.ts',
  'command-side/snapshot-store.ts',
  'command-side/sqlite-file.ts',
  'command-side/sqlite-worker.ts',
  'projections/inbox.ts',
  'projections/progress.ts',
  'projections/read-model-states.ts',
  'projections/search.ts',
  'realtime/bus.ts',
  'realtime/gateway-registry.ts',
  'realtime/redis-connection.ts',
]);

/** Which package speaks to which product: only files whose name starts with the product import it. */
const clientLibraries: Readonly<Record<string, string>> = {
  'node:sqlite': 'sqlite',
  '@eventstore/db-client': 'eventstoredb',
  '@kurrent/kurrentdb-client': 'kurrentdb',
  'cassandra-driver': 'cassandra',
  '@elastic/elasticsearch': 'elasticsearch',
  ioredis: 'redis',
};

/** Adapters are named after them. */
export const products: ReadonlySet<string> = new Set(Object.values(clientLibraries));

/** What each of our folders may import of the others, ports aside. A folder not listed is free. */
const allowedFolders: Readonly<Record<string, readonly string[]>> = {
  schemas: [],
  domain: ['schemas'],
  'event-log': ['schemas', 'domain'],
  'command-side': ['schemas', 'domain', 'event-log'],
  projections: ['schemas', 'domain', 'event-log'],
  'query-api': ['schemas', 'domain', 'event-log'],
  realtime: ['schemas', 'domain', 'event-log'],
  client: ['schemas'],
  web: ['client', 'schemas'],
};

/** The client runs in browsers too; only these files of it are for Node. */
const isForNode = (file: string): boolean => posix.basename(file).startsWith('file-');

/** Folders that name their packages; the others take what package.json has. */
const allowedPackages: Readonly<Record<string, readonly string[]>> = { schemas: ['zod'], domain: [], client: [] };

const services = new Set(['event-log', 'command-side', 'projections', 'query-api', 'realtime']);
const composing = new Set(['main', 'cli']);

const folderOf = (file: string): string => (file.includes('/') ? file.slice(0, file.indexOf('/')) : '');
const productOf = (file: string): string | undefined =>
  [...products].find((product) => posix.basename(file).startsWith(product));
const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

export const isTest = (file: string): boolean => /^(tests|bench)\//.test(file) || /\.(test|contract)\.ts$/.test(file);
const isPure = (file: string): boolean =>
  /^(schemas|domain)\//.test(file) || posix.basename(file).startsWith('project-');

/** Why `file` must not import `specifier`, or undefined if it may. Paths are relative to the repository, with slashes. */
const objection = (file: string, specifier: string): string | undefined => {
  if (isTest(file)) return undefined;
  if (specifier.startsWith('.')) return relativeObjection(file, posix.join(posix.dirname(file), specifier));
  const product = clientLibraries[isBuiltin(specifier) ? specifier : packageOf(specifier)];
  if (product !== undefined && productOf(file) !== product) {
    return `${specifier} is imported only by files named ${product}*.ts.`;
  }
  if (isBuiltin(specifier)) {
    if (isPure(file)) return 'Pure files import nothing of the platform: time, ids and bytes come in as data.';
    if (folderOf(file) === 'client' && !isForNode(file))
      return 'client/ runs in browsers: only its file-*.ts import node:*.';
    if (/^(node:)?process$/.test(specifier)) return 'The process belongs to main/ and cli/ alone.';
    return undefined;
  }
  const folder = folderOf(file);
  const allowed = allowedPackages[folder];
  return allowed && !allowed.includes(packageOf(specifier)) ? `${folder}/ does not import ${specifier}.` : undefined;
};

const relativeObjection = (file: string, target: string): string | undefined => {
  const [from, to] = [folderOf(file), folderOf(target)];
  if (isTest(target)) return 'Tests and benchmarks are imported only by tests and benchmarks.';
  if (composing.has(from)) return undefined;
  const product = productOf(target);
  if (product !== undefined) {
    const reachable = posix.dirname(file) === posix.dirname(target) || ports.has(target);
    return productOf(file) === product && reachable
      ? undefined
      : 'Adapters are known to main/ and cli/ alone; import the port.';
  }
  if (composing.has(to)) return `${to}/ is imported by nobody: what it has comes in as a dependency.`;
  const allowed = allowedFolders[from];
  if (from === to || allowed === undefined || allowed.includes(to)) return undefined;
  if (!services.has(from) || !services.has(to)) return `${from}/ imports only ${[from, ...allowed].join('/, ')}/.`;
  return ports.has(target) ? undefined : `${target} is not a port; the ports are listed in eslint.imports.ts.`;
};

/**
 * One rule for all of it rather than `no-restricted-imports` per folder: that one sees neither `import()`, by which the live
 * adapters are loaded, nor where a relative path ends.
 */
const imports: Rule.RuleModule = {
  meta: { type: 'problem', schema: [] },
  create(context) {
    const file = relative(context.cwd, context.filename).split(sep).join('/');
    const check = (source: Node | null | undefined): void => {
      if (source?.type !== 'Literal' || typeof source.value !== 'string') return;
      const message = objection(file, source.value);
      if (message !== undefined) context.report({ node: source, message });
    };
    return {
      ImportDeclaration: (node) => check(node.source),
      ExportNamedDeclaration: (node) => check(node.source),
      ExportAllDeclaration: (node) => check(node.source),
      ImportExpression: (node) => check(node.source),
    };
  },
};

export const house = { rules: { imports } };

const say = (selector: string, message: string) => ({ selector, message });
const member = (object: string, property: string): string =>
  `MemberExpression[object.name='${object}']:matches([property.name=/^(${property})$/], [property.value=/^(${property})$/])`;

/** For `no-restricted-syntax` in services: they read no environment and handle no signal. */
export const processBelongsToMain = [
  say(member('process', 'env|on|once|exit'), 'The environment, signals and the exit belong to main/ and cli/.'),
  say("VariableDeclarator[init.name='process'] > ObjectPattern", 'The process belongs to main/ and cli/.'),
];

/** For `no-restricted-syntax` and `no-restricted-globals` in pure files. */
export const pureSyntax = [
  say(member('Date', 'now'), 'Pure files have no clock: time comes in as data.'),
  say("NewExpression[callee.name='Date'][arguments.length=0]", 'Pure files have no clock: time comes in as data.'),
  say("CallExpression[callee.name='Date']", 'Pure files have no clock: time comes in as data.'),
  say(member('Math', 'random'), 'Pure files have no randomness: it comes in as data.'),
];
export const nodeGlobals = ['process', 'Buffer', 'global', 'setImmediate', 'clearImmediate'].map((name) => ({
  name,
  message: 'client/ runs in browsers: what only Node has is for its file-*.ts.',
}));
export const impureGlobals = [
  ...['setTimeout', 'setInterval', 'setImmediate', 'performance', 'crypto', 'fetch', 'console'],
  ...['process', 'Buffer', 'global', 'globalThis', 'require'],
].map((name) => ({ name, message: 'Pure files are functions of their arguments.' }));
