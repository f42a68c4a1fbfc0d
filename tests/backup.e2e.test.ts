import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSqliteAccountsStore } from '../command-side/sqlite-accounts-store.ts';
import { openEventLog } from '../event-log/open-event-log.ts';
import { openSqliteLogStore } from '../event-log/sqlite-log-store.ts';
import { applyUpTo } from '../projections/apply-up-to.ts';
import { compareDumps } from '../projections/compare-dumps.ts';
import { inboxKinds } from '../projections/project-inbox.ts';
import type { ReadModelWriter } from '../projections/read-model.ts';
import { openSqliteInboxWriter } from '../projections/sqlite-inbox.ts';
import { accountsFile } from './data-files.ts';
import { runParley } from './run-parley.ts';
import { ServerProcess, temporaryFolder } from './server-process.ts';
import { signToken, tokenSecret } from './tokens.ts';
import { WireClient } from './wire-client.ts';

const stack = new AsyncDisposableStack();
let folder: string;
beforeAll(async () => {
  const made = await temporaryFolder('backup');
  stack.defer(() => made.stop());
  folder = made.path;
});
afterAll(() => stack.disposeAsync());

const env = { PARLEY_TOKEN_SECRET: tokenSecret, PARLEY_SEND_BURST: '100000', PARLEY_SEND_RATE: '100000' };
const start = async (data: string): Promise<ServerProcess> => {
  const server = await ServerProcess.start({ data, env });
  stack.defer(async () => {
    await server.end();
  });
  return server;
};
const get = async ({ port }: ServerProcess, user: string, path: string): Promise<string> => {
  const headers = { authorization: `Bearer ${signToken(user, 'phone')}` };
  const response = await fetch(`http://127.0.0.1:${port}/v1${path}`, { headers });
  return `${response.status} ${await response.text()}`;
};

/** An inbox folded from the log in a data directory, up to an event. */
const foldedInbox = async (data: string, n: number, opened: AsyncDisposableStack): Promise<ReadModelWriter> => {
  const keys = await openSqliteAccountsStore({ path: accountsFile(data), whenMissing: 'refuse', cachedKeys: 1_000 });
  opened.defer(() => keys.close());
  const store = await openSqliteLogStore({ directory: data });
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const eventLog = await openEventLog({ store, keys, clock, randomBytes });
  opened.defer(() => eventLog.close());
  const writer = await openSqliteInboxWriter(join(folder, `folded-${randomBytes(4).toString('hex')}.sqlite`));
  opened.defer(() => writer.close());
  await applyUpTo({ eventLog, writer, streamKinds: inboxKinds, signal: new AbortController().signal }, n);
  return writer;
};

test('D11: a backup taken while messages come in is a state of the log; a restore brings nobody back who was erased since', async () => {
  const [data, backups, restored] = [join(folder, 'data'), join(folder, 'backups'), join(folder, 'restored')];
  const server = await start(data);
  const [ada, bob] = [await WireClient.live(server.port, 'ada'), await WireClient.live(server.port, 'bob')];
  const { conversationId } = await ada.ask({ type: 'start-direct', with: { name: 'bob' } });
  const cyd = await WireClient.live(server.port, 'cyd');
  const { conversationId: other } = await cyd.ask({ type: 'start-direct', with: { name: 'bob' } });
  cyd.text(other, 'canary of cyd');
  const enough = new AbortController();
  const begun = Promise.withResolvers<undefined>();
  let sent = 0;
  const load = (async () => {
    for (; !enough.signal.aborted; sent += 10) {
      for (let i = 0; i < 10; i++) bob.text(conversationId, `message ${sent + i}`);
      await ada.next('message', ({ seq }) => seq >= sent + 10);
      if (sent >= 50) begun.resolve(undefined);
    }
  })();
  await begun.promise;
  const backedUp = await runParley(data, ['backup', backups]);
  expect(backedUp).toMatchObject({ code: 0, err: '' });
  const position = Number(/event (\d+)/.exec(backedUp.out)?.[1]);
  expect(position).toBeGreaterThan(50);
  const [name = ''] = (await readdir(backups)).filter((file) => file.startsWith('backup-'));
  const kept = JSON.parse(await readFile(join(backups, name, 'manifest.json'), 'utf8')) as { position: number };
  expect(kept.position).toBe(position);
  expect(await runParley(data, ['erase', 'cyd', '--yes'])).toMatchObject({ code: 0 });
  enough.abort();
  await load;
  const cursor = ada.of('synced').at(-1)?.cursor ?? null;
  await server.end('SIGTERM');

  const restoring = await runParley(restored, ['restore', backups, '--data', restored]);
  expect(restoring).toMatchObject({ code: 0, out: expect.stringContaining('1 users who were erased since') as string });
  {
    await using opened = new AsyncDisposableStack();
    const [one, another] = [await foldedInbox(data, position, opened), await foldedInbox(restored, position, opened)];
    const comparison = await compareDumps(one.dump(), another.dump());
    expect(comparison).toMatchObject({ equal: true, differences: 0 });
    expect(comparison.lines).toBeGreaterThan(50);
  }
  expect(await runParley(restored, ['verify'])).toMatchObject({ code: 0 });

  const again = await start(restored);
  expect(await get(again, 'cyd', '/chats')).toContain('401');
  const history = await get(again, 'bob', `/conversations/${other}/messages`);
  expect(history).toContain('"content":null');
  expect(history).not.toContain('canary');
  // What a device saw of the tail that was lost is told from what follows.
  const device = await WireClient.open(again.port, 'ada');
  device.send({ type: 'resume', cursor });
  await device.next('reset');
  device.text(conversationId, 'after the restore');
  await device.next('accepted');
});

test('a restore refuses what it cannot vouch for, and leaves nothing behind', async () => {
  const [data, backups, restored] = [
    join(folder, 'small'),
    join(folder, 'small-backups'),
    join(folder, 'small-restored'),
  ];
  const server = await start(data);
  const ada = await WireClient.live(server.port, 'ada');
  await ada.ask({ type: 'create-group', name: 'a group', members: [] });
  await server.end('SIGTERM');
  // Without a server, too.
  expect(await runParley(data, ['backup', backups])).toMatchObject({ code: 0 });
  const [name = ''] = (await readdir(backups)).filter((file) => file.startsWith('backup-'));
  const restore = () => runParley(restored, ['restore', backups, '--data', restored]);

  await rename(join(backups, 'erased.json'), join(backups, 'elsewhere.json'));
  expect(await restore()).toMatchObject({ code: 2, err: expect.stringContaining('erased.json is missing') as string });
  await rename(join(backups, 'elsewhere.json'), join(backups, 'erased.json'));

  await mkdir(restored);
  await writeFile(join(restored, 'something'), '');
  expect(await restore()).toMatchObject({ code: 2, err: expect.stringContaining('is not empty') as string });
  expect(await readdir(restored)).toEqual(['something']);

  const log = await readFile(join(backups, name, 'log.sqlite'));
  log.writeUInt8(log.readUInt8(5_000) ^ 1, 5_000);
  await writeFile(join(backups, name, 'log.sqlite'), log);
  const elsewhere = join(folder, 'small-elsewhere');
  const damaged = await runParley(data, ['restore', backups, '--data', elsewhere]);
  expect(damaged).toMatchObject({ code: 2, err: expect.stringContaining('is damaged') as string });
  expect(await readdir(folder)).not.toContain('small-elsewhere');
});
