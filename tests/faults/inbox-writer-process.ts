import { readFileSync } from 'node:fs';
import type { FollowedBatch } from '../../projections/read-model.ts';
import { openSqliteInboxWriter } from '../../projections/sqlite-inbox.ts';

// Applies batches, one a line of a file, from where the inbox stands; says each one that it has begun.
const [path = '', file = ''] = process.argv.slice(2);
const writer = await openSqliteInboxWriter(path);
const stored = (await writer.position())?.applied.place ?? -1;
for (const line of readFileSync(file, 'utf8').split('\n')) {
  const batch = JSON.parse(line) as FollowedBatch;
  if (batch.through.place <= stored) continue;
  process.stdout.write('begun\n');
  await writer.apply(batch);
}
await writer.close();
