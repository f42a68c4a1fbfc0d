import { expect, test } from 'vitest';
import type { Scene } from '../scene.ts';
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

const statusOf = async (scene: Scene, path: string, body?: object): Promise<number> => {
  const headers = { authorization: `Bearer ${scene.token('ann')}`, 'content-type': 'application/json' };
  const sent = body && { method: 'POST', body: JSON.stringify(body) };
  return (await fetch(`http://${scene.address()}/v1/${path}`, { headers, ...sent })).status;
};

test(
  'D12 D13: with any one of its servers away the rest goes on and says what does not, and all of it comes back by itself',
  async () => {
    const { scene, goAway, comeBack, parley } = await openDistributed();
    const [ann, ben] = [await scene.client('ann'), await scene.client('ben')];
    const { id } = await scene.direct(ann, 'ben', [ann, ben]);
    const history = `conversations/${id}/messages`;
    const converse = async (): Promise<void> => {
      const said = await ann.text(id, 'words');
      expect(said.ok).toBe(true);
      await ben.hasUpTo(id, said.ok ? (said.answer.seq ?? 0) : 0);
    };
    await converse();
    await expect.poll(() => statusOf(scene, history)).toBe(200);
    await expect.poll(() => statusOf(scene, 'search?q=words')).toBe(200);

    goAway('redis');
    await converse();
    expect(await statusOf(scene, history)).toBe(200);
    comeBack('redis');
    await converse();

    goAway('elasticsearch');
    await converse();
    expect(await statusOf(scene, 'search?q=words')).toBe(503);
    expect(await statusOf(scene, history)).toBe(200);
    comeBack('elasticsearch');
    await expect.poll(() => statusOf(scene, 'search?q=words')).toBe(200);

    goAway('cassandra');
    await converse();
    expect(await statusOf(scene, history)).toBe(503);
    comeBack('cassandra');
    await expect.poll(() => statusOf(scene, history)).toBe(200);

    goAway('log');
    const messageId = ann.newId();
    const content = { type: 'text', text: 'refused, and given again until it stands' } as const;
    expect(await statusOf(scene, history, { messageId, content })).toBe(503);
    const waiting = ann.submit({ type: 'send', conversationId: id, content }, messageId);
    expect(await statusOf(scene, history)).toBe(200);
    comeBack('log');
    expect((await waiting).ok).toBe(true);
    await converse();
    await scene.settle();
    expect(await parley('verify')).toMatchObject({ code: 0 });
    expect(await scene.violations()).toEqual([]);
  },
  timeout,
);
