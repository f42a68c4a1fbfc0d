import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { settingNames } from '../schemas/configuration.ts';
import { metrics } from '../schemas/metrics.ts';
import { ServerProcess, temporaryFolder } from './server-process.ts';
import { tokenSecret } from './tokens.ts';
import { WireClient } from './wire-client.ts';

const root = join(import.meta.dirname, '..');
const page = readFileSync(join(root, 'docs/operations.md'), 'utf8');
/** All its commands as one script that stops at the first that fails, and says each before it runs. */
const script = ['set -eu', ...[...page.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block ?? '')].join('\n');

const stack = new AsyncDisposableStack();
let folder: string;
beforeAll(async () => {
  const made = await temporaryFolder('operations');
  stack.defer(() => made.stop());
  folder = made.path;
});
afterAll(() => stack.disposeAsync());

test('O11: every command of the page of operations does what it says, beside a running server', async () => {
  const data = join(folder, 'data');
  const server = await ServerProcess.start({ data, env: { PARLEY_TOKEN_SECRET: tokenSecret } });
  stack.defer(async () => {
    await server.end();
  });
  const ada = await WireClient.live(server.port, 'ada');
  await WireClient.live(server.port, 'bob');
  const { conversationId } = await ada.ask({ type: 'start-direct', with: { name: 'bob' } });
  ada.text(conversationId, 'hello');
  await ada.next('accepted', ({ seq }) => seq === 1);

  const env = {
    PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
    HOME: folder,
    PARLEY_DATA: data,
    BACKUPS: join(folder, 'backups'),
    RESTORED: join(folder, 'restored'),
  };
  const ran = await new Promise<{ code: number | null; out: string }>((resolve) => {
    const child = execFile('sh', ['-c', script], { cwd: root, env }, (_error, out, err) =>
      resolve({ code: child.exitCode, out: `${out}${err}` }),
    );
  });
  expect(ran.out).toContain('is erased');
  expect(ran.out).toContain('in a new epoch');
  expect(ran.code).toBe(0);
  expect((await ada.ended).code).toBe(4401);

  const backedUpAt = /^parley_backup_last_success_timestamp_seconds (\d+)$/m;
  const age = async ({ port }: ServerProcess): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return Date.now() / 1_000 - Number(backedUpAt.exec(text)?.[1]);
  };
  expect(await age(server)).toBeLessThan(600);
  await server.end('SIGTERM');
  const again = await ServerProcess.start({ data, env: { PARLEY_TOKEN_SECRET: tokenSecret } });
  stack.defer(async () => {
    await again.end();
  });
  await expect.poll(() => age(again)).toBeLessThan(600);
});

test('O2: the page of operations names every metric', () => {
  for (const name of Object.keys(metrics)) expect(page).toContain(`\`${name}`);
});

test('O8: the page of operations names every setting', () => {
  for (const name of settingNames) expect(page).toContain(`\`${name}\``);
});
