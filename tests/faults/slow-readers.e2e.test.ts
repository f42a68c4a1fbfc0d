import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { outboxBytes } from '../../realtime/outbox.ts';
import { closes } from '../../schemas/errors.ts';
import { Load } from '../load.ts';
import { Scene } from '../scene.ts';
import { seeded, seedFor } from '../seed.ts';

const awake = 980;
const inTheHall = 5;
const sleepers = 20;
const text = 'x'.repeat(100_000);
/** More than the kernel holds for a peer that does not read, and the outbox with it. */
const texts = 80;
/** The frame that fills an outbox goes in whole, and the little that is said beside messages. */
const aboveFull = text.length + 16_384;

const metricOf = async (port: number, name: string): Promise<number> => {
  const all = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(all)?.[1]);
};

test('N7: of 1,000 sockets 20 stop reading: each costs one full outbox, is closed and comes back whole; nobody else notices', async () => {
  const scene = await Scene.open();
  const { port } = scene.server;
  const namesOf = (count: number, kind: string): string[] =>
    Array.from({ length: count }, (_, index) => `${kind} ${index}`);
  const [names, sleeperNames] = [namesOf(awake, 'person'), namesOf(sleepers, 'sleeper')];
  const people = await Promise.all(names.map((name) => scene.client(name)));
  const asleep = await Promise.all(sleeperNames.map((name) => scene.client(name)));
  const hallPeople = people.slice(0, inTheHall);
  const [speaker] = hallPeople;
  if (speaker === undefined) throw new Error('nobody speaks');
  const hallNames = [...names.slice(1, inTheHall), ...sleeperNames];
  const hall = await scene.group(speaker, 'Hall', hallNames, [...hallPeople, ...asleep]);

  for (const one of asleep) one.stopReading();
  for (let said = 0; said < texts; said++) expect((await speaker.text(hall.id, text)).ok).toBe(true);
  expect(await metricOf(port, 'parley_outbox_depth')).toBeLessThan(sleepers * (outboxBytes + aboveFull));

  const load = new Load(seeded(seedFor('N7')), 1);
  await Promise.all(
    people.map(async (person, index) => {
      const neighbour = people[index ^ 1];
      if (neighbour === undefined || index % 2 === 1) return;
      const talk = await scene.direct(person, names[index ^ 1] ?? '', [person, neighbour]);
      for (const one of talk.members) load.add(one, [talk.id]);
    }),
  );
  await load.answers(5_000);
  await load.stop();

  while ((await metricOf(port, 'parley_slow_consumer_closes_total')) < sleepers) await pause(250);
  for (const one of asleep) one.readAgain();
  await Promise.all(asleep.map((one) => one.until(() => one.closedWith !== undefined)));
  await scene.settle();
  expect(await metricOf(port, 'parley_slow_consumer_closes_total')).toBe(sleepers);
  const ended = scene.recorder.history.flatMap((entry) => (entry.is === 'disconnected' ? [entry.code] : []));
  expect(ended).toHaveLength(sleepers);
  // The server waits three seconds for its close to be read; who comes later finds a dead connection.
  for (const code of ended) expect([closes.slow_consumer.code, 1006]).toContain(code);
  expect(await scene.violations()).toEqual([]);
});
