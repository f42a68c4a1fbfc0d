import { Load } from '../load.ts';
import type { Scene } from '../scene.ts';
import type { Random } from '../seed.ts';

export interface CrowdSize {
  /** People in one-to-one conversations, by pairs. */
  readonly pairs: number;
  /** Commands every device keeps under way. */
  readonly underWay: number;
  /** People who also write over REST. */
  readonly rest: number;
}

export const smallCrowd: CrowdSize = { pairs: 4, underWay: 2, rest: 2 };

const inTheGroup = 12;

/**
 * People in pairs, the first of them in a group too, with a guest who comes and goes; some write over REST as well. Returns the
 * load, talking.
 */
export const crowd = async (scene: Scene, random: Random, { pairs, underWay, rest }: CrowdSize): Promise<Load> => {
  const names = Array.from({ length: pairs * 2 }, (_, index) => `person ${index}`);
  const people = await Promise.all(names.map((name) => scene.client(name)));
  await scene.client('guest');
  const [admin] = people;
  if (admin === undefined) throw new Error('a crowd has people');

  const circle = people.slice(0, inTheGroup);
  const group = await scene.group(admin, 'Circle', names.slice(1, inTheGroup), circle);
  const own: string[][] = people.map((person) => (circle.includes(person) ? [group.id] : []));
  for (let pair = 0; pair < pairs; pair++) {
    const members = people.slice(pair * 2, pair * 2 + 2);
    const [one] = members;
    if (one === undefined) continue;
    const talk = await scene.direct(one, names[pair * 2 + 1] ?? '', members);
    own[pair * 2]?.push(talk.id);
    own[pair * 2 + 1]?.push(talk.id);
  }

  const load = new Load(random, underWay);
  people.forEach((person, index) => load.add(person, own[index] ?? []));
  people.slice(0, rest).forEach((person, index) => load.add(scene.rest(names[index] ?? '', person), own[index] ?? []));
  load.addTurnstile(admin, group.id, 'guest');
  return load;
};
