import { expect, test } from 'vitest';
import { Scene } from '../scene.ts';

const quietPeople = 50;
const talksEach = 10;
const hotSpeakers = 20;
const alsoListening = 10;
/** Of each hot speaker at once: together more than one conversation lets wait. */
const burst = 250;

test('N10: a conversation in which too much is said is refused by its own queue; in 500 others beside it nobody is', async () => {
  const scene = await Scene.open();
  const namesOf = (count: number, kind: string): string[] =>
    Array.from({ length: count }, (_, index) => `${kind} ${index}`);
  const [quietNames, hotNames] = [namesOf(quietPeople, 'quiet'), namesOf(hotSpeakers, 'hot')];
  const quiet = await Promise.all(quietNames.map((name) => scene.client(name)));
  const speakers = await Promise.all(hotNames.map((name) => scene.client(name)));
  const [loudest] = speakers;
  if (loudest === undefined) throw new Error('nobody is loud');
  const quietTalks = await Promise.all(
    quiet.flatMap((person, index) =>
      Array.from({ length: talksEach }, (_, step) => {
        const to = (index + step + 1) % quietPeople;
        return scene.direct(person, quietNames[to] ?? '', [person, ...quiet.slice(to, to + 1)]);
      }),
    ),
  );
  const hotMembers = [...speakers, ...quiet.slice(0, alsoListening)];
  const others = [...hotNames.slice(1), ...quietNames.slice(0, alsoListening)];
  const hot = await scene.group(loudest, 'Hot', others, hotMembers);

  const said = speakers.flatMap((speaker) => Array.from({ length: burst }, (_, n) => speaker.text(hot.id, `hot ${n}`)));
  do {
    await Promise.all(quietTalks.flatMap(({ id, members }) => members.map((member) => member.text(id, 'quiet'))));
  } while (speakers.some(({ unanswered }) => unanswered > 0));
  expect((await Promise.all(said)).every(({ ok }) => ok)).toBe(true);
  await scene.settle();

  const { history } = scene.recorder;
  const refusals = history.flatMap((entry) =>
    entry.is === 'received' && entry.frame.type === 'rejected' ? [`${entry.frame.code} ${entry.frame.limiter}`] : [],
  );
  expect(new Set(refusals)).toEqual(new Set(['busy conversation']));
  const open = history.flatMap((entry) => (entry.is === 'unknown' || entry.is === 'fail' ? [entry.conversation] : []));
  expect(new Set(open)).toEqual(new Set([hot.id]));
  expect(await scene.violations()).toEqual([]);
});
