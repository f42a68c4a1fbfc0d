import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inboxContract } from './inbox.contract.ts';
import { openSqliteInbox, openSqliteInboxWriter } from './sqlite-inbox.ts';
import { Story } from './story.fixture.ts';

inboxContract('sqlite', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'parley-inbox-'));
  const path = join(directory, 'inbox.sqlite');
  return {
    openWriter: () => openSqliteInboxWriter(path),
    openInbox: () => openSqliteInbox(path),
    remove: () => rm(directory, { recursive: true }),
  };
});

/** What lies in any file of the directory, as the bytes stand there. */
const bytesIn = async (directory: string): Promise<string> => {
  const files = (await readdir(directory)).toSorted();
  return (await Promise.all(files.map((file) => readFile(join(directory, file), 'latin1')))).join('\n');
};

test('what an erased person wrote is shown no more at once, and leaves the files between batches, over a restart too', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'parley-inbox-'));
  const path = join(directory, 'inbox.sqlite');
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(directory, { recursive: true }));
  const story = new Story();
  const [ada, bob] = [story.user('Ada'), story.user('Bob canary')];
  const id = story.group(ada, bob);
  for (let sent = 0; sent < 12_000; sent++)
    story.send(id, sent % 20 === 0 ? ada : bob, sent % 20 === 0 ? 'stays' : 'canary');
  story.erase(bob);
  const first = await openSqliteInboxWriter(path);
  await first.apply(story.batch());
  await first.close();

  const second = await openSqliteInboxWriter(path);
  stack.defer(() => second.close());
  const asked = await openSqliteInbox(path);
  stack.defer(() => asked.close());
  const page = await asked.messages(ada, id, { from: 'newest' }, 200);
  expect(new Set(page?.messages.map(({ content }) => content?.type === 'text' && content.text))).toEqual(
    new Set(['stays', false]),
  );
  story.send(id, ada, 'goes on');
  await second.apply(story.batch());
  await expect.poll(() => second.holdsErased()).toBe(false);
  const bytes = await bytesIn(directory);
  expect(bytes).not.toContain('canary');
  expect(bytes).toContain('goes on');
});
