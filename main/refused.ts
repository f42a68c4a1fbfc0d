import type { Rejection } from '../schemas/errors.ts';

/** An operator asked for something that cannot be done; the table of errors says what it is. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly rejection: Rejection;

  constructor(rejection: Rejection) {
    super(rejection.message);
    this.rejection = rejection;
  }
}
