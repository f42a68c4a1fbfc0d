import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { after } from '../reaper-client.ts';
import { temporaryFolder } from '../server-process.ts';
import { message, numbersIn, openClient, outcomeOf } from './client.fixture.ts';
import type { AppendFault } from './faults.ts';
import { startStub } from './start-stub.ts';
import { startStubProcess } from './stub-process.ts';

const root = join(import.meta.dirname, '../..');

const run = (command: string, ...parameters: string[]): ChildProcessByStdio<null, Readable, Readable> => {
  const child = spawn(command, parameters, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  if (child.pid !== undefined) after({ kill: child.pid });
  return child;
};

/** How a process that appends an event with this id ends, which without a fault it does not. */
const appendingProcess = async (url: string, id: string): Promise<{ code: unknown; said: string; error: string }> => {
  const child = run(process.execPath, join(import.meta.dirname, 'appending-process.fixture.ts'), url, id);
  const exited = once(child, 'exit').then(([code]: unknown[]) => code);
  const [said, error, code] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  return { code, said: said.trim(), error };
};

test('started alone it prints one line with its URL when it is ready, and ends with SIGTERM', async () => {
  const child = run(process.execPath, join(import.meta.dirname, 'run-stub.ts'), '--port', '0');
  const said = text(child.stdout);
  const [first] = (await once(child.stdout, 'data')) as [Buffer];
  const url = first.toString().trim();
  expect(url).toMatch(/^esdb:\/\/127\.0\.0\.1:\d+\?tls=false$/);
  const client = openClient(url);
  expect(await outcomeOf(client.appendToStream('a', message(0)))).toBe('done');
  await client.dispose();
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(await said).toBe(`${url}\n`);
});

test('killed and started again on its log it has all that it had acknowledged', async () => {
  const folder = await temporaryFolder('eventstoredb');
  const file = join(folder.path, 'log.sqlite');
  const first = await startStubProcess('--file', file);
  const port = new URL(first.url).port;
  const client = openClient(first.url);
  await client.appendToStream('a', message(0));
  await first.kill('SIGKILL');
  const second = await startStubProcess('--file', file, '--port', port);
  await expect.poll(() => outcomeOf(numbersIn(client, 'a'))).toBe('done');
  expect(await numbersIn(client, 'a')).toEqual([0]);
  await client.dispose();
  await second.kill('SIGTERM');
  await folder.stop();
});

test('its faults are commanded from another process', async () => {
  const stub = await startStubProcess();
  const client = openClient(stub.url);
  await stub.control.befallNextAppends(['timed-out-unwritten']);
  expect(await outcomeOf(client.appendToStream('a', message(0)))).toBe('DeadlineExceededError');
  await stub.control.behave({ notReady: true });
  expect(await outcomeOf(numbersIn(client, 'a'))).toBe('UnavailableError 14');
  await stub.control.heal();
  expect(await outcomeOf(numbersIn(client, 'a'))).toBe('StreamNotFoundError');
  expect(await stub.control.befallen()).toEqual({ 'append timed-out-unwritten': 1, 'read not-ready': 1 });
  await stub.control.goDown();
  await stub.control.comeUp(0);
  await expect.poll(() => outcomeOf(client.appendToStream('a', message(0)))).toBe('done');
  await client.dispose();
  await stub.kill('SIGTERM');
});

test.each<AppendFault>(['answered-twice', 'answered-by-stranger'])(
  'an append that is %s ends the process of the client, which waits for no second answer',
  async (fault) => {
    const stub = await startStub();
    await stub.befallNextAppends([fault]);
    const ended = await appendingProcess(stub.url, randomUUID());
    expect(ended.error).toContain('TypeError: undefined is not iterable');
    expect(ended.code).toBe(1);
    await stub.stop();
  },
);

test('an append that is refused is answered once more 2 s later, and that ends the process of the client', async () => {
  const stub = await startStub();
  const ended = await appendingProcess(stub.url, 'nonsense');
  expect(ended.said).toBe('UnknownError');
  expect(ended.error).toContain('TypeError: undefined is not iterable');
  await stub.stop();
});
