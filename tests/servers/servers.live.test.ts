import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sayLast } from '../say-last.ts';

const own = [
  { name: 'redis', file: 'redis.ts', start: 'startOwnRedis' },
  { name: 'cassandra', file: 'cassandra.ts', start: 'startOwnCassandra' },
  { name: 'elasticsearch', file: 'elasticsearch.ts', start: 'startOwnElasticsearch' },
];

const starter = (file: string, start: string): string => `
  const { ${start} } = await import(${JSON.stringify(join(import.meta.dirname, file))});
  const server = await ${start}();
  console.log(server?.pid ?? 'none');
  setInterval(() => {}, 1000);
`;

test.for(own)('$name ends with the run that started it, also when that one is killed', async (one, context) => {
  const run = spawn(process.execPath, ['--input-type=module', '--eval', starter(one.file, one.start)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = await new Promise<string>((resolve) => createInterface({ input: run.stdout }).once('line', resolve));
  run.kill('SIGKILL');
  if (pid === 'none') {
    sayLast(`${one.name} is not installed: that the tests leave none behind was not tried.`);
    return context.skip();
  }
  await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
});
