import { backUp } from './backup.ts';
import { chat } from './chat.ts';
import { printConfiguration } from './config.ts';
import { copyAccounts } from './copy-accounts.ts';
import { copyLog } from './copy-log.ts';
import { erase } from './erase.ts';
import { migrate } from './migrate.ts';
import { park } from './park.ts';
import { rebuild } from './rebuild.ts';
import { restore } from './restore.ts';
import { restored } from './restored.ts';
import { printToken } from './token.ts';
import { unseal } from './unseal.ts';
import { UsageError } from './usage-error.ts';
import { verify } from './verify.ts';

const usage = `usage:
  parley token USER [--device D] [--expires 30d]   prints a token for a user of the server in this folder
  parley chat USER [--with NAME] [--device D] [--url URL] [--store FILE] [--token T]
                                                   a chat in the terminal; in a pipe, a line is a message
  parley verify                                    checks every event of the log, and that keys, inbox and search
                                                   are what the log says; exit code 1 if anything is wrong
  parley erase USER [--issuer I] [--id] --yes      destroys what a user wrote, for ever; --id: USER is an id
  parley rebuild inbox|search                      builds it anew beside the one in use, compares the two and switches
  parley rebuild inbox|search --status|--switch|--back|--drop
                                                   says how far; switches whatever the comparison said; switches back;
                                                   removes the version that is not in use
  parley park list                                 streams that a read model cannot project
  parley park retry inbox|search STREAM            folds such a stream anew
  parley backup DIR                                copies log and keys into a new folder of DIR, also of a running server
  parley restore DIR --data NEW [--backup NAME]    makes a new data folder from the newest backup in DIR
  parley restored                                  begins a new epoch of a log that its server's own tools brought back
                                                   from an older copy, before a server of ours runs on it again
  parley copy-accounts --from sqlite:DIR --to URL  seals the accounts of a server that was stopped, and copies keys, and whose
                                                   were destroyed, to sqlite:DIR or cassandra://…; before its log
  parley copy-log --from sqlite:DIR --to URL       seals the log of a server that was stopped and copies it to sqlite:DIR
                                                   or esdb://…, where it goes on; cut short, the same command goes on
  parley unseal DIR                                gives a copy up that is not finished
  parley migrate                                   makes the tables on the clusters that are set, or brings them up to date
  parley config print                              prints the settings, without secrets

Settings are environment variables; PARLEY_DATA (./data) is where the data lie.
`;

/** A command gets its own words and answers with the exit code. */
const commands: Readonly<Record<string, (words: readonly string[]) => Promise<number>>> = {
  token: printToken,
  chat,
  verify,
  erase,
  rebuild,
  park,
  backup: backUp,
  restore,
  restored,
  migrate,
  'copy-accounts': copyAccounts,
  'copy-log': copyLog,
  unseal,
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
