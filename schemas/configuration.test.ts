import { expect, test } from 'vitest';
import { printSettings, readConfiguration, type Configuration } from './configuration.ts';
import { defaultLimits } from './limits.ts';

const secret = 'a secret of the tests that is long enough';
const noFiles = (path: string): string => {
  throw new Error(`no file ${path}`);
};
const problemsOf = (environment: Record<string, string>, readFile = noFiles): readonly string[] => {
  const read = readConfiguration(environment, readFile);
  return read.ok ? [] : read.problems;
};
const valid = (environment: Record<string, string>, readFile = noFiles): Configuration => {
  const read = readConfiguration(environment, readFile);
  if (!read.ok) throw new Error(read.problems.join('; '));
  return read.configuration;
};

test('O8: nothing set is a server on loopback with its data in ./data', () => {
  expect(valid({ PATH: '/bin', PARLEY_PORT: '' })).toEqual({
    host: '127.0.0.1',
    port: 8080,
    data: './data',
    log: { in: 'sqlite', directory: './data' },
    accounts: { in: 'sqlite', directory: './data' },
    snapshots: { in: 'sqlite', directory: './data' },
    inbox: { in: 'sqlite', directory: './data/views' },
    search: { in: 'sqlite', directory: './data/views' },
    bus: 'memory:',
    realtime: 'both',
    commandSides: [],
    routers: [],
    tokens: { issuer: 'parley', secret: undefined, jwks: undefined },
    allowedOrigins: new Set(),
    recentEvents: 16_384,
    admission: { socketsPerUser: 50, socketsPerAddress: 1_000, handshakeBurst: 2_000, handshakesPerSecond: 500 },
    trustedProxies: [],
    presence: { heartbeatSeconds: 30, offlineAfterSeconds: 60 },
    limits: defaultLimits,
  });
});

test('O8: all that is wrong is said at once, each by its name', () => {
  const problems = problemsOf({
    PARLEY_PORT: '65536',
    PARLEY_SEND_RATE: '-1',
    PARLEY_PROT: '80',
    PARLEY_INBOX: 'cassandra://127.0.0.1',
    PARLEY_TOKEN_SECRET: 'short',
    PARLEY_ALLOWED_ORIGINS: 'https://chat.example/path',
    PARLEY_TEST_WHATEVER: 'ignored',
  });
  const names = problems.map((problem) => /PARLEY_[A-Z_]+/.exec(problem)?.[0]);
  expect(names.toSorted()).toEqual([
    'PARLEY_ALLOWED_ORIGINS',
    'PARLEY_INBOX',
    'PARLEY_PORT',
    'PARLEY_PROT',
    'PARLEY_SEND_RATE',
    'PARLEY_TOKEN_SECRET',
  ]);
});

test('read models lie beside the data or in a directory of their own', () => {
  const { inbox, search } = valid({ PARLEY_DATA: '/srv/data', PARLEY_SEARCH: 'sqlite:/mnt/fast' });
  expect({ inbox, search }).toEqual({
    inbox: { in: 'sqlite', directory: '/srv/data/views' },
    search: { in: 'sqlite', directory: '/mnt/fast' },
  });
});

test('accounts lie beside the data, in a directory or on a cluster, whose password may come from a file and is not printed', () => {
  expect(valid({ PARLEY_DATA: '/srv' }).accounts).toEqual({ in: 'sqlite', directory: '/srv' });
  expect(valid({ PARLEY_ACCOUNTS: 'sqlite:/keys' }).accounts).toEqual({ in: 'sqlite', directory: '/keys' });
  const url = 'cassandra://ann:pass%20word@one.example:9042,two.example/parley?dc=dc1';
  const accounts = {
    in: 'cassandra',
    cluster: {
      hosts: ['one.example:9042', 'two.example'],
      credentials: { username: 'ann', password: 'pass word' },
      keyspace: 'parley',
      dataCenter: 'dc1',
      replicas: 3,
    },
  };
  expect(valid({ PARLEY_ACCOUNTS: url }).accounts).toEqual(accounts);
  expect(valid({ PARLEY_ACCOUNTS_FILE: '/run/accounts' }, () => `${url}\n`).accounts).toEqual(accounts);
  const read = readConfiguration({ PARLEY_ACCOUNTS: url }, noFiles);
  const printed = 'PARLEY_ACCOUNTS=cassandra://(set)@one.example:9042,two.example/parley?dc=dc1';
  expect(read.ok && printSettings(read.settings)).toContain(printed);
  for (const refused of ['sqlite:', 'cassandra://one.example', 'redis://one.example', url.replace('dc=', 'center=')]) {
    expect(problemsOf({ PARLEY_ACCOUNTS: refused })).toEqual([
      expect.stringMatching(/^PARLEY_ACCOUNTS: must be sqlite:/),
    ]);
  }
});

