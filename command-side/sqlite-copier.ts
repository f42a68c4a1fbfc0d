import { closeSync, fsyncSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { serveCalls } from './sqlite-worker.ts';

export interface SqliteCopyCalls {
  copy: { ask: { readonly from: string; readonly to: string }; answer: null };
}

serveCalls<SqliteCopyCalls>({
  calls: {
    copy({ from, to }) {
      const file = openSync(to, 'wx', 0o600);
      try {
        const db = new DatabaseSync(from, { readOnly: true, timeout: 5_000 });
        try {
          // One read transaction, so a writer neither waits for it nor makes it begin again, as the backup API would.
          db.prepare('VACUUM INTO ?').run(to);
        } finally {
          db.close();
        }
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      return null;
    },
  },
  transaction: (work) => work(),
  committed: () => undefined,
  survives: () => true,
  close: () => undefined,
});
