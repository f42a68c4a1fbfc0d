import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import type { AccountsStore } from '../command-side/accounts-store.ts';
import type { Warn } from '../command-side/warn.ts';
import { reject } from '../schemas/errors.ts';
import type { KeySubject } from '../schemas/events.ts';
import { conversationId, userId } from '../schemas/ids.ts';
import { Refused } from './refused.ts';
import { orMissing, writeAtOnce } from './write-at-once.ts';

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

const findErasedLedger = async (directory: string): Promise<readonly KeySubject[] | undefined> => {
  const text = await orMissing(readFile(ledgerIn(directory), 'utf8'));
  return text === undefined ? undefined : ledger.parse(JSON.parse(text)).erased;
};

/** Who was erased, as it stands beside backups: a restore of an older one must not bring them back. */
export const readErasedLedger = async (directory: string): Promise<readonly KeySubject[]> => {
  const found = await findErasedLedger(directory);
  if (found !== undefined) return found;
  const why = 'without it a restore could bring back who was erased';
  throw new Refused(reject('invalid', `${ledgerIn(directory)} is missing: ${why}`));
};

export const addToErasedLedger = async (directory: string, erased: readonly KeySubject[]): Promise<void> => {
  const before = await findErasedLedger(directory);
  const all = [...new Set([...(before ?? []), ...erased])].toSorted();
  if (all.length === before?.length) return;
  await writeAtOnce(ledgerIn(directory), `${JSON.stringify({ format: 1, erased: all })}\n`);
};

/** Where backups of this data were put. */
export const readDestinations = async (data: string): Promise<readonly string[]> => {
  const text = await orMissing(readFile(destinationsIn(data), 'utf8'));
  return text === undefined ? [] : destinations.parse(JSON.parse(text));
};

/** Whoever is erased later has to stand in the ledger there too. */
export const rememberDestination = async (data: string, directory: string): Promise<void> => {
  const known = await readDestinations(data);
  const path = resolve(directory);
  if (!known.includes(path)) await writeAtOnce(destinationsIn(data), `${JSON.stringify([...known, path])}\n`);
};

/** Brings the ledger beside every backup up to date. A place that is away gets it at the next erasure, backup or start. */
export const spreadErasedLedger = async (data: string, accounts: AccountsStore, warn: Warn): Promise<void> => {
  const erased = await accounts.destroyed();
  for (const directory of await readDestinations(data)) {
    try {
      await addToErasedLedger(directory, erased);
    } catch (error) {
      warn({ err: error, directory }, 'the ledger of erased users beside the backups could not be written');
    }
  }
};
