import type { ClusterUrl } from '../schemas/cluster-url.ts';
import type { Configuration, SettingName } from '../schemas/configuration.ts';
import type { SearchPlace } from '../schemas/search-place.ts';
import { ConfigurationUnusable } from './load-configuration.ts';

/** A service of its own shares all it holds with the others: files of its machine will not do. */
export interface Shared {
  readonly inboxOn: ClusterUrl;
  readonly internalToken: string;
}

const need = (problems: readonly (readonly [SettingName, string] | false)[]): void => {
  const said = problems.filter((problem) => problem !== false);
  if (said.length > 0) throw new ConfigurationUnusable(said.map(([name, what]) => `${name}: ${what}`).join('; '));
};

/** Of every service. Throws `ConfigurationUnusable` with everything that is wrong. */
export const requireShared = ({ log, accounts, inbox, tokens, internalToken }: Configuration): Shared => {
  const apart = 'services that run apart need one on a server';
  need([
    log.in === 'sqlite' && ['PARLEY_EVENT_LOG', `is in files; ${apart}`],
    accounts.in === 'sqlite' && ['PARLEY_ACCOUNTS', `are in files; ${apart}`],
    inbox.in === 'sqlite' && ['PARLEY_INBOX', `is in files; ${apart}`],
    internalToken === undefined && ['PARLEY_INTERNAL_TOKEN', 'must be set: services know each other by it'],
    tokens.secret === undefined &&
      tokens.jwks === undefined && [
        'PARLEY_TOKEN_SECRET',
        'must be set, or PARLEY_TOKEN_JWKS: all services check tokens',
      ],
  ]);
  if (inbox.in !== 'cassandra' || internalToken === undefined) throw new Error('that was checked above');
  return { inboxOn: inbox.cluster, internalToken };
};

export const requireSearch = ({ search }: Configuration): SearchPlace & { readonly in: 'elasticsearch' } => {
  if (search.in === 'elasticsearch') return search;
  throw new ConfigurationUnusable('PARLEY_SEARCH: is in files; services that run apart need one on a server');
};

export const requireCommandSides = ({ commandSides }: Configuration): readonly string[] => {
  need([commandSides.length === 0 && ['PARLEY_COMMAND_SIDES', 'must name the command sides']]);
  return commandSides;
};

export const requireBus = ({ bus }: Configuration): string => {
  need([bus === 'memory:' && ['PARLEY_BUS', 'is the memory of one process; services that run apart need a Redis']]);
  return bus;
};

export const requireRouters = ({ routers }: Configuration): readonly string[] => {
  need([routers.length === 0 && ['PARLEY_ROUTERS', 'must name the routers: a gateway asks them for what it missed']]);
  return routers;
};
