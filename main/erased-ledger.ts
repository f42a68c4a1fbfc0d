import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import type { AccountsStore } from '../command-side/accounts-store.ts';
import type { Warn } from '../command-side/warn.ts';
import type { KeySubject } from '../schemas/events.ts';
import { conversationId, userId } from '../schemas/ids.ts';
import { writeAtOnce } from './live-version.ts';
import { Refused } from './refused.ts';
import { reject } from '../schemas/errors.ts';

const subject = z.string().transform((text, context): KeySubject => {
  const [kind, id] = text.split(':');
  if (kind === 'user') return `user:${userId.parse(id)}`;
  if (kind === 'conversation') return `conversation:${conversationId.parse(id)}`;
  context.addIssue('names nobody');
  return z.NEVER;
});
const ledger = z.strictObject({ format: z.literal(1), erased: z.array(subject) });
const destinations = z.array(z.string());

const ledgerIn = (directory: string): string => join(directory, 'erased.json');
const destinationsIn = (data: string): string => join(data, 'backup-destinations.json');

/** Who was erased, as it stands beside backups: a restore of an older one must not bring them back. */
export const readErasedLedger = (directory: string): readonly KeySubject[] => {
  const path = ledgerIn(directory);
  if (!existsSync(path)) {
    throw new Refused(reject('invalid', `${path} is missing: without it a restore could bring back who was erased`));
  }
  return ledger.parse(JSON.parse(readFileSync(path, 'utf8'))).erased;
};

export const addToErasedLedger = (directory: string, erased: readonly KeySubject[]): void => {
  const before = existsSync(ledgerIn(directory)) ? readErasedLedger(directory) : [];
  const all = [...new Set([...before, ...erased])].toSorted();
  if (existsSync(ledgerIn(directory)) && all.length === before.length) return;
  writeAtOnce(ledgerIn(directory), `${JSON.stringify({ format: 1, erased: all })}\n`);
};

const readDestinations = (data: string): readonly string[] =>
  existsSync(destinationsIn(data)) ? destinations.parse(JSON.parse(readFileSync(destinationsIn(data), 'utf8'))) : [];

/** Whoever is erased later has to stand in the ledger there too. */
export const rememberDestination = (data: string, directory: string): void => {
  const known = readDestinations(data);
  const path = resolve(directory);
  if (!known.includes(path)) writeAtOnce(destinationsIn(data), `${JSON.stringify([...known, path])}\n`);
};

/** Brings the ledger beside every backup up to date. A place that is away gets it at the next erasure, backup or start. */
export const spreadErasedLedger = async (data: string, accounts: AccountsStore, warn: Warn): Promise<void> => {
  const erased = await accounts.destroyed();
  for (const directory of readDestinations(data)) {
    try {
      addToErasedLedger(directory, erased);
    } catch (error) {
      warn({ err: error, directory }, 'the ledger of erased users beside the backups could not be written');
    }
  }
};
