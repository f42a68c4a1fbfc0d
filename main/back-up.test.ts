import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { randomPool } from '../command-side/random-pool.ts';
import { openSqliteAccountsStore } from '../command-side/sqlite-accounts-store.ts';
import { appendAll, newEvent } from '../event-log/chats.fixture.ts';
import { openEventLog } from '../event-log/open-event-log.ts';
import { openSqliteLogStore } from '../event-log/sqlite-log-store.ts';
import { userStream } from '../schemas/streams.ts';
import { newUserId } from '../projections/story.fixture.ts';
import { TestClock } from '../tests/commands-under-test.ts';
import { backUp } from './back-up.ts';
import { Refused } from './refused.ts';

test('D11: of two backups into one directory at once the second is refused, and the first is whole', async () => {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'parley-back-up-'));
  stack.defer(() => rm(folder, { recursive: true }));
  const [data, directory, clock] = [join(folder, 'data'), join(folder, 'backups'), new TestClock()];
  const store = await openSqliteLogStore({ directory: data });
  const path = join(data, 'accounts.sqlite');
  const accounts = await openSqliteAccountsStore({ path, whenMissing: 'create', cachedKeys: 10 });
  stack.defer(() => accounts.close());
  const log = await openEventLog({ store, keys: accounts, clock, randomBytes: randomPool() });
  stack.defer(() => log.close());
  await appendAll(log, userStream(newUserId()), [newEvent({ type: 'user-erased' })], -1);

  const deps = { data, logIn: data, keysIn: data, accounts, clock, directory };
  const [first, second] = await Promise.allSettled([backUp(deps), backUp({ ...deps, directory: `${directory}/.` })]);
  const outcomes = [first, second].toSorted((one, other) => one.status.localeCompare(other.status));
  expect(outcomes).toMatchObject([{ status: 'fulfilled' }, { reason: { rejection: { code: 'busy' } } }]);
  expect(outcomes[1]?.status === 'rejected' && outcomes[1].reason instanceof Refused).toBe(true);
  const folders = (await readdir(directory)).filter((name) => name.startsWith('backup-'));
  expect(folders).toHaveLength(1);
  expect((await readdir(join(directory, folders[0] ?? ''))).sort()).toEqual([
    'accounts.sqlite',
    'log.sqlite',
    'manifest.json',
  ]);
  // Once it is over the next one may begin.
  clock.offset += 1_000;
  await backUp(deps);
});
