import type { UserId } from '../schemas/ids.ts';
import type { Receipts } from './receipts.ts';

/** Raise it whenever the form below or what `evolveReceipts` makes of an event changes. */
export const receiptsCodeVersion = 1;

type Form = readonly (readonly [UserId, delivered: number, read: number])[];

export const receiptsToSnapshot = (receipts: Receipts): string => {
  const form: Form = Array.from(receipts, ([user, { delivered, read }]) => [user, delivered, read]);
  return JSON.stringify(form);
};

/** For a state of `receiptsCodeVersion` whose checksum is right: such a one was made above, as the type says. */
export const receiptsFromSnapshot = (state: string): Receipts =>
  new Map((JSON.parse(state) as Form).map(([user, delivered, read]) => [user, { delivered, read }]));
