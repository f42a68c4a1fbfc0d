import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EventStoreDBClient } from '@eventstore/db-client';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Reaped } from '../reaper-client.ts';
import { temporaryFolder } from '../server-process.ts';
import { eventsOf, message, numbersIn, openClient, outcomeOf } from './client.fixture.ts';
import { selfSigned } from './self-signed.ts';
import { startStub, type Stub } from './start-stub.ts';

const certificate = selfSigned();
let folder: Reaped & { readonly path: string };
let authority: string;
let stub: Stub;
let client: EventStoreDBClient;

beforeAll(async () => {
  folder = await temporaryFolder('certificates');
  authority = join(folder.path, 'authority.pem');
  await writeFile(authority, certificate.cert);
  stub = await startStub({ security: { ...certificate, user: 'admin', password: 'changeit' } });
});
afterEach(() => client.dispose());
afterAll(async () => {
  await stub.stop();
  await folder.stop();
});

const open = (user: string, options: string): EventStoreDBClient => {
  client = openClient(`esdb://${user}127.0.0.1:${stub.port}?${options}`);
  return client;
};

test('whoever knows the authority and the password may do everything', async () => {
  open('admin:changeit@', `tls=true&tlsCAFile=${authority}`);
  expect(await outcomeOf(client.appendToStream('a', message(0)))).toBe('done');
  expect(await numbersIn(client, 'a')).toEqual([0]);
  expect(await outcomeOf(eventsOf(client.readAll()))).toBe('done');
});

test('a wrong password is denied with 16', async () => {
  open('admin:wrong@', `tls=true&tlsCAFile=${authority}`);
  expect(await outcomeOf(client.appendToStream('b', message(0)))).toBe('AccessDeniedError 16');
  expect(await outcomeOf(numbersIn(client, 'a'))).toBe('AccessDeniedError 16');
});

test('without a password an append is denied without a code, a read with 7', async () => {
  open('', `tls=true&tlsCAFile=${authority}`);
  expect(await outcomeOf(client.appendToStream('b', message(0)))).toBe('AccessDeniedError');
  expect(await outcomeOf(numbersIn(client, 'a'))).toBe('AccessDeniedError 7');
});

test('an unknown authority makes the server unavailable, and the text says why', async () => {
  open('admin:changeit@', 'tls=true');
  await expect(client.appendToStream('b', message(0))).rejects.toThrow(/^14 UNAVAILABLE: .*certificate/);
});

test('to plain text a server with TLS is unavailable', async () => {
  open('', 'tls=false');
  expect(await outcomeOf(client.appendToStream('b', message(0)))).toMatch(/14$/);
});
