import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Scene } from '../scene.ts';
import { seeded, seedFor } from '../seed.ts';
import { temporaryFolder } from '../server-process.ts';
import { crowd, smallCrowd } from './crowd.ts';
import { canFakeTime, faketime } from './tools.ts';

const available = canFakeTime('T1');

const hour = 3_600_000;
const jumps = [
  ['an hour ahead', hour],
  ['an hour back', -hour],
  ['a day back', -24 * hour],
  ['back to now', 0],
  ['ten years ahead', 10 * 365 * 24 * hour],
  ['the end of 32 bits', Date.UTC(2038, 0, 19, 3, 14, 0) - Date.now()],
  ['back to now again', 0],
] as const;

test.skipIf(!available)('T1: wherever the clock jumps, seq orders and one id is one message', async () => {
  const random = seeded(seedFor('T1'));
  const folder = await temporaryFolder('clock');
  onTestFinished(() => folder.stop());
  const file = join(folder.path, 'offset');
  let offset = 0;
  const jumpTo = (milliseconds: number): void => {
    offset = milliseconds;
    writeFileSync(file, `${milliseconds < 0 ? '-' : '+'}${Math.abs(Math.round(milliseconds / 1_000))}\n`);
  };
  jumpTo(0);
  const env = {
    LD_PRELOAD: faketime ?? '',
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  // Clients make their ids from the server's time, as the protocol asks; tokens outlast the jumps.
  const scene = await Scene.open({ env, tokenHours: 20 * 365 * 24, now: () => Date.now() + offset });
  const load = await crowd(scene, random, smallCrowd);
  await load.answers(300);
  const [talk] = scene.talks;
  const [person] = talk?.members ?? [];
  if (talk === undefined || person === undefined) throw new Error('a crowd has talks');

  const content = { type: 'text', text: 'sent before every jump' } as const;
  const id = person.newId();
  const first = await person.submit({ type: 'send', conversationId: talk.id, content }, id);
  expect(first.ok).toBe(true);
  for (const [where, milliseconds] of jumps) {
    jumpTo(milliseconds);
    await load.answers(load.answered + 300);
    expect(await person.submit({ type: 'send', conversationId: talk.id, content }, id), where).toEqual(first);
  }
  await scene.server.end('SIGKILL');
  await scene.restart();
  expect(await person.submit({ type: 'send', conversationId: talk.id, content }, id)).toEqual(first);
  await load.stop();
  await scene.settle();
  expect(await scene.violations()).toEqual([]);
});
