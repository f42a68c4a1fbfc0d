import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  asCompose,
  composeSchema,
  isOurs,
  namesIn,
  readCompose,
  startedByCompose,
  type ComposeFile,
} from './deploy-compose-file.ts';
import { drainSeconds, planted, root, startProblems, unknownHealthPaths } from './deploy-files.ts';

const given = readCompose();
const compose = asCompose(given);
const { services } = compose;
const ours = Object.entries(services).filter(([, service]) => isOurs(service));

let secrets: string;
beforeAll(() => {
  secrets = mkdtempSync(join(tmpdir(), 'parley-secrets-'));
  // The script leaves it alone, and so needs nothing but a shell.
  writeFileSync(join(secrets, 'tls.pem'), '');
  execFileSync('sh', [join(root, 'deploy/make-secrets.sh'), secrets]);
});
afterAll(() => rmSync(secrets, { recursive: true }));

const edited = (change: (file: ComposeFile) => void): ComposeFile => planted(compose, change);
const change = (name: string, more: object) => edited(({ services: all }) => Object.assign(all[name] ?? {}, more));

describe('docker-compose.yml', () => {
  test('is a file of the Compose Specification', () => {
    const problems = composeSchema();
    expect(problems(given)).toEqual([]);
    const wrong = { services: { redis: { image: 'redis', helthcheck: {} } } };
    expect(problems(wrong)).toEqual([expect.stringContaining('/services/redis')]);
    expect(problems({ services: { redis: { read_only: [] } } })).not.toEqual([]);
  });

  test('names no version, network, volume or secret that is not there', () => {
    expect(missingNames(compose)).toEqual([]);
    expect(missingNames(change('redis', { volumes: ['redis-data:/data'] }))).toEqual(['redis: volume redis-data']);
    expect(missingNames(change('redis', { secrets: ['key'] }))).toEqual(['redis: secret key']);
    expect(missingNames(change('redis', { networks: { out: undefined } }))).toEqual(['redis: network out']);
    expect(missingNames(change('redis', { depends_on: { memcached: { condition: 'service_started' } } }))).toEqual([
      'redis: service memcached',
    ]);
    expect(missingNames(change('redis', { image: 'redis:latest' }))).toEqual(['redis: version of redis:latest']);
  });

  test('has all services of the distributed profile', () => {
    const roles = ours.map(([, { command, environment }]) =>
      [command[1], environment['PARLEY_REALTIME']].filter((part) => part !== undefined).join(' '),
    );
    expect(roles.toSorted()).toEqual([
      'cli/parley.ts',
      'main/command-side.ts',
      'main/command-side.ts',
      'main/projections.ts',
      'main/query-api.ts',
      'main/realtime.ts gateway',
      'main/realtime.ts gateway',
      'main/realtime.ts router',
    ]);
  });

  test('gives each of them what it starts with', () => {
    const problems = (file: ComposeFile) => startedByCompose(file, secrets).flatMap(startProblems);
    expect(problems(compose)).toEqual([]);
    const { environment = {} } = services['gateway-1'] ?? {};
    expect(problems(change('gateway-1', { environment: { ...environment, PARLEY_BUSS: 'memory:' } }))).toEqual([
      'gateway-1: PARLEY_BUSS: there is no such setting',
    ]);
    expect(problems(change('gateway-1', { environment: { ...environment, PARLEY_SEND_RATE: 'fast' } }))).toHaveLength(
      1,
    );
    expect(problems(change('gateway-1', { secrets: ['internal-token', 'bus-url'] }))).toContain(
      'gateway-1: PARLEY_TOKEN_SECRET_FILE: /run/secrets/token-secret is not mounted',
    );
    expect(problems(change('gateway-1', { environment: { ...environment, PARLEY_HOST: '' } }))).toEqual([
      'gateway-1: is heard by nobody outside its container',
    ]);
    const alone = { environment: { ...environment, PARLEY_ROUTERS: '' } };
    expect(problems(change('gateway-1', alone))).toEqual([expect.stringMatching(/^gateway-1: PARLEY_ROUTERS/)]);
    expect(problems(change('projections', { command: ['node', 'main/projector.ts'] }))).toEqual([
      'projections: there is no process main/projector.ts',
    ]);
  });

  test('lets each find the others where they listen', () => {
    expect(lostAddresses(compose)).toEqual([]);
    const { environment = {} } = services['gateway-1'] ?? {};
    const lost = (name: string, value: string) =>
      lostAddresses(change('gateway-1', { environment: { ...environment, [name]: value } }));
    expect(lost('PARLEY_ROUTERS', 'http://router:8081')).toEqual(['gateway-1: router:8081 is no router']);
    expect(lost('PARLEY_ROUTERS', 'http://gateway-2:8080')).toEqual(['gateway-1: gateway-2:8080 is no router']);
    expect(lost('PARLEY_COMMAND_SIDES', 'http://command-side-1:8080')).toEqual(['gateway-1: no way to command-side-2']);
    expect(lost('PARLEY_SEARCH', 'http://opensearch:9200')).toEqual(['gateway-1: no opensearch within reach']);
    const proxy = services['proxy']?.environment;
    expect(lostAddresses(change('proxy', { environment: { ...proxy, GATEWAYS: 'command-sides:8080' } }))).toEqual([
      'proxy: GATEWAYS: command-side-1, command-side-2',
    ]);
    expect(lostAddresses(change('gateway-2', { networks: { inside: undefined } }))).toEqual([
      'proxy: GATEWAYS: gateway-1',
    ]);
  });

  test('opens nothing but the proxy, which reaches only what clients call', () => {
    expect(openings(compose)).toEqual([]);
    expect(openings(change('redis', { ports: ['6379:6379'] }))).toEqual(['redis has ports']);
    expect(openings(change('router', { networks: { edge: undefined } }))).toEqual(['the proxy reaches router']);
    expect(openings(change('proxy', { ports: ['0.0.0.0:443:8443'] }))).toEqual(['the proxy is open to all']);
    expect(openings(edited(({ networks }) => Object.assign(networks, { inside: {} })))).toEqual([
      'inside is not internal',
    ]);
    expect(openings(change('query-api', { environment: { PARLEY_TRUSTED_PROXIES: '172.28.80.0/24' } }))).toEqual([
      'query-api trusts 172.28.80.0/24',
    ]);
  });

  test('lets no process be root, write its own sources, take all memory or be cut short', () => {
    expect(liberties(compose)).toEqual([]);
    expect(liberties(change('proxy', { user: '0:0' }))).toEqual(['proxy is root']);
    expect(liberties(change('cassandra', { user: undefined }))).toEqual(['cassandra is root']);
    expect(liberties(change('router', { read_only: false }))).toEqual(['router can write its root']);
    expect(liberties(change('redis', { cap_drop: [] }))).toEqual(['redis has capabilities']);
    expect(liberties(change('redis', { security_opt: [] }))).toEqual(['redis may gain privileges']);
    expect(liberties(change('redis', { deploy: { resources: { limits: { memory: '1G', pids: 9 } } } }))).toEqual([
      'redis has no limit of cpus',
    ]);
    expect(liberties(change('gateway-1', { stop_grace_period: '20s' }))).toEqual(['gateway-1 is killed in its drain']);
    expect(liberties(change('redis', { healthcheck: undefined }))).toEqual(['redis has no health check']);
  });

  test('asks for health where it is told', async () => {
    const asked = healthPaths(compose);
    expect(asked).toHaveLength(ours.length - 1);
    expect(await unknownHealthPaths(asked)).toEqual([]);
    expect(await unknownHealthPaths(['/readyz', '/ready'])).toEqual(['/ready']);
    const elsewhere = change('router', {
      healthcheck: { test: ['CMD', 'node', '-e', "fetch('http://127.0.0.1:80/readyz')"] },
    });
    expect(healthPaths(elsewhere)).toHaveLength(asked.length - 1);
  });
});

