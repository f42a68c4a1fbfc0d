import { appendFileSync } from 'node:fs';

/** The variable through which the reporter tells every test worker and child process where notes go. */
export const notesVariable = 'PARLEY_TEST_NOTES';

/**
 * Has `text` printed at the very end of the run, just before the final count. For what a reader of the result must know:
 * a fault test that cannot run on this machine, an adapter that was not verified. Works anywhere, also at the top of a test
 * file, where a decision to skip is taken and no test is running yet; saying the same twice prints it once.
 */
export const sayLast = (text: string): void => {
  const file = process.env[notesVariable];
  if (file === undefined) console.warn(text);
  else appendFileSync(file, `${JSON.stringify(text)}\n`);
};
