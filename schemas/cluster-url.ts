import { z } from 'zod';

/** A Cassandra cluster, and the keyspace of it that is ours. */
export interface ClusterUrl {
  /** Each with its port, where the URL names one. */
  readonly hosts: readonly string[];
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  readonly keyspace: string;
  /** The data center next to us: what is written and read is on a quorum of its replicas. */
  readonly dataCenter: string;
  /** Replicas a row has there, once `parley migrate` has made the keyspace. */
  readonly replicas: number;
}

const usualReplicas = '3';

const user = String.raw`(?:(?<username>[^\s/?#@:]+):(?<password>[^\s/?#@:]+)@)?`;
const host = String.raw`(?:[A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?`;
const pattern = new RegExp(
  String.raw`^cassandra://${user}(?<hosts>${host}(?:,${host})*)/(?<keyspace>[a-z][a-z0-9_]{0,47})\?(?<parameters>[^#\s]+)$`,
);

export const clusterUrlShape = 'cassandra://USER:PASSWORD@HOST:PORT,HOST/KEYSPACE?dc=DATA_CENTER&rf=REPLICAS';

const parameters = z.strictObject({
  dc: z.string().regex(/^[A-Za-z0-9._-]{1,100}$/),
  rf: z
    .string()
    .regex(/^[1-9]$/)
    .default(usualReplicas)
    .transform(Number),
});

/** Nothing behind the keyspace but these two, each once: what a driver might read there is not the operator's to set. */
const parametersIn = (text: string): unknown => {
  const given = new URLSearchParams(text);
  return given.size === new Set(given.keys()).size ? Object.fromEntries(given) : undefined;
};

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
};

/** Where it names a port, that is one. */
const hasPort = (address: string): boolean => Number(/:(\d+)$/.exec(address)?.[1] ?? 0) <= 65_535;

export const clusterUrl = z.string().transform((text, context): ClusterUrl => {
  const groups = pattern.exec(text)?.groups ?? {};
  const { hosts = '', keyspace = '' } = groups;
  const named = parameters.safeParse(parametersIn(groups['parameters'] ?? ''));
  const [username, password] = [groups['username'], groups['password']].map((part) => part && decoded(part));
  const isWhole = groups['username'] === undefined || (username !== undefined && password !== undefined);
  if (hosts === '' || !named.success || !isWhole || !hosts.split(',').every(hasPort)) {
    context.addIssue(`must be ${clusterUrlShape}`);
    return z.NEVER;
  }
  return {
    hosts: hosts.split(','),
    credentials: username === undefined || password === undefined ? undefined : { username, password },
    keyspace,
    dataCenter: named.data.dc,
    replicas: named.data.rf,
  };
});