const missingNames = (file: ComposeFile): readonly string[] =>
  Object.entries(file.services).flatMap(([name, { networks, volumes, secrets: mounted, depends_on, image }]) => [
    ...Object.keys(networks)
      .filter((network) => !(network in file.networks))
      .map((network) => `${name}: network ${network}`),
    ...volumes
      .map((volume) => volume.split(':')[0] ?? '')
      .filter((volume) => !volume.startsWith('.') && !(volume in file.volumes))
      .map((volume) => `${name}: volume ${volume}`),
    ...mounted.filter((secret) => !(secret in file.secrets)).map((secret) => `${name}: secret ${secret}`),
    ...Object.keys(depends_on)
      .filter((other) => !(other in file.services))
      .map((other) => `${name}: service ${other}`),
    ...(/:\d+\.\d+(\.\d+)?(-[a-z]+)?$/.test(image) ? [] : [`${name}: version of ${image}`]),
  ]);

const runs = (file: ComposeFile, entry: string, role?: string): readonly string[] =>
  Object.entries(file.services)
    .filter(([, { command, environment }]) => command[1] === entry && environment['PARLEY_REALTIME'] === role)
    .map(([name]) => name);

const lostAddresses = (file: ComposeFile): readonly string[] => {
  const commandSides = runs(file, 'main/command-side.ts');
  const routers = runs(file, 'main/realtime.ts', 'router');
  const inside = namesIn('inside', file);
  const listensAt = (name: string): string => `${name}:${file.services[name]?.environment['PARLEY_PORT']}`;
  const hosts = (list = ''): readonly string[] => (list === '' ? [] : list.split(',').map((url) => new URL(url).host));
  const ofServices = Object.entries(file.services)
    .filter(([, service]) => isOurs(service))
    .flatMap(([name, { environment }]) => {
      const called = hosts(environment['PARLEY_COMMAND_SIDES']);
      const asked = hosts(environment['PARLEY_ROUTERS']);
      const stores = ['EVENT_LOG', 'ACCOUNTS', 'INBOX', 'SEARCH'].flatMap(
        (store) => environment[`PARLEY_${store}`] ?? [],
      );
      return [
        ...called
          .filter((host) => !commandSides.map(listensAt).includes(host))
          .map((host) => `${name}: ${host} is no command side`),
        ...asked
          .filter((host) => !routers.map(listensAt).includes(host))
          .map((host) => `${name}: ${host} is no router`),
        ...commandSides
          .filter((one) => called.length > 0 && !called.includes(listensAt(one)))
          .map((one) => `${name}: no way to ${one}`),
        ...stores
          .map((url) => new URL(url).hostname)
          .filter((host) => !inside.has(host))
          .map((host) => `${name}: no ${host} within reach`),
      ];
    });
  const edge = namesIn('edge', file);
  const pools = {
    GATEWAYS: runs(file, 'main/realtime.ts', 'gateway'),
    QUERY_APIS: runs(file, 'main/query-api.ts'),
    COMMAND_SIDES: commandSides,
  };
  const ofProxy = Object.entries(pools).flatMap(([pool, expected]) => {
    const [alias = '', port] = file.services['proxy']?.environment[pool]?.split(':') ?? [];
    const found = edge.get(alias) ?? [];
    const isRight = found.join() === expected.join() && found.every((name) => listensAt(name) === `${name}:${port}`);
    return isRight ? [] : [`proxy: ${pool}: ${found.join(', ')}`];
  });
  return [...ofServices, ...ofProxy];
};

