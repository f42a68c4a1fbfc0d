import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import features from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import answers from '@eventstore/db-client/generated/serverfeatures_pb.js';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { selfSigned } from './eventstoredb-stub/self-signed.ts';
import { startStub } from './eventstoredb-stub/start-stub.ts';
import { runParley } from './run-parley.ts';
import { ServerProcess, temporaryFolder } from './server-process.ts';
import { tokenSecret } from './tokens.ts';
import { WireClient } from './wire-client.ts';

const timeout = 300_000;
const stack = new AsyncDisposableStack();
let folder: string;
beforeAll(async () => {
  const made = await temporaryFolder('eventstoredb-start');
  stack.defer(() => made.stop());
  folder = made.path;
});
afterAll(() => stack.disposeAsync());

let started = 0;
const start = (url: string, port = 0): Promise<ServerProcess> =>
  ServerProcess.start({
    data: `${folder}/${++started}`,
    port,
    env: { PARLEY_TOKEN_SECRET: tokenSecret, PARLEY_EVENT_LOG: url },
  });

const readyz = async (server: ServerProcess): Promise<{ status: number; checks: Readonly<Record<string, string>> }> => {
  const answer = await fetch(`http://127.0.0.1:${server.port}/readyz`);
  return { status: answer.status, checks: ((await answer.json()) as { checks: Record<string, string> }).checks };
};

const refusalOf = (url: string): Promise<string> =>
  start(url).then(
    () => 'it listens',
    (error: unknown) => String(error),
  );

/** The one line that a start which will not do ends with. */
const oneLine = (said: string): string => {
  expect(said).toContain('ended with 2 before it listened');
  const lines = said.split('\n').filter((line) => line.startsWith('parley cannot start'));
  expect(lines).toEqual([expect.stringMatching(/^parley cannot start: PARLEY_EVENT_LOG: /)]);
  return lines[0] ?? '';
};

test(
  'on a server with TLS the password and the certificate have to be right',
  async () => {
    const certificate = selfSigned();
    const authority = join(folder, 'authority.pem');
    await writeFile(authority, certificate.cert);
    const stub = await startStub({ security: { ...certificate, user: 'admin', password: 'changeit' } });
    const at = (user: string, options: string): string => `esdb://${user}127.0.0.1:${stub.port}?${options}`;
    const trusted = `tls=true&tlsCAFile=${authority}`;
    expect(oneLine(await refusalOf(at('admin:wrong@', trusted)))).toMatch(/access was denied/);
    expect(oneLine(await refusalOf(at('', trusted)))).toMatch(/access was denied/);
    expect(oneLine(await refusalOf(at('admin:changeit@', 'tls=true')))).toMatch(/certificate/);
    const server = await start(at('admin:changeit@', trusted));
    const ada = await WireClient.live(server.port, 'ada');
    await WireClient.live(server.port, 'bob');
    await ada.ask({ type: 'start-direct', with: { name: 'bob' } });
    expect((await readyz(server)).status).toBe(200);
    expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
    await stub.stop();
  },
  timeout,
);

/** A server that answers what is asked first, and nothing else. */
const answering = async (answer: Error | string): Promise<{ url: string; stop(): void }> => {
  const server = new Server();
  server.addService(features.ServerFeaturesService, {
    getSupportedMethods: (_call: unknown, callback: (error: Error | null, found?: unknown) => void) => {
      const found = new answers.SupportedMethods();
      if (typeof answer === 'string') found.setEventStoreServerVersion(answer);
      callback(typeof answer === 'string' ? null : answer, found);
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { url: `esdb://127.0.0.1:${port}?tls=false`, stop: () => server.forceShutdown() };
};

const denied = (code: status): Error => Object.assign(new Error('no'), { code, details: 'Access Denied' });

test.each<[string, Error | string, RegExp]>([
  ['a wrong password', denied(status.UNAUTHENTICATED), /access was denied/],
  ['no right', denied(status.PERMISSION_DENIED), /access was denied/],
  ['an old version', '21.10.8.0', /EventStoreDB 21\.10\.8\.0 is not supported: it must be 23\.10 or newer/],
  ['another product', denied(status.UNIMPLEMENTED), /a server of unknown version is not supported/],
])(
  '%s ends the start with one line that names the setting, and exit code 2',
  async (_, answer, cause) => {
    const server = await answering(answer);
    const said = await refusalOf(server.url);
    server.stop();
    expect(oneLine(said)).toMatch(cause);
  },
  timeout,
);

test(
  "another program's events, and plain text where TLS was asked for, end the start too",
  async () => {
    const stub = await startStub();
    const other = EventStoreDBClient.connectionString(stub.url);
    await other.appendToStream('orders-1', jsonEvent({ type: 'ordered', data: {} }));
    await other.dispose();
    await expect(start(stub.url)).rejects.toThrow(/PARLEY_EVENT_LOG: it holds what is no log of Parley's/);
    await expect(start(`esdb://127.0.0.1:${stub.port}`)).rejects.toThrow(/cannot start: PARLEY_EVENT_LOG: .*SSL/);
    await stub.stop();
  },
  timeout,
);

test(
  'a server that is away is waited for, at the start and later, and said for what',
  async () => {
    const stub = await startStub();
    await stub.goDown();
    const server = await start(stub.url);
    const away = await readyz(server);
    expect(away.status).toBe(503);
    expect(away.checks['PARLEY_EVENT_LOG']).toMatch(/UNAVAILABLE/);
    await stub.comeUp(0);
    await expect.poll(async () => (await readyz(server).catch(() => undefined))?.status).toBe(200);
    const ada = await WireClient.live(server.port, 'ada');
    await WireClient.live(server.port, 'bob');
    const { conversationId } = await ada.ask({ type: 'start-direct', with: { name: 'bob' } });
    ada.text(conversationId, 'hello');
    await ada.next('accepted', ({ seq }) => seq === 1);

    await stub.goDown();
    await expect.poll(async () => (await readyz(server)).status).toBe(503);
    expect((await readyz(server)).checks['log']).not.toBe('ok');
    await stub.comeUp(0);
    await expect.poll(async () => (await readyz(server)).status).toBe(200);

    const settings = { PARLEY_EVENT_LOG: stub.url, PARLEY_TOKEN_SECRET: tokenSecret };
    const verified = await runParley(server.data, ['verify'], settings);
    expect(verified).toMatchObject({ code: 0, out: expect.stringContaining(' 0 findings') as unknown });
    const refused = await runParley(server.data, ['backup', `${folder}/backups`], settings);
    expect(refused.code).not.toBe(0);
    expect(refused.err).toContain('the log is on a server');

    // An older copy under a running process: it ends, and does not write into it.
    await stub.comeUp(2);
    expect(await server.exited).toMatchObject({ code: 1 });
    expect(server.output.join('\n')).toContain('parley must end: the log does not have the event any more');
    await stub.stop();
  },
  timeout,
);

test(
  'told to end while it waits it ends, and two processes do not share a folder of data',
  async () => {
    const stub = await startStub();
    await stub.goDown();
    const waiting = await start(stub.url);
    expect(await waiting.end('SIGTERM')).toEqual({ code: 0, signal: null });
    await stub.comeUp(0);
    const server = await start(stub.url);
    const env = { PARLEY_TOKEN_SECRET: tokenSecret, PARLEY_EVENT_LOG: stub.url };
    await expect(ServerProcess.start({ data: server.data, env })).rejects.toThrow(/is in use by/);
    expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
    await stub.stop();
  },
  timeout,
);