test('the inbox is in a directory or on a cluster, and snapshots go there with it, but into no directory', () => {
  const url = 'cassandra://ann:secret@one.example/parley?dc=dc1';
  const { inbox, snapshots } = valid({ PARLEY_INBOX_FILE: '/run/inbox' }, () => `${url}\n`);
  expect(inbox).toMatchObject({ in: 'cassandra', cluster: { hosts: ['one.example'], keyspace: 'parley' } });
  expect(snapshots).toEqual(inbox);
  const read = readConfiguration({ PARLEY_INBOX: url }, noFiles);
  expect(read.ok && printSettings(read.settings)).toContain('PARLEY_INBOX=cassandra://(set)@one.example/parley?dc=dc1');
  const files = valid({ PARLEY_DATA: '/srv', PARLEY_INBOX: 'sqlite:/mnt/fast' });
  expect(files.inbox).toEqual({ in: 'sqlite', directory: '/mnt/fast' });
  expect(files.snapshots).toEqual({ in: 'sqlite', directory: '/srv' });
});

test('search is in a directory or on an Elasticsearch, whose password may come from a file and is not printed', () => {
  const url = 'https://ann:pass%20word@search.example:9243';
  const place = { in: 'elasticsearch', url, prefix: 'parley' };
  expect(valid({ PARLEY_SEARCH: url }).search).toEqual(place);
  expect(valid({ PARLEY_SEARCH: `${url}/` }).search).toEqual(place);
  expect(valid({ PARLEY_SEARCH: `${url}/our-chat` }).search).toEqual({ ...place, prefix: 'our-chat' });
  expect(valid({ PARLEY_SEARCH_FILE: '/run/search' }, () => `${url}\n`).search).toEqual(place);
  const read = readConfiguration({ PARLEY_SEARCH: url }, noFiles);
  expect(read.ok && printSettings(read.settings)).toContain('PARLEY_SEARCH=https://(set)@search.example:9243');
  const refused = ['http:', 'http://', 'elasticsearch://host', 'http://host:70000', 'http://host/A', 'http://host/a/b'];
  for (const search of [...refused, 'http://host?x=1', 'http://ann@host', 'http://ann:%zz@host', 'http://host/_all'])
    expect(problemsOf({ PARLEY_SEARCH: search })).toEqual([expect.stringMatching(/^PARLEY_SEARCH: must be sqlite:/)]);
});

test('the bus is in memory or in a Redis, whose credentials may come from a file and are not printed', () => {
  const url = 'rediss://ann:pass%20word@redis.example:6380/2';
  expect(valid({ PARLEY_BUS: url }).bus).toBe(url);
  expect(valid({ PARLEY_BUS_FILE: '/run/bus' }, () => `${url}\n`).bus).toBe(url);
  const read = readConfiguration({ PARLEY_BUS: url }, noFiles);
  expect(read.ok && printSettings(read.settings)).toContain('PARLEY_BUS=rediss://(set)@redis.example:6380/2');
  const refused = ['redis:', 'redis://', 'amqp://host', 'redis://host:70000', 'redis://host/x', 'redis://host?lazy=1'];
  for (const bus of refused) expect(problemsOf({ PARLEY_BUS: bus })).toEqual([expect.stringMatching(/^PARLEY_BUS: /)]);
});

