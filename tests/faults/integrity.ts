import { openSync, readdirSync, readSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const magic = 'SQLite format 3\0';

const isDatabase = (file: string): boolean => {
  const handle = openSync(file, 'r');
  try {
    const head = Buffer.alloc(magic.length);
    readSync(handle, head, 0, magic.length, 0);
    return head.toString('latin1') === magic;
  } finally {
    closeSync(handle);
  }
};

/** What SQLite's own check finds wrong in any database of a folder; at least one must be there. */
export const integrityProblems = (folder: string): string[] => {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter(isDatabase);
  if (files.length === 0) return [`${folder} holds no database`];
  return files.flatMap((file) => {
    const database = new DatabaseSync(file, { readOnly: true });
    try {
      return database
        .prepare('PRAGMA integrity_check')
        .all()
        .map((row) => `${file}: ${String(row['integrity_check'])}`)
        .filter((line) => !line.endsWith(': ok'));
    } finally {
      database.close();
    }
  });
};
