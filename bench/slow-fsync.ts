import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { temporaryFolder } from '../tests/server-process.ts';
import { strace } from '../tests/faults/tools.ts';
import { askAlways } from './ask-always.ts';
import { drive } from './drive.ts';
import type { BenchOptions } from './options.ts';
import { openPairs, startParley } from './parley.ts';

/**
 * D5: every fsync of the log takes 200 ms longer; 64 senders with 8 sends under way each. The event loop is measured from
 * outside, by asking for /livez all the time.
 */
export const benchSlowFsync = async ({ quick }: BenchOptions): Promise<object> => {
  if (spawnSync('strace', ['-V']).error !== undefined) throw new Error('strace is not installed');
  const folder = await temporaryFolder('slow-fsync');
  const data = join(folder.path, 'data');
  const files = ['log.sqlite', 'log.sqlite-wal'].map((name) => join(data, name));
  const prefix = strace({
    inject: 'fsync,fdatasync:delay_exit=200000',
    files,
    trace: join(folder.path, 'trace'),
  });
  const parley = await startParley({ data, prefix });
  try {
    const clients = await openPairs(parley.port, 64);
    const asking = askAlways(`http://127.0.0.1:${parley.port}/livez`);
    const run = await drive({
      protocol: 'parley',
      port: parley.port,
      clients,
      load: { window: 8 },
      warmUpSeconds: 2,
      seconds: quick ? 5 : 60,
    });
    const loop = await asking.stop();
    const result = {
      accepted_per_s: run.accepted_per_s,
      p50_ms: run.p50_ms,
      p99_ms: run.p99_ms,
      lost: run.lost,
      event_loop_p99_ms: loop.p99_ms,
    };
    console.table([result]);
    return result;
  } finally {
    await parley.stop();
    await folder.stop();
  }
};
