import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { Scene } from '../scene.ts';
import { seeded, seedFor, soaking } from '../seed.ts';
import { Storm, type Retry } from '../storm.ts';

const devices = soaking ? 10_000 : 5_000;
const devicesEach = 50;
const hostileMs = 100;

const residentBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024;

test(
  `N6 C14: ${devices} devices that come back at once after a SIGKILL all come back, also those that do not wait as they are told`,
  { timeout: 600_000 },
  async () => {
    const random = seeded(seedFor('N6'));
    const jittered: Retry = (hint) => Math.max(hint ?? 0, random.between(0, 3_000));
    const scene = await Scene.open({ env: { PARLEY_SOCKETS_PER_USER: String(devicesEach + 1) } });
    const { port } = scene.server;
    const names = Array.from({ length: devices / devicesEach }, (_, index) => `person ${index}`);
    const storm = new Storm(names, devicesEach, () => `127.0.0.1:${port}`, jittered);
    onTestFinished(() => storm.end());
    storm.begin();
    const allLive = () => storm.until(() => storm.live === devices);
    await allLive();
    const speaker = await scene.client('speaker');
    const listeners = names.slice(0, 99);
    const talk = await scene.group(speaker, 'Everybody', listeners, [speaker]);
    const allHear = async (text: string): Promise<void> => {
      await speaker.text(talk.id, text);
      await storm.until(() => storm.heard.get(text) === listeners.length * devicesEach);
    };
    await allHear('before');
    const calm = residentBytes(scene.server.pid);

    for (const retry of [jittered, (): number => hostileMs]) {
      storm.retry = retry;
      await scene.server.end('SIGKILL');
      await scene.restart({ port });
      await allLive();
      expect(residentBytes(scene.server.pid)).toBeLessThan(calm * 2);
    }
    await allHear('after');
    expect(storm.refused).toBeGreaterThan(0);
    expect(await scene.violations()).toEqual([]);
  },
);
