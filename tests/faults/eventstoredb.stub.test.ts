import { setTimeout as after } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { Behaviour } from '../eventstoredb-stub/faults.ts';
import { startStubProcess, type StubProcess } from '../eventstoredb-stub/stub-process.ts';
import { runParley } from '../run-parley.ts';
import { Scene } from '../scene.ts';
import { seeded, seedFor, soaking } from '../seed.ts';
import { tokenSecret } from '../tokens.ts';
import { crowd, smallCrowd } from './crowd.ts';

const timeout = 600_000;

const onStub = async (...parameters: readonly string[]): Promise<{ stub: StubProcess; scene: Scene }> => {
  const stub = await startStubProcess(...parameters);
  onTestFinished(() => stub.kill('SIGKILL'));
  return { stub, scene: await Scene.open({ log: { in: 'eventstoredb', url: stub.url } }) };
};

test(
  'two people converse over a log that cuts off its readers at random, and over a restart of ours',
  async () => {
    const { stub, scene } = await onStub('--seed', '7');
    await stub.control.behave({ subscriptionEndedOneIn: 3, slowSubscribers: 'ended', caughtUpOneIn: 2 });
    const [alice, haruka] = [await scene.client('alice'), await scene.client('晴香')];
    const { id } = await scene.direct(alice, '晴香', [alice, haruka]);
    const lines = Array.from({ length: 60 }, (_, line) => `line ${line}`);
    const say = async (count: number): Promise<void> => {
      const said = lines.splice(0, count).map((line, index) => (index % 2 === 0 ? alice : haruka).text(id, line));
      expect((await Promise.all(said)).every(({ ok }) => ok)).toBe(true);
    };
    await say(30);
    const underWay = say(10);
    await scene.server.end('SIGKILL');
    await scene.restart();
    await underWay;
    await say(20);
    await scene.settle();
    expect(haruka.messages(id)).toEqual(alice.messages(id));
    expect(alice.messages(id)).toHaveLength(61);
    expect((await stub.control.befallen())['subscription ended']).toBeGreaterThan(2);
    expect(await scene.violations()).toEqual([]);
  },
  timeout,
);

test(
  'an older copy of the log under a new epoch: what devices had of the lost tail is dropped, and who was erased stays erased',
  async () => {
    const { stub, scene } = await onStub();
    const [alice, bob] = [await scene.client('alice'), await scene.client('bob')];
    await scene.client('cyd');
    const { id } = await scene.direct(alice, 'bob', [alice, bob]);
    const say = async (count: number): Promise<void> => {
      for (let line = 0; line < count; line++) expect((await alice.text(id, 'a line')).ok).toBe(true);
    };
    await say(24);
    await bob.hasUpTo(id, 24);
    const settings = { PARLEY_EVENT_LOG: stub.url, PARLEY_TOKEN_SECRET: tokenSecret };
    expect(await runParley(scene.data, ['erase', 'cyd', '--yes'], settings)).toMatchObject({ code: 0 });
    await scene.server.end('SIGTERM');
    // Receipts, presence and the erasure are among the newest; messages are too.
    await stub.control.comeUp(18);
    const restored = await runParley(scene.data, ['restored'], settings);
    expect(restored).toMatchObject({ code: 0, out: expect.stringContaining('a new epoch') as unknown });
    expect(restored.out).toContain('1 users who were erased since stay erased');
    const heldBefore = bob.messages(id).length;
    await scene.restart();
    await Promise.all([alice, bob].map((client) => client.until(() => client.messages(id).length < heldBefore)));
    expect((await bob.text(id, 'anew')).ok).toBe(true);
    const seq = bob.messages(id).at(-1)?.seq ?? 0;
    expect(seq).toBeLessThan(heldBefore);
    await Promise.all([alice, bob].map((client) => client.hasAllUpTo(id, seq)));
    expect(alice.messages(id)).toEqual(bob.messages(id));
    const verified = await runParley(scene.data, ['verify'], settings);
    expect(verified).toMatchObject({ code: 0, out: expect.stringContaining(' 0 findings') as unknown });
  },
  timeout,
);

const odds: Behaviour['appends'] = [
  { fault: 'timed-out-written', oneIn: 60 },
  { fault: 'timed-out-unwritten', oneIn: 60 },
  { fault: 'answered-twice', oneIn: 30 },
  { fault: 'answered-by-stranger', oneIn: 30 },
  { fault: 'not-ready', oneIn: 60 },
  { fault: 'late', oneIn: 60 },
  { fault: 'cut-written', oneIn: 300 },
  { fault: 'reset-unwritten', oneIn: 300 },
  { fault: 'unanswered-written', oneIn: 600 },
  { fault: 'deafening', oneIn: 600 },
];

const seconds = soaking ? 600 : 60;

test(
  `all faults of the server under load, for ${seconds} s: the process that started is the one that ends`,
  async () => {
    const random = seeded(seedFor('eventstoredb'));
    const { stub, scene } = await onStub('--seed', '11');
    const load = await crowd(scene, random, smallCrowd);
    const { pid } = scene.server;
    await stub.control.behave({
      appends: odds,
      reads: [{ fault: 'not-ready', oneIn: 50 }],
      subscriptionEndedOneIn: 20,
      caughtUpOneIn: 10,
      slowSubscribers: 'ended',
      lateMs: 50,
    });
    const { control } = stub;
    const faults = [
      () => control.endSubscriptions(),
      () => control.resetSubscriptions(),
      () => control.cutConnections(),
      () => control.comeUp(0),
      async () => {
        await control.behave({ notReady: true });
        await after(random.between(200, 1_500));
        await control.behave({ notReady: false });
      },
    ];
    const until = performance.now() + seconds * 1_000;
    while (performance.now() < until) {
      await after(random.between(500, 3_000));
      await faults[random.between(0, faults.length - 1)]?.();
    }
    await control.heal();
    await load.stop();
    await scene.settle();
    expect(scene.server.pid).toBe(pid);
    expect(scene.server.running).toBe(true);
    expect(load.answered).toBeGreaterThan(seconds);
    expect(await scene.violations()).toEqual([]);
  },
  timeout + seconds * 1_000,
);
