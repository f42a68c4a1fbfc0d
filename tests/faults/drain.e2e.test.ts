import { setTimeout as after } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Scene } from '../scene.ts';
import { seeded, seedFor } from '../seed.ts';
import { crowd, type CrowdSize } from './crowd.ts';

const twoHundredSockets: CrowdSize = { pairs: 100, underWay: 1, rest: 4 };

test('N9: SIGTERM under load closes 200 sockets with 1012, ends with 0 and loses nothing', async () => {
  const random = seeded(seedFor('N9'));
  const scene = await Scene.open();
  const load = await crowd(scene, random, twoHundredSockets);
  await load.answers(500);
  expect(await scene.server.end('SIGTERM')).toEqual({ code: 0, signal: null });
  await Promise.all(scene.clients.map((client) => client.until(() => client.closedWith !== undefined)));
  expect(new Set(scene.recorder.history.flatMap((entry) => (entry.is === 'disconnected' ? [entry.code] : [])))).toEqual(
    new Set([1012]),
  );
  await scene.restart();
  await load.stop();
  await scene.settle();
  expect(await scene.violations()).toEqual([]);
});

test('N9: a drain cut short by SIGKILL, and a second SIGTERM, lose nothing', async () => {
  const random = seeded(seedFor('N9'));
  const scene = await Scene.open();
  const load = await crowd(scene, random, { ...twoHundredSockets, pairs: 20 });
  for (const cutAfter of [0, 5, 20, 60]) {
    await load.answers(load.answered + 200);
    scene.server.kill('SIGTERM');
    await after(cutAfter);
    await scene.server.end('SIGKILL');
    await scene.restart();
  }
  await load.answers(load.answered + 500);
  scene.server.kill('SIGTERM');
  scene.server.kill('SIGTERM');
  await scene.server.exited;
  await scene.restart();
  await load.stop();
  await scene.settle();
  expect(await scene.violations()).toEqual([]);
});
