import { printConfiguration } from './config.ts';
import { printToken } from './token.ts';
import { UsageError } from './usage-error.ts';
import { verify } from './verify.ts';

const usage = `usage:
  parley token USER [--device D] [--expires 30d]   prints a token for a user of the server in this folder
  parley verify                                    checks every event of the log; exit code 1 if anything is wrong
  parley config print                              prints the settings, without secrets

Settings are environment variables; PARLEY_DATA (./data) is where the data lie.
`;

/** A command gets its own words and answers with the exit code. */
const commands: Readonly<Record<string, (words: readonly string[]) => Promise<number>>> = {
  token: printToken,
  verify,
  config: printConfiguration,
};

const run = async ([word = '', ...words]: readonly string[]): Promise<number> => {
  if (['help', '--help', '-h'].includes(word)) {
    process.stdout.write(usage);
    return 0;
  }
  const command = Object.hasOwn(commands, word) ? commands[word] : undefined;
  if (command === undefined) throw new UsageError(word === '' ? 'a command is needed' : `there is no command ${word}`);
  return command(words);
};

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`parley: ${error instanceof Error ? error.message : String(error)}\n`);
  if (error instanceof UsageError) process.stderr.write(usage);
  process.exitCode = 2;
}
