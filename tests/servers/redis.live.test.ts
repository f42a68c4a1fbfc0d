import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sayLast } from '../say-last.ts';

const starter = `
  const { startOwnRedis } = await import(${JSON.stringify(join(import.meta.dirname, 'redis.ts'))});
  const redis = await startOwnRedis();
  console.log(redis?.pid ?? 'none');
  setInterval(() => {}, 1000);
`;

test('a server of the tests ends with the run that started it, also when that one is killed', async (context) => {
  const run = spawn(process.execPath, ['--input-type=module', '--eval', starter], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = await new Promise<string>((resolve) => createInterface({ input: run.stdout }).once('line', resolve));
  run.kill('SIGKILL');
  if (pid === 'none') {
    sayLast('redis-server is not installed: that the tests leave none behind was not tried.');
    return context.skip();
  }
  await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
});
