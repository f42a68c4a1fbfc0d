import { expect, onTestFinished, test } from 'vitest';
import { badNetwork } from '../bad-network.ts';
import { Proxy } from '../proxy.ts';
import { Scene } from '../scene.ts';
import { seeded, seedFor, soaking } from '../seed.ts';
import { crowd } from './crowd.ts';

const sends = soaking ? 100_000 : 10_000;

test(`N3: ${sends} sends over a network that delays, splits, resets and cuts lose, double and reorder nothing`, async () => {
  const random = seeded(seedFor('N3'));
  const scene = await Scene.open();
  const { carry, troubles } = badNetwork(random);
  const proxy = await Proxy.open(() => scene.server.port, carry);
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  scene.door = proxy.address;

  const load = await crowd(scene, random, { pairs: 8, underWay: 8, rest: 0 });
  await load.answers(sends);
  await load.stop();
  scene.door = scene.whenUp;
  await scene.settle();
  expect(await scene.violations()).toEqual([]);
  for (const times of Object.values(troubles.ended)) expect(times).toBeGreaterThan(3);
  expect(troubles.bytewise).toBeGreaterThan(3);
});
