import { readFileSync } from 'node:fs';
import { readConfiguration, type Configuration, type Settings } from '../schemas/configuration.ts';

export class ConfigurationUnusable extends Error {
  override readonly name = 'ConfigurationUnusable';
}

/** The configuration of this process, or one error that names everything wrong with it. */
export const loadConfiguration = (
  environment: NodeJS.ProcessEnv,
): { readonly configuration: Configuration; readonly settings: Settings } => {
  const read = readConfiguration(environment, (path) => readFileSync(path, 'utf8'));
  if (!read.ok) throw new ConfigurationUnusable(read.problems.join('; '));
  return read;
};
