import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { dumpHash } from '../../projections/inbox-under-test.fixture.ts';
import type { FollowedBatch } from '../../projections/read-model.ts';
import { Story } from '../../projections/story.fixture.ts';
import { seeded, seedFor, type Random } from '../seed.ts';
import { temporaryFolder } from '../server-process.ts';
import { openWriter, type ReadModelName } from './read-model-writers.ts';

const kills = 20;

const tell = (random: Random): FollowedBatch[] => {
  const story = new Story();
  const [ada, bob, cleo] = [story.user('Ada'), story.user('Bob'), story.user('Cleo')];
  const chats = [story.group(ada, bob), story.group(bob, ada, cleo)] as const;
  const batches: FollowedBatch[] = [];
  for (let turn = 0; turn < 600; turn++) {
    const chat = random.oneOf(chats);
    for (let sent = random.between(1, 20); sent > 0; sent--) story.send(chat, random.oneOf([ada, bob]), `text ${turn}`);
    const { seq } = story.membership(chat);
    const target = random.between(1, seq);
    if (turn % 3 === 0) story.edit(chat, ada, target, `edited in turn ${turn}`);
    if (turn % 5 === 0) story.remove(chat, ada, target);
    if (turn % 4 === 0) story.mark(chat, bob, { read: target });
    if (turn === 400) story.erase(cleo);
    batches.push(story.batch());
  }
  return batches;
};

const hashOf = async (
  model: ReadModelName,
  path: string,
  batches: readonly FollowedBatch[],
): Promise<readonly [string, number]> => {
  const writer = await openWriter[model](path);
  try {
    for (const batch of batches) await writer.apply(batch);
    return [await dumpHash(writer), (await writer.position())?.applied.place ?? -1];
  } finally {
    await writer.close();
  }
};

test.each(['inbox', 'search'] as const)(
  'D8 I7: killed at any moment, the %s holds whole batches and goes on to what a fresh rebuild has',
  async (model) => {
    const random = seeded(seedFor('D8'));
    const folder = await temporaryFolder('read-model-crash');
    try {
      const batches = tell(random);
      const [path, file] = [join(folder.path, 'killed.sqlite'), join(folder.path, 'batches')];
      await writeFile(file, batches.map((batch) => JSON.stringify(batch)).join('\n'));
      let killed = 0;
      for (let run = 0; run < kills; run++) {
        const script = join(import.meta.dirname, 'read-model-writer-process.ts');
        const child = spawn(process.execPath, [script, model, path, file], { stdio: ['ignore', 'pipe', 'inherit'] });
        const exited = once(child, 'exit');
        let left = random.between(1, 25);
        createInterface(child.stdout).on('line', () => --left === 0 && child.kill('SIGKILL'));
        await exited;
        if (child.signalCode === 'SIGKILL') killed++;
      }
      expect(killed).toBe(kills);
      const [torn, place] = await hashOf(model, path, []);
      const upTo = batches.filter(({ through }) => through.place <= place);
      expect(upTo.at(-1)?.through.place).toBe(place);
      expect(await hashOf(model, join(folder.path, 'up-to.sqlite'), upTo)).toEqual([torn, place]);
      expect(await hashOf(model, path, batches)).toEqual(
        await hashOf(model, join(folder.path, 'rebuilt.sqlite'), batches),
      );
    } finally {
      await folder.stop();
    }
  },
);