const openings = (file: ComposeFile): readonly string[] => {
  const { proxy } = file.services;
  const proxyAddress = proxy?.networks['edge']?.ipv4_address;
  const called = ['main/command-side.ts', 'main/query-api.ts', 'main/realtime.ts'];
  return [
    ...Object.entries(file.services)
      .filter(([name, { ports }]) => name !== 'proxy' && ports.length > 0)
      .map(([name]) => `${name} has ports`),
    ...Object.entries(file.services)
      .filter(([name, { networks }]) => name !== 'proxy' && 'edge' in networks)
      .filter(
        ([, { command, environment }]) =>
          !called.includes(command[1] ?? '') || environment['PARLEY_REALTIME'] === 'router',
      )
      .map(([name]) => `the proxy reaches ${name}`),
    ...(proxy?.ports.every((port) => port.startsWith('127.0.0.1:')) === true ? [] : ['the proxy is open to all']),
    ...(Object.keys(proxy?.networks ?? {}).join() === 'edge' ? [] : ['the proxy lies inside']),
    ...(file.networks['inside']?.internal === true ? [] : ['inside is not internal']),
    ...Object.entries(file.services)
      .map(([name, { environment }]) => ({ name, trusted: environment['PARLEY_TRUSTED_PROXIES'] }))
      .filter(({ trusted }) => trusted !== undefined && trusted !== proxyAddress)
      .map(({ name, trusted }) => `${name} trusts ${trusted}`),
  ];
};

/** Stores that write their own configuration as they start. */
const writing = new Set(['cassandra', 'elasticsearch', 'eventstoredb', 'kurrentdb']);

const liberties = (file: ComposeFile): readonly string[] =>
  Object.entries(file.services).flatMap(([name, service]) => [
    ...(/^[1-9]\d*:\d+$/.test(service.user ?? '') ? [] : [`${name} is root`]),
    ...(service.read_only || writing.has(name) ? [] : [`${name} can write its root`]),
    ...(service.cap_drop.join() === 'ALL' ? [] : [`${name} has capabilities`]),
    ...(service.security_opt.includes('no-new-privileges:true') ? [] : [`${name} may gain privileges`]),
    ...['memory', 'cpus', 'pids']
      .filter((limit) => service.deploy?.resources.limits[limit] === undefined)
      .map((limit) => `${name} has no limit of ${limit}`),
    ...(isOurs(service) && !(Number.parseInt(service.stop_grace_period ?? '', 10) > drainSeconds)
      ? [`${name} is killed in its drain`]
      : []),
    ...(service.healthcheck === undefined ? [`${name} has no health check`] : []),
  ]);

/** Where health checks of ours ask, on the port on which their service listens. */
const healthPaths = (file: ComposeFile): readonly string[] =>
  Object.values(file.services)
    .filter(isOurs)
    .flatMap(({ healthcheck, environment }) => {
      const [, port, path] = /http:\/\/127\.0\.0\.1:(\d+)(\/\w+)/.exec(healthcheck?.test.join(' ') ?? '') ?? [];
      return healthcheck?.disable !== true && path !== undefined && port === environment['PARLEY_PORT'] ? [path] : [];
    });