test('a secret comes from the variable or from the file it names, not from both; nothing else has a file', () => {
  expect(valid({ PARLEY_TOKEN_SECRET_FILE: '/run/secret' }, () => `${secret}\n`).tokens.secret).toBe(secret);
  expect(
    problemsOf({ PARLEY_TOKEN_SECRET: secret, PARLEY_TOKEN_SECRET_FILE: '/run/secret' }, () => secret),
  ).toHaveLength(1);
  expect(problemsOf({ PARLEY_TOKEN_SECRET_FILE: '/nowhere' })).toEqual(['PARLEY_TOKEN_SECRET_FILE: no file /nowhere']);
  expect(problemsOf({ PARLEY_PORT_FILE: '/run/port' }, () => '1')).toHaveLength(1);
});

test('the secret made for development is for loopback only', () => {
  for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '::1'])
    expect(problemsOf({ PARLEY_HOST: host })).toEqual([]);
  for (const host of ['0.0.0.0', '::', '192.168.1.2', '127.0.0.1.example']) {
    expect(problemsOf({ PARLEY_HOST: host })).toHaveLength(1);
    expect(problemsOf({ PARLEY_HOST: host, PARLEY_TOKEN_SECRET: secret })).toEqual([]);
  }
});

test('keys of an issuer need its name, and exclude a secret', () => {
  expect(problemsOf({ PARLEY_TOKEN_JWKS: 'https://id.example/keys' })).toHaveLength(1);
  const keys = { PARLEY_TOKEN_JWKS: 'https://id.example/keys', PARLEY_TOKEN_ISSUER: 'https://id.example' };
  expect(problemsOf(keys)).toEqual([]);
  expect(problemsOf({ ...keys, PARLEY_TOKEN_SECRET: secret })).toHaveLength(1);
});

test('what is printed can be read again, but for the secret', () => {
  const read = readConfiguration(
    { PARLEY_TOKEN_SECRET: secret, PARLEY_ALLOWED_ORIGINS: 'https://a.example, http://b.example:81' },
    noFiles,
  );
  const printed = read.ok ? printSettings(read.settings) : '';
  expect(printed).not.toContain(secret);
  expect(printed).toContain('PARLEY_TOKEN_SECRET=(set)');
  expect(printed).toContain('PARLEY_ALLOWED_ORIGINS=https://a.example,http://b.example:81');
});

test('the log may be on an EventStoreDB, and its password is not printed', () => {
  expect(valid({ PARLEY_EVENT_LOG: 'sqlite:/logs' }).log).toEqual({ in: 'sqlite', directory: '/logs' });
  for (const url of [
    'esdb://127.0.0.1:2113?tls=false',
    'esdb://admin:changeit@one.example:2113,two.example:2113?tls=true&tlsCAFile=/run/ca.crt',
    'esdb+discover://admin:changeit@cluster.example?nodePreference=leader',
  ]) {
    expect(valid({ PARLEY_EVENT_LOG: url }).log).toEqual({ in: 'eventstoredb', url });
    expect(valid({ PARLEY_EVENT_LOG_FILE: '/run/log' }, () => `${url}\n`).log).toEqual({ in: 'eventstoredb', url });
    const read = readConfiguration({ PARLEY_EVENT_LOG: url }, noFiles);
    expect(read.ok && printSettings(read.settings)).not.toContain('changeit');
  }
  for (const url of [
    'esdb://',
    'kafka://one.example',
    'esdb://one.example?throwOnAppendFailure=false',
    'esdb://one.example?keepAliveInterval=-1',
    'esdb://u:secret@one.example/path',
  ]) {
    const problems = problemsOf({ PARLEY_EVENT_LOG: url });
    expect(problems).toEqual([expect.stringMatching(/^PARLEY_EVENT_LOG: must be sqlite:/)]);
    expect(problems.join()).not.toContain('secret');
  }
});
