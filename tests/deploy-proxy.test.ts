import { STATUS_CODES } from 'node:http';
import { expect, test } from 'vitest';
import { socketPath } from '../realtime/handshake.ts';
import { rangesPath } from '../realtime/ranges.ts';
import { openApiPath } from '../query-api/openapi.ts';
import { commandLinksPath } from '../schemas/command-link.ts';
import { reject } from '../schemas/errors.ts';
import { problemOf, writeRoutes } from '../schemas/http.ts';
import { readRoutes } from '../schemas/http-reads.ts';
import { serversRoute } from '../schemas/servers.ts';
import { readConfiguration } from '../schemas/configuration.ts';
import { read } from './deploy-files.ts';

const given = read('deploy/proxy/haproxy.cfg');

/** Where the lines of the frontend, in their order, lead a call. */
const leads = (config: string, method: string, path: string): string => {
  const [, frontend = ''] = /^frontend public\n((?:[ .].*\n|\n)*)/m.exec(config) ?? [];
  const prefix = /^ {4}http-request return status 404 .* unless \{ path_beg (\S+) \}$/m.exec(frontend)?.[1];
  if (prefix === undefined || !path.startsWith(prefix)) return prefix === undefined ? 'no rule' : 'nowhere';
  for (const [, backend = '', acl = ''] of frontend.matchAll(/^ {4}use_backend (\S+) if (.+)$/gm)) {
    const exact = /^\{ path (\S+) \}$/.exec(acl)?.[1];
    if (exact === path || (acl === 'METH_GET' && (method === 'GET' || method === 'HEAD'))) return backend;
  }
  return /^ {4}default_backend (\S+)$/m.exec(frontend)?.[1] ?? 'nowhere';
};

const calls: readonly (readonly [method: string, path: string, backend: string])[] = [
  ['GET', socketPath, 'gateways'],
  ...Object.values(readRoutes).map(({ path }) => ['GET', path, 'query-apis'] as const),
  ['GET', openApiPath, 'query-apis'],
  ['GET', serversRoute.path, 'query-apis'],
  ...writeRoutes.map(({ method, path }) => [method, path, 'command-sides'] as const),
  ...[rangesPath, commandLinksPath, '/metrics', '/livez', '/readyz', '/startupz', '/'].flatMap((path) => [
    ['GET', path, 'nowhere'] as const,
    ['POST', path, 'nowhere'] as const,
  ]),
];

const astray = (config: string): readonly string[] =>
  calls
    .filter(([method, path, backend]) => leads(config, method, path) !== backend)
    .map(([method, path]) => `${method} ${path}`);

test('the proxy leads every call to the service that answers it, and those of services to each other nowhere', () => {
  expect(calls.length).toBeGreaterThan(40);
  expect(astray(given)).toEqual([]);
  expect(astray(given.replace('{ path /v1/socket }', '{ path /v1/ws }'))).toEqual([`GET ${socketPath}`]);
  expect(astray(given.replace('path_beg /v1/', 'path_beg /'))).toContain(`GET ${rangesPath}`);
  expect(astray(given.replace('path_beg /v1/', 'path_beg /v2/'))).toContain('PUT /v1/me/profile');
  expect(astray(given.replace(/^ {4}use_backend query-apis.*\n/m, ''))).toContain('GET /v1/chats');
});

test('the proxy refuses in the words of the services', () => {
  const said = [...given.matchAll(/content-type application\/problem\+json string '([^']+)'/g)].map(
    ([, body = '']) => JSON.parse(body) as unknown,
  );
  const problem = (...rejection: Parameters<typeof reject>) =>
    problemOf(reject(...rejection), (status) => STATUS_CODES[status]);
  expect(said).toEqual([
    problem('unavailable', 'no server answers here now'),
    problem('route_not_found', 'there is nothing at this address'),
  ]);
});

/** Seconds. */
const timeout = (name: string): number => Number(new RegExp(`^ {4}timeout ${name} (\\d+)s$`, 'm').exec(given)?.[1]);

test('the proxy lets a quiet socket live for longer than it takes to be pinged and missed', () => {
  const usual = readConfiguration({}, () => '');
  expect(timeout('tunnel')).toBeGreaterThan(usual.ok ? usual.configuration.presence.offlineAfterSeconds : Infinity);
  // A service ends a request after 30 s by itself, and says so.
  expect(timeout('server')).toBeGreaterThan(30);
});
