import { setTimeout as after } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Scene } from '../scene.ts';
import { seeded, seedFor, soaking } from '../seed.ts';
import { crowd, smallCrowd } from './crowd.ts';
import { integrityProblems } from './integrity.ts';

const kills = soaking ? 1_000 : 100;

test(
  `D1: ${kills} SIGKILLs under socket and REST load lose, double and reorder nothing`,
  { timeout: kills * 10_000 },
  async () => {
    const random = seeded(seedFor('D1'));
    const scene = await Scene.open();
    const load = await crowd(scene, random, smallCrowd);
    for (let kill = 0; kill < kills; kill++) {
      // Also on a slow machine no kill comes before there is something to lose.
      await Promise.all([after(random.between(60, 180)), load.answers(load.answered + 1)]);
      await scene.server.end('SIGKILL');
      await scene.restart();
    }
    await load.stop();
    await scene.settle();
    expect(await scene.violations()).toEqual([]);
    expect(integrityProblems(scene.data)).toEqual([]);
    expect(load.answered).toBeGreaterThan(kills);
  },
);
