import { readFileSync } from 'node:fs';
import type { FollowedBatch } from '../../projections/read-model.ts';
import { isReadModel, openWriter } from './read-model-writers.ts';

// Applies batches, one a line of a file, from where the read model stands; says each one that it has begun.
const [model = '', path = '', file = ''] = process.argv.slice(2);
if (!isReadModel(model)) throw new Error(`there is no read model ${model}`);
const writer = await openWriter[model](path);
const stored = (await writer.position())?.applied.place ?? -1;
for (const line of readFileSync(file, 'utf8').split('\n')) {
  const batch = JSON.parse(line) as FollowedBatch;
  if (batch.through.place <= stored) continue;
  process.stdout.write('begun\n');
  await writer.apply(batch);
}
await writer.close();
