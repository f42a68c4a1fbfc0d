import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inboxContract } from './inbox.contract.ts';
import { openSqliteInbox, openSqliteInboxWriter } from './sqlite-inbox.ts';

inboxContract('sqlite', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'parley-inbox-'));
  const path = join(directory, 'inbox.sqlite');
  return {
    openWriter: () => openSqliteInboxWriter(path),
    openInbox: () => openSqliteInbox(path),
    remove: () => rm(directory, { recursive: true }),
  };
});
