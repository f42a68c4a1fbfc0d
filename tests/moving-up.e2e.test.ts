import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cp, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { appendAll, newChat, wallClock } from '../event-log/chats.fixture.ts';
import { dataKeysInMemory } from '../event-log/data-keys.fixture.ts';
import { openEventLog } from '../event-log/open-event-log.ts';
import { openSqliteLogStore } from '../event-log/sqlite-log-store.ts';
import { after } from './reaper-client.ts';
import { runParley } from './run-parley.ts';
import { ServerProcess, temporaryFolder } from './server-process.ts';
import { tokenSecret } from './tokens.ts';
import { newId, WireClient } from './wire-client.ts';

const stack = new AsyncDisposableStack();
let folder: string;
beforeAll(async () => {
  const made = await temporaryFolder('moving-up');
  stack.defer(() => made.stop());
  folder = made.path;
});
afterAll(() => stack.disposeAsync());

const start = async (data: string, env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> => {
  const server = await ServerProcess.start({ data, env: { PARLEY_TOKEN_SECRET: tokenSecret, ...env } });
  stack.defer(async () => {
    await server.end();
  });
  return server;
};

test('a server moves with a device away, which goes on from its cursor without loss, double or a new start', async () => {
  const [old, data, to] = [join(folder, 'old'), join(folder, 'data'), join(folder, 'to')];
  const server = await start(old);
  const ada = await WireClient.live(server.port, 'ada');
  const bob = await WireClient.live(server.port, 'bob');
  const { conversationId } = await ada.ask({ type: 'start-direct', with: { name: 'bob' } });
  ada.text(conversationId, 'while he was there');
  await bob.next('message', ({ seq }) => seq === 1);
  const cursorBehind = (): string | undefined => {
    const { frames } = bob;
    const behind = frames
      .slice(frames.findIndex(({ type }) => type === 'message'))
      .findLast((one) => one.type === 'synced');
    return behind?.cursor;
  };
  await expect.poll(cursorBehind, { timeout: 60_000 }).toBeDefined();
  const cursor = cursorBehind() ?? null;
  await bob.close();
  for (const text of ['one', 'two', 'three']) {
    const messageId = newId();
    ada.text(conversationId, text, messageId);
    expect(await ada.answerTo(messageId)).toMatchObject({ type: 'accepted' });
  }
  await ada.close();
  await server.end();

  expect(await runParley(data, ['copy-accounts', '--from', `sqlite:${old}`, '--to', `sqlite:${to}`])).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^copied 3 subjects in .* a second: 3 keys, 0 destroyed ones\n$/) as string,
  });
  expect(await runParley(data, ['copy-log', '--from', `sqlite:${old}`, '--to', `sqlite:${to}`])).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^copied \d+ events in .* a second, of \d+ streams; the copy begins an epoch/) as string,
  });
  await expect(start(old)).rejects.toThrow(/the log in .* went to sqlite:.*, and goes on there alone/);
  expect(await runParley(data, ['unseal', old])).toMatchObject({ code: 2 });

  const places = { PARLEY_EVENT_LOG: `sqlite:${to}`, PARLEY_ACCOUNTS: `sqlite:${to}` };
  const moved = await start(data, places);
  const again = await WireClient.live(moved.port, 'bob', 'phone', cursor);
  const adaAgain = await WireClient.live(moved.port, 'ada');
  adaAgain.text(conversationId, 'on the new one');
  await again.next('message', ({ seq }) => seq === 5);
  const texts = again.frames.flatMap((frame) =>
    frame.type === 'message' && frame.content?.type === 'text' ? [frame.content.text] : [],
  );
  expect(texts).toEqual(['one', 'two', 'three', 'on the new one']);
  expect(again.frames.filter(({ type }) => type === 'reset')).toEqual([]);
  await Promise.all([again.close(), adaAgain.close()]);
  await moved.end();
  expect(await runParley(data, ['verify'], places)).toMatchObject({ code: 0 });
});

test('a copy that is killed opens for nobody, goes on, and can be given up before it is finished', async () => {
  const [from, to] = [join(folder, 'from'), join(folder, 'half')];
  const keys = dataKeysInMemory(randomBytes);
  const store = await openSqliteLogStore({ directory: from });
  const log = await openEventLog({ store, keys, clock: wallClock, randomBytes });
  const chats = Array.from({ length: 100 }, () => newChat(keys));
  for (let round = 0; round < 4; round++) {
    const some = (chat: (typeof chats)[number]) => Array.from({ length: 50 }, () => chat.message());
    await Promise.all(chats.map((chat) => appendAll(log, chat.stream, some(chat), round * 50 - 1)));
  }
  await log.close();
  const untouched = join(folder, 'untouched');
  await cp(from, untouched, { recursive: true });

  const words = ['copy-log', '--from', `sqlite:${from}`, '--to', `sqlite:${to}`];
  const child = spawn(process.execPath, [join(import.meta.dirname, '../cli/parley.ts'), ...words], { stdio: 'ignore' });
  const reaped = child.pid === undefined ? undefined : after({ kill: child.pid });
  const ended = new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
  const size = async (): Promise<number> => {
    const files = await Promise.all(
      ['', '-wal'].map((suffix) => stat(join(to, `log.sqlite${suffix}`)).catch(() => ({ size: 0 }))),
    );
    return files.reduce((sum, one) => sum + one.size, 0);
  };
  await expect.poll(size, { timeout: 60_000, interval: 5 }).toBeGreaterThan(300_000);
  child.kill('SIGKILL');
  expect(await ended).toBe('SIGKILL');
  await reaped?.stop();

  const opened = openSqliteLogStore({ directory: to }).then((half) =>
    openEventLog({ store: half, keys, clock: wallClock, randomBytes }),
  );
  await expect(opened).rejects.toThrow(/a copy that is not finished/);
  await expect(start(from)).rejects.toThrow(/is sealed since .* to be copied to sqlite:.*parley unseal/);
  expect(await runParley(from, ['unseal', from])).toMatchObject({ code: 0 });
  await (await openSqliteLogStore({ directory: from })).close();

  expect(await runParley(from, words)).toMatchObject({ code: 0 });
  expect(await runParley(from, words)).toMatchObject({ code: 0, out: 'the copy was finished before\n' });
  const [one, other] = [
    await openSqliteLogStore({ directory: to }),
    await openSqliteLogStore({ directory: untouched }),
  ];
  try {
    for (const { stream } of chats) {
      const [copied, original] = [
        await one.readStream(stream, 0, 'forwards', 1_000),
        await other.readStream(stream, 0, 'forwards', 1_000),
      ];
      expect(copied.map(({ envelope, link }) => [envelope, link])).toEqual(
        original.map(({ envelope, link }) => [envelope, link]),
      );
      expect(copied).toHaveLength(200);
    }
  } finally {
    await one.close();
    await other.close();
  }
});
