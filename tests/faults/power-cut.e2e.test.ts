import { cpSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { check } from '../checker.ts';
import { readLog } from '../read-log.ts';
import { after as reapAfter } from '../reaper-client.ts';
import { Scene } from '../scene.ts';
import { seeded, seedFor, soaking, type Random } from '../seed.ts';
import { temporaryFolder } from '../server-process.ts';
import { crowd, smallCrowd } from './crowd.ts';
import { canMountImages, makeImage, mountImage, run, unmount } from './tools.ts';

const cuts = soaking ? 200 : 10;
const available = canMountImages('D2');
const sources = join(import.meta.dirname, '../..');

/** A mounted image that goes with the test. */
const mounted = async (folder: string, name: string, make: (file: string) => void) => {
  const [file, at] = [join(folder, `${name}.img`), join(folder, name)];
  make(file);
  mkdirSync(at, { recursive: true });
  mountImage(file, at);
  const reaped = reapAfter({ unmount: at });
  let there = true;
  const gone = async (): Promise<void> => {
    if (!there) return;
    there = false;
    unmount(at);
    await reaped.stop();
  };
  return { file, at, gone };
};

/**
 * Runs a crowd on an image. A cut is a copy of the image file taken while the server stands still: what was not forced
 * to the disk is not in it. Says what the acknowledged history and the log of the copy disagree on.
 */
const violationsAfterCuts = async (random: Random, root: string): Promise<string[]> => {
  const folder = await temporaryFolder('power-cut');
  const disk = await mounted(folder.path, 'disk', makeImage);
  onTestFinished(async () => {
    await disk.gone();
    await folder.stop();
  });
  const found: string[] = [];
  const scene = await Scene.open({ data: join(disk.at, 'data'), root });
  const load = await crowd(scene, random, smallCrowd);
  for (let cut = 0; cut < cuts; cut++) {
    await load.answers(load.answered + random.between(20, 200));
    await after(random.between(0, 30));
    const before = scene.recorder.history.length;
    scene.server.kill('SIGSTOP');
    const copy = await mounted(folder.path, `cut ${cut}`, (file) => {
      run('cp', '--sparse=always', disk.file, file);
      scene.server.kill('SIGCONT');
    });
    try {
      const log = await readLog(join(copy.at, 'data'));
      const violations = check(scene.recorder.history.slice(0, before), log);
      found.push(...violations.map(({ promise, says }) => `cut ${cut}: ${promise}: ${says}`));
    } finally {
      await copy.gone();
      run('rm', copy.file);
    }
  }
  await load.stop();
  await scene.settle();
  found.push(...(await scene.violations()));
  return found;
};

/** The sources with every database a little less careful. */
const carelessSources = (folder: string): string => {
  let changed = 0;
  for (const part of [
    'schemas',
    'domain',
    'event-log',
    'command-side',
    'projections',
    'query-api',
    'realtime',
    'main',
  ]) {
    cpSync(join(sources, part), join(folder, part), { recursive: true });
    for (const name of readdirSync(join(folder, part), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue;
      const file = join(folder, part, name);
      const code = readFileSync(file, 'utf8');
      const careless = code.replaceAll(/synchronous = FULL/gi, 'synchronous = NORMAL');
      if (careless !== code) changed++;
      writeFileSync(file, careless);
    }
  }
  cpSync(join(sources, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(sources, 'node_modules'), join(folder, 'node_modules'));
  if (changed === 0) throw new Error('nothing sets synchronous = FULL any more');
  return folder;
};

test.skipIf(!available)(
  `D2: ${cuts} power cuts lose nothing that was acknowledged`,
  { timeout: cuts * 20_000 },
  async () => {
    expect(await violationsAfterCuts(seeded(seedFor('D2')), sources)).toEqual([]);
  },
);

test.skipIf(!available)(
  'D2: the same with synchronous = NORMAL loses, so the cuts bite',
  { timeout: cuts * 20_000 },
  async () => {
    const folder = await temporaryFolder('careless');
    onTestFinished(() => folder.stop());
    const found = await violationsAfterCuts(seeded(seedFor('D2')), carelessSources(folder.path));
    expect(found.join('\n')).toMatch(/I1: .* was acknowledged and is not in the log/);
  },
);
