import { mkdtemp, rm } from 'node:fs/promises';
import type { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { inTransaction } from '../command-side/sqlite-file.ts';
import { searchHistory, someConversation, someUser, textOf } from '../tests/search-history.ts';
import { projectSearch } from './project-search.ts';
import { projectInbox } from './project-inbox.ts';
import { inboxErasing } from './sqlite-inbox-erasing.ts';
import { openInboxForWriting } from './sqlite-inbox-file.ts';
import { inboxRows } from './sqlite-inbox-rows.ts';
import { openSearchFile } from './sqlite-search-file.ts';
import { searchRows } from './sqlite-search-rows.ts';

const fileHere = async (): Promise<string> => {
  const directory = await mkdtemp(join(tmpdir(), 'parley-erasing-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return join(directory, 'view.db');
};

/** A step whose transaction does not come to be, and then as many as it takes. */
const eraseAfterARollback = (
  db: DatabaseSync,
  { isDue, step, rolledBack }: Record<'step' | 'rolledBack', () => void> & { readonly isDue: () => boolean },
): void => {
  db.exec('BEGIN');
  step();
  db.exec('ROLLBACK');
  rolledBack();
  while (isDue()) step();
};

const [ann, bob, chat] = [someUser(1), someUser(2), someConversation(1)];
const history = searchHistory(1);
history.start(chat, ann, bob);
/** More than one step takes away. */
const messages = 12_000;
for (let n = 0; n < messages; n++) history.send(chat, n % 2 === 0 ? ann : bob, textOf(`number ${n}`));
history.erase(bob);

const left = (db: DatabaseSync, table: string): unknown =>
  db.prepare(`SELECT count(content) AS texts FROM ${table}`).get()?.['texts'];

test('the inbox takes away what a rolled back step had taken', async () => {
  const db = openInboxForWriting(await fileHere());
  onTestFinished(() => db.close());
  const rows = inboxRows(db);
  inTransaction(db, () => {
    for (const [index, event] of history.events.entries()) {
      for (const change of projectInbox(event)) rows.write(change, index + 1);
    }
    rows.flush();
  });
  const erasing = inboxErasing(db);
  expect(left(db, 'message')).toBe(messages);
  eraseAfterARollback(db, { ...erasing, step: () => erasing.slice() });
  expect(left(db, 'message')).toBe(messages / 2);
});

test('the search index takes away what a rolled back step had taken', async () => {
  const db = openSearchFile(await fileHere());
  onTestFinished(() => db.close());
  const rows = searchRows(db);
  inTransaction(db, () => {
    for (const [index, event] of history.events.entries()) {
      for (const change of projectSearch(event)) rows.apply(change, index + 1);
    }
  });
  expect(left(db, 'messages')).toBe(messages);
  eraseAfterARollback(db, {
    isDue: () => rows.holdsErased(),
    step: () => rows.eraseSome(),
    rolledBack: () => rows.forgetCached(),
  });
  expect(left(db, 'messages')).toBe(messages / 2);
});
