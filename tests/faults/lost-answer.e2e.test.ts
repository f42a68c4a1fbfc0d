import { expect, onTestFinished, test } from 'vitest';
import { Proxy, together } from '../proxy.ts';
import { Scene } from '../scene.ts';
import { seeded, seedFor } from '../seed.ts';

const messages = 60;

test('M3: an answer lost after the append comes again the same on a retry, and nothing is stored twice', async () => {
  const random = seeded(seedFor('M3'));
  const scene = await Scene.open();
  let lost = 0;
  /** Many answers may come at once, so chance alone might spare them all. */
  let isDue = false;
  const proxy = await Proxy.open(
    () => scene.server.port,
    (client, upstream) => {
      const cut = together(client, upstream);
      client.on('data', (bytes) => upstream.write(bytes));
      // The server answers only what is in its log: cutting at an answer is cutting after the append.
      upstream.on('data', (bytes: Buffer) => {
        const isLost = bytes.includes('"accepted"') && (isDue || random.next() < 0.5);
        if (isLost) {
          lost++;
          isDue = false;
          cut();
        } else client.write(bytes);
      });
    },
  );
  onTestFinished(() => proxy[Symbol.asyncDispose]());

  const ann = await scene.client('ann', 'phone', proxy.address);
  const ben = await scene.client('ben');
  const talk = await scene.direct(ann, 'ben', [ann, ben]);
  isDue = true;
  lost = 0;
  const outcomes = await Promise.all(Array.from({ length: messages }, (_, n) => ann.text(talk.id, `message ${n}`)));
  const seqs = outcomes.map((outcome) => (outcome.ok ? outcome.answer.seq : undefined));
  expect(new Set(seqs).size).toBe(messages);
  expect(lost).toBeGreaterThan(0);

  for (let n = 0; n < 20; n++) {
    const said = random.oneOf(ann.messages(talk.id));
    const content = { type: 'text', text: said.text } as const;
    const again = await ann.submit({ type: 'send', conversationId: talk.id, content }, said.id);
    expect(again.ok && again.answer.seq).toBe(said.seq);
    const route = scene.rest('ann', ann);
    expect(await route.submit({ type: 'send', conversationId: talk.id, content }, said.id)).toEqual(again);
  }
  await scene.settle();
  expect(ben.messages(talk.id)).toHaveLength(messages + 1);
  expect(await scene.violations()).toEqual([]);
});
