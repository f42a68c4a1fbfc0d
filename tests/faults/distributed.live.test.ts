import { expect, test } from 'vitest';
import { seeded, seedFor } from '../seed.ts';
import { crowd, smallCrowd } from './crowd.ts';
import { openDistributed } from './distributed-scene.ts';

const timeout = 600_000;

test(
  'N2 D7: each service SIGKILLed in turn under load loses, doubles and reorders nothing, and the read models are those of a rebuild',
  async () => {
    const random = seeded(seedFor('distributed-kills'));
    const { scene, names, signal, startsOf, parley } = await openDistributed();
    expect(names.toSorted()).toEqual([
      'command-side 1',
      'command-side 2',
      'gateway 1',
      'gateway 2',
      'projections',
      'query-api 1',
      'query-api 2',
      'router',
    ]);
    const load = await crowd(scene, random, smallCrowd);
    for (const name of names) {
      await load.answers(load.answered + 20);
      const starts = startsOf(name);
      signal(name, 'SIGKILL');
      await expect.poll(() => startsOf(name), { timeout: 60_000 }).toBeGreaterThan(starts);
    }
    await load.answers(load.answered + 20);
    await load.stop();
    await scene.settle();
    expect(await parley('verify')).toMatchObject({ code: 0 });
    expect(await scene.violations()).toEqual([]);
  },
  timeout,
);
