import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { after as reapAfter } from '../reaper-client.ts';
import { Scene } from '../scene.ts';
import { seeded, seedFor, soaking } from '../seed.ts';
import { temporaryFolder } from '../server-process.ts';
import { crowd, smallCrowd } from './crowd.ts';
import { integrityProblems } from './integrity.ts';
import { canMountTmpfs, canTrace, enlargeTmpfs, mountTmpfs, strace, unmount } from './tools.ts';

const places = soaking ? 200 : 25;
const mayTrace = canTrace('D3 and D5');
const mayMount = canMountTmpfs('D4');

const logFiles = (data: string): string[] => ['log.sqlite', 'log.sqlite-wal'].map((name) => join(data, name));
const injected = (trace: string): boolean => readFileSync(trace, 'utf8').includes('(INJECTED)');

test.skipIf(!mayTrace)(
  `D3: EIO at ${places} places of the log ends the server, and what was acknowledged survives`,
  { timeout: places * 20_000 },
  async () => {
    const random = seeded(seedFor('D3'));
    const folder = await temporaryFolder('traces');
    onTestFinished(() => folder.stop());
    const scene = await Scene.open();
    const load = await crowd(scene, random, smallCrowd);
    let hit = 0;
    for (let place = 0; place < places; place++) {
      await scene.server.end('SIGKILL');
      const call = random.oneOf(['fsync', 'pwrite64']);
      const inject = `${call}:error=EIO:when=${random.between(1, call === 'fsync' ? 40 : 120)}`;
      const trace = join(folder.path, `trace ${place}`);
      const prefix = strace({ inject, files: logFiles(scene.data), trace });
      const started = await scene.restart({ prefix }).then(
        () => true,
        () => false,
      );
      if (started) await Promise.race([scene.server.exited, load.answers(load.answered + 1_000)]);
      if (!injected(trace)) continue;
      hit++;
      // A server that went on would have answered the thousand.
      const { code } = await scene.server.exited;
      expect(code, inject).not.toBe(0);
    }
    await scene.server.end('SIGKILL');
    await scene.restart();
    await load.stop();
    await scene.settle();
    expect(await scene.violations()).toEqual([]);
    expect(integrityProblems(scene.data)).toEqual([]);
    expect(hit).toBeGreaterThan(places / 2);
  },
);

test.skipIf(!mayMount)(
  'D4: on a full disk sends get storage_full, and go on by themselves once there is room',
  async () => {
    const random = seeded(seedFor('D4'));
    const folder = await temporaryFolder('full');
    const data = join(folder.path, 'data');
    mkdirSync(data);
    mountTmpfs(data, '8M');
    const reaped = reapAfter({ unmount: data });
    onTestFinished(async () => {
      unmount(data);
      await reaped.stop();
      await folder.stop();
    });
    const scene = await Scene.open({ data });
    const load = await crowd(scene, random, smallCrowd);
    const [talk] = scene.talks;
    const [person] = talk?.members ?? [];
    if (talk === undefined || person === undefined) throw new Error('a crowd has talks');

    const filler = scene.rest('person 0', person);
    const large = {
      type: 'send',
      conversationId: talk.id,
      content: { type: 'text', text: 'x'.repeat(50_000) },
    } as const;
    let answer = await filler.post(large, filler.newId());
    while (answer.status === 200) answer = await filler.post(large, filler.newId());
    expect(answer).toMatchObject({ status: 507, body: { code: 'storage_full', status: 507 } });

    const full = () => scene.recorder.history.some((entry) => entry.is === 'unknown' && entry.code === 'storage_full');
    await person.until(full);
    expect((await fetch(`http://${scene.address()}/livez`)).status).toBe(200);
    expect([200, 503]).toContain((await fetch(`http://${scene.address()}/readyz`)).status);

    enlargeTmpfs(data, '64M');
    await load.answers(load.answered + 200);
    expect((await fetch(`http://${scene.address()}/readyz`)).status).toBe(200);
    await load.stop();
    await scene.settle();
    expect(await scene.violations()).toEqual([]);
    expect(integrityProblems(data)).toEqual([]);
  },
);

test.skipIf(!mayTrace)('D5: a disk that takes 200 ms for an fsync slows answers down and loses none', async () => {
  const random = seeded(seedFor('D5'));
  const folder = await temporaryFolder('slow');
  onTestFinished(() => folder.stop());
  const data = join(folder.path, 'data');
  const prefix = strace({
    inject: 'fsync,fdatasync:delay_exit=200000',
    files: logFiles(data),
    trace: join(folder.path, 'trace'),
  });
  const scene = await Scene.open({ data, prefix });
  const load = await crowd(scene, random, { pairs: 8, underWay: 8, rest: 2 });
  await load.answers(2_000);
  await load.stop();
  await scene.settle();
  expect(await scene.violations()).toEqual([]);
});
