import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { LogPosition } from '../schemas/position.ts';

/** Stores what an event was copied from, in the transaction that stores the event. Only the file of a copy has the tables. */
export const copiedEvents = (database: DatabaseSync): ((n: number, from: LogPosition) => void) => {
  let statements: { readonly log: StatementSync; readonly event: StatementSync } | undefined;
  return (n, from) => {
    statements ??= {
      log: database.prepare('INSERT OR IGNORE INTO copied_log (id) VALUES (?)'),
      event: database.prepare('INSERT INTO copied SELECT ?, no, ? FROM copied_log WHERE id = ?'),
    };
    const id = Buffer.from(from.log, 'base64url');
    statements.log.run(id);
    statements.event.run(n, from.n, id);
  };
};
