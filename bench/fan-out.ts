import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { signToken } from '../tests/tokens.ts';
import { askAlways } from './ask-always.ts';
import { median } from './drive.ts';
import type { BenchOptions } from './options.ts';
import { ask, benchEnvironment, newId, startParley } from './parley.ts';

const messages = 20;
const betweenMs = 500;

const environment = {
  ...benchEnvironment,
  PARLEY_GROUP_MEMBERS: '10000',
  PARLEY_HANDSHAKE_RATE: '1000000',
  PARLEY_SOCKETS_PER_ADDRESS: '1000000',
};

/** Registers everybody, some handshakes at a time, and makes the group of them. */
const makeGroup = async (port: number, members: number): Promise<string> => {
  const names = Array.from({ length: members }, (_, index) => `user ${index}`);
  for (let from = 0; from < members; from += 50) {
    await Promise.all(names.slice(from, from + 50).map((name) => ask(port, signToken(name, 'bench'), null)));
  }
  const others = names.slice(1).map((name) => ({ name }));
  const frame = { type: 'create-group', commandId: newId(), name: 'everybody', members: others };
  const answer = await ask(port, signToken('user 0', 'bench'), frame);
  if (answer.type !== 'accepted') throw new Error(`no group: ${JSON.stringify(answer)}`);
  return answer.conversationId;
};

/**
 * N10: what a message to ten thousand people who are all there costs the others. The event loop is measured from outside,
 * by asking for /livez all the time.
 */
export const benchFanOut = async ({ quick }: BenchOptions): Promise<object> => {
  const members = quick ? 2_000 : 10_000;
  const parley = await startParley({ env: environment });
  try {
    const { port } = parley;
    const conversationId = await makeGroup(port, members);
    const readers = spawn(
      process.execPath,
      [join(import.meta.dirname, 'fan-out-readers.ts'), String(port), String(members)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const exited = once(readers, 'exit');
    try {
      const lines = createInterface({ input: readers.stdout })[Symbol.asyncIterator]();
      const said = async (line: string): Promise<void> => {
        for (;;) {
          const next = await lines.next();
          if (next.done === true) throw new Error('the members have gone');
          if (next.value === line) return;
        }
      };
      await said('open');
      const asking = askAlways(`http://127.0.0.1:${port}/livez`);
      const took: number[] = [];
      for (let count = 0; count < messages; count++) {
        const content = { type: 'text', text: 'word '.repeat(40) };
        const from = performance.now();
        const answer = await ask(port, signToken('user 0', 'bench'), {
          type: 'send',
          messageId: newId(),
          conversationId,
          content,
        });
        if (answer.type !== 'accepted') throw new Error(`not sent: ${JSON.stringify(answer)}`);
        await said(`arrived ${answer.seq}`);
        took.push(performance.now() - from);
        await pause(betweenMs);
      }
      const { p99_ms, longest_ms } = await asking.stop();
      const result = {
        members,
        to_all_p50_ms: Number(median(took).toFixed(1)),
        to_all_longest_ms: Number(Math.max(...took).toFixed(1)),
        loop_p99_ms: p99_ms,
        loop_longest_ms: longest_ms,
      };
      console.table([result]);
      return result;
    } finally {
      readers.kill('SIGKILL');
      await exited;
    }
  } finally {
    await parley.stop();
  }
};
