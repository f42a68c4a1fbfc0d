import { LogDamaged, LogUnusable } from './event-log.ts';

const codes = { busy: 5, readOnly: 8, ioError: 10, corrupt: 11, full: 13, cannotOpen: 14, notADatabase: 26 } as const;
type SqliteFault = keyof typeof codes;

/** Which of the faults we act on SQLite reports; extended codes carry the fault in their low byte. */
export const sqliteFault = (error: unknown): SqliteFault | undefined => {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  const code = error.errcode & 0xff;
  return (Object.keys(codes) as SqliteFault[]).find((name) => codes[name] === code);
};

export const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));

/** What a person at the terminal needs to know about a file that does not open. */
export const unusable = (file: string, cause: unknown): LogUnusable => {
  if (cause instanceof LogUnusable) return cause;
  const error = asError(cause);
  const say = (what: string): LogUnusable => new LogUnusable(`${file} ${what}`, { cause });
  switch (sqliteFault(cause)) {
    case 'notADatabase':
      return say('is not a SQLite database');
    case 'corrupt':
      return say('is damaged: restore a backup, or ask `parley verify` what is left');
    case 'readOnly':
      return say('cannot be written: the disk or the file is read-only');
    case 'full':
      return say('cannot be opened: the disk is full');
    case 'busy':
      return say('is locked by another program');
    case 'ioError':
    case 'cannotOpen':
    case undefined:
      return error instanceof LogDamaged
        ? say(`is damaged: ${error.message}`)
        : say(`cannot be opened: ${error.message}`);
  }
};

/** What a read met: a damaged file is told from a disk that does not answer. */
export const readFault = (cause: unknown, n: number | undefined): Error => {
  const error = asError(cause);
  if (error instanceof LogDamaged) return error;
  const fault = sqliteFault(error);
  const outOfRange = 'code' in error && error.code === 'ERR_OUT_OF_RANGE';
  if (fault !== 'corrupt' && fault !== 'notADatabase' && !outOfRange) return error;
  return new LogDamaged(error.message, { cause, n });
};
