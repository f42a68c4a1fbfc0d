import { z } from 'zod';
import { firstIssue } from './parse.ts';
import { logPlace, logUrl, type LogPlace } from './log-place.ts';
import { regionName } from './servers.ts';
import { searchPlace, searchUrl, type SearchPlace } from './search-place.ts';
import { storePlace, storeUrl, type StorePlace } from './store-place.ts';
import { defaultLimits, type AdmissionLimits, type Limits } from './limits.ts';

const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^[0-9]{1,9}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(min).max(max));

const origin = z
  .string()
  .regex(/^https?:\/\/[^/?#\s]+$/, 'must be origins such as https://chat.example, with commas between');

const address = z
  .string()
  .regex(/^https?:\/\/[^/?#\s@]+$/, 'must be addresses such as http://10.0.0.7:8080, with commas between')
  .refine((url) => URL.canParse(url), 'must be addresses');

const addresses = z
  .string()
  .transform((list) => list.split(',').map((item) => item.trim()))
  .pipe(z.array(address));

const memory = 'memory:';
/** Nothing behind the database: what a client library would read there is not the operator's to set. */
const bus = z
  .string()
  .regex(
    /^(memory:|rediss?:\/\/([^\s/?#@]*@)?[^\s/?#@:]+(:[0-9]{1,5})?(\/[0-9]{1,4})?)$/,
    'must be memory: or redis://USER:PASSWORD@HOST:PORT/DATABASE, with rediss for TLS',
  )
  .refine((url) => url === memory || URL.canParse(url), 'must be an address');

const addressRange = z.union(
  [z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()],
  'must be addresses or ranges such as 10.0.0.0/8, with commas between',
);

/** Everything an operator can set: one environment variable each, with what it is unless set. */
const settings = {
  PARLEY_HOST: z.string().default('127.0.0.1'),
  /** 0: the system picks one; the address is printed. */
  PARLEY_PORT: integer(0, 65_535).default(8080),
  PARLEY_DATA: z.string().default('./data'),
  /** Where the event log is; with the data, unless set. */
  PARLEY_EVENT_LOG: logUrl.optional(),
  /** Where keys are kept; with the data, unless set. */
  PARLEY_ACCOUNTS: storeUrl.optional(),
  /** Where the read models are; beside the data, unless set. */
  PARLEY_INBOX: storeUrl.optional(),
  PARLEY_SEARCH: searchUrl.optional(),
  /** Where presence is kept, and over which processes tell each other what to deliver. */
  PARLEY_BUS: bus.default(memory),
  /** What a realtime process does: works out who receives what, holds the sockets, or both. */
  PARLEY_REALTIME: z.enum(['router', 'gateway', 'both']).default('both'),
  /** Where services that take commands from clients find those that carry them out. */
  PARLEY_COMMAND_SIDES: addresses.default([]),
  /** Where gateways ask for what they missed. */
  PARLEY_ROUTERS: addresses.default([]),
  /** Where clients reach this process, said to those who look for a server; unless set, where it listens. */
  PARLEY_PUBLIC_URL: address.optional(),
  /** Of this process, so that clients are sent to one that is near. */
  PARLEY_REGION: regionName.optional(),
  /** Signs and checks tokens (HS256). Without it and without a key set, one is made beside the data. */
  PARLEY_TOKEN_SECRET: z.string().min(32, 'must have at least 32 characters').optional(),
  /** The operator's key set as JSON: a file, or an https address. */
  PARLEY_TOKEN_JWKS: z.string().optional(),
  PARLEY_TOKEN_ISSUER: z.string().max(500).default('parley'),
  /** Opens /metrics to who does not call from this machine. */
  PARLEY_INTERNAL_TOKEN: z.string().min(32, 'must have at least 32 characters').optional(),
  PARLEY_ALLOWED_ORIGINS: z
    .string()
    .transform((list) => list.split(',').map((item) => item.trim()))
    .pipe(z.array(origin))
    .default([]),
  /** The newest events of the log, kept in memory: who was away for less is served from there. */
  PARLEY_RECENT_EVENTS: integer(16, 1_000_000).default(16_384),
  PARLEY_TEXT_CHARACTERS: integer(1, 100_000).default(defaultLimits.textCharacters),
  PARLEY_GROUP_MEMBERS: integer(2, 10_000).default(defaultLimits.groupMembers),
  PARLEY_RECEIPTS_MEMBERS: integer(2, 10_000).default(defaultLimits.receiptsMembers),
  PARLEY_PRESENCE_MEMBERS: integer(2, 10_000).default(defaultLimits.presenceMembers),
  /** Seconds between two pings of a connection, and without a sign of life after which its device is gone. */
  PARLEY_PRESENCE_HEARTBEAT: integer(1, 3_600).default(30),
  PARLEY_PRESENCE_OFFLINE_AFTER: integer(2, 7_200).default(60),
  /** Connections of one user: more devices than anybody has, each with a socket that is lost and not missed yet. */
  PARLEY_SOCKETS_PER_USER: integer(1, 1_000_000).default(50),
  PARLEY_SOCKETS_PER_ADDRESS: integer(1, 1_000_000).default(1_000),
  PARLEY_HANDSHAKE_BURST: integer(1, 1_000_000).default(2_000),
  PARLEY_HANDSHAKE_RATE: integer(1, 1_000_000).default(500),
  /** Proxies that are believed about the address of who connects through them. */
  PARLEY_TRUSTED_PROXIES: z
    .string()
    .transform((list) => list.split(',').map((item) => item.trim()))
    .pipe(z.array(addressRange))
    .default([]),
  PARLEY_SEND_BURST: integer(1, 1_000_000).default(defaultLimits.sendBurst),
  PARLEY_SEND_RATE: integer(1, 1_000_000).default(defaultLimits.sendsPerSecond),
  PARLEY_MARK_BURST: integer(1, 1_000_000).default(defaultLimits.markBurst),
  PARLEY_MARK_RATE: integer(1, 1_000_000).default(defaultLimits.marksPerSecond),
  PARLEY_READ_BURST: integer(1, 1_000_000).default(defaultLimits.readBurst),
  PARLEY_READ_RATE: integer(1, 1_000_000).default(defaultLimits.readsPerSecond),
} as const;
export type SettingName = keyof typeof settings;
export const settingNames = Object.keys(settings) as readonly SettingName[];

const isSetting = (name: string): name is SettingName => Object.hasOwn(settings, name);
/** Never printed. */
const secrets: ReadonlySet<string> = new Set<SettingName>(['PARLEY_TOKEN_SECRET', 'PARLEY_INTERNAL_TOKEN']);
/** Also taken from the file that `<name>_FILE` names. */
const fromFiles: ReadonlySet<string> = new Set<string>([
  ...secrets,
  ...(['PARLEY_EVENT_LOG', 'PARLEY_ACCOUNTS', 'PARLEY_BUS', 'PARLEY_INBOX', 'PARLEY_SEARCH'] satisfies SettingName[]),
]);
const file = '_FILE';

const schema = z.object(settings);
export type Settings = z.infer<typeof schema>;

export interface Configuration {
  readonly host: string;
  readonly port: number;
  readonly data: string;
  readonly log: LogPlace;
  readonly accounts: StorePlace;
  /** On the cluster of the inbox, or beside the data. */
  readonly snapshots: StorePlace;
  /** In a directory of read models, with all versions of them, or on a cluster. */
  readonly inbox: StorePlace;
  readonly search: SearchPlace;
  /** `memory:`, or the URL of a Redis. */
  readonly bus: string;
  readonly realtime: 'router' | 'gateway' | 'both';
  readonly commandSides: readonly string[];
  readonly routers: readonly string[];
  readonly publicUrl: string | undefined;
  readonly region: string | undefined;
  readonly tokens: {
    readonly issuer: string;
    readonly secret: string | undefined;
    /** The file, or the address, of the operator's key set. */
    readonly jwks: string | undefined;
  };
  /** Shared by services and whoever watches them. */
  readonly internalToken: string | undefined;
  readonly allowedOrigins: ReadonlySet<string>;
  readonly recentEvents: number;
  readonly presence: PresenceTimes;
  readonly admission: AdmissionLimits;
  readonly trustedProxies: readonly string[];
  readonly limits: Limits;
}

export interface PresenceTimes {
  readonly heartbeatSeconds: number;
  readonly offlineAfterSeconds: number;
}

export type ReadConfiguration =
  | { readonly ok: true; readonly configuration: Configuration; readonly settings: Settings }
  | { readonly ok: false; readonly problems: readonly string[] };

type Environment = Readonly<Record<string, string | undefined>>;

/** The whole environment, or everything that is wrong with it. `readFile` throws for what it cannot read. */
export const readConfiguration = (environment: Environment, readFile: (path: string) => string): ReadConfiguration => {
  const problems: string[] = [];
  const given: Partial<Record<SettingName, string>> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith('PARLEY_') || name.startsWith('PARLEY_TEST_') || value === undefined || value === '') continue;
    const plain = name.endsWith(file) ? name.slice(0, -file.length) : name;
    if (!isSetting(plain) || (plain !== name && !fromFiles.has(plain)))
      problems.push(`${name}: there is no such setting`);
    else if (given[plain] !== undefined) problems.push(`${plain}: set it or ${plain}${file}, not both`);
    else if (plain === name) given[plain] = value;
    else {
      try {
        given[plain] = readFile(value).trim();
      } catch (error) {
        problems.push(`${name}: ${error instanceof Error ? error.message : 'cannot be read'}`);
      }
    }
  }
  problems.push(...contradictions(given));
  const parsed = schema.safeParse(given);
  if (!parsed.success) problems.push(...parsed.error.issues.map((issue) => firstIssue(new z.ZodError([issue]))));
  if (problems.length > 0 || !parsed.success) return { ok: false, problems };
  return { ok: true, configuration: configurationOf(parsed.data), settings: parsed.data };
};

const contradictions = (given: Partial<Record<SettingName, string>>): readonly string[] => {
  const { PARLEY_TOKEN_SECRET: secret, PARLEY_TOKEN_JWKS: jwks, PARLEY_HOST: host } = given;
  const found: string[] = [];
  if (secret !== undefined && jwks !== undefined)
    found.push('PARLEY_TOKEN_SECRET: set it or PARLEY_TOKEN_JWKS, not both');
  if (jwks !== undefined && given.PARLEY_TOKEN_ISSUER === undefined) {
    found.push('PARLEY_TOKEN_ISSUER: must name the issuer of the keys in PARLEY_TOKEN_JWKS');
  }
  if (host !== undefined && !isLoopback(host) && secret === undefined && jwks === undefined) {
    found.push(
      `PARLEY_HOST: on ${host} others can connect, so PARLEY_TOKEN_SECRET or PARLEY_TOKEN_JWKS must be set: ` +
        'the secret made beside the data is for development',
    );
  }
  if (Number(given.PARLEY_PRESENCE_HEARTBEAT ?? 30) >= Number(given.PARLEY_PRESENCE_OFFLINE_AFTER ?? 60)) {
    found.push('PARLEY_PRESENCE_OFFLINE_AFTER: must be more than PARLEY_PRESENCE_HEARTBEAT, or nobody stays online');
  }
  return found;
};

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$/.test(host);

const viewsIn = ({ PARLEY_DATA: data }: Settings) => ({ in: 'sqlite', directory: `${data}/views` }) as const;

const searchIn = (from: Settings): SearchPlace =>
  from.PARLEY_SEARCH === undefined ? viewsIn(from) : searchPlace.parse(from.PARLEY_SEARCH);

/** Files beside the data, unless it was set. */
const placeOf = (url: string | undefined, { PARLEY_DATA: directory }: Settings): StorePlace =>
  url === undefined ? { in: 'sqlite', directory } : storePlace.parse(url);

/** Snapshots in files are no part of the inbox: they lie with the data wherever it lies. */
const snapshotsOf = (from: Settings): StorePlace => {
  const inbox = placeOf(from.PARLEY_INBOX, from);
  return inbox.in === 'sqlite' ? { in: 'sqlite', directory: from.PARLEY_DATA } : inbox;
};

const configurationOf = (from: Settings): Configuration => ({
  host: from.PARLEY_HOST,
  port: from.PARLEY_PORT,
  data: from.PARLEY_DATA,
  log:
    from.PARLEY_EVENT_LOG === undefined
      ? { in: 'sqlite', directory: from.PARLEY_DATA }
      : logPlace.parse(from.PARLEY_EVENT_LOG),
  accounts: placeOf(from.PARLEY_ACCOUNTS, from),
  snapshots: snapshotsOf(from),
  inbox: from.PARLEY_INBOX === undefined ? viewsIn(from) : storePlace.parse(from.PARLEY_INBOX),
  search: searchIn(from),
  bus: from.PARLEY_BUS,
  realtime: from.PARLEY_REALTIME,
  commandSides: from.PARLEY_COMMAND_SIDES,
  routers: from.PARLEY_ROUTERS,
  publicUrl: from.PARLEY_PUBLIC_URL,
  region: from.PARLEY_REGION,
  tokens: {
    issuer: from.PARLEY_TOKEN_ISSUER,
    secret: from.PARLEY_TOKEN_SECRET,
    jwks: from.PARLEY_TOKEN_JWKS,
  },
  internalToken: from.PARLEY_INTERNAL_TOKEN,
  allowedOrigins: new Set(from.PARLEY_ALLOWED_ORIGINS),
  recentEvents: from.PARLEY_RECENT_EVENTS,
  admission: {
    socketsPerUser: from.PARLEY_SOCKETS_PER_USER,
    socketsPerAddress: from.PARLEY_SOCKETS_PER_ADDRESS,
    handshakeBurst: from.PARLEY_HANDSHAKE_BURST,
    handshakesPerSecond: from.PARLEY_HANDSHAKE_RATE,
  },
  trustedProxies: from.PARLEY_TRUSTED_PROXIES,
  presence: {
    heartbeatSeconds: from.PARLEY_PRESENCE_HEARTBEAT,
    offlineAfterSeconds: from.PARLEY_PRESENCE_OFFLINE_AFTER,
  },
  limits: {
    textCharacters: from.PARLEY_TEXT_CHARACTERS,
    groupMembers: from.PARLEY_GROUP_MEMBERS,
    receiptsMembers: from.PARLEY_RECEIPTS_MEMBERS,
    presenceMembers: from.PARLEY_PRESENCE_MEMBERS,
    markBurst: from.PARLEY_MARK_BURST,
    marksPerSecond: from.PARLEY_MARK_RATE,
    readBurst: from.PARLEY_READ_BURST,
    readsPerSecond: from.PARLEY_READ_RATE,
    sendBurst: from.PARLEY_SEND_BURST,
    sendsPerSecond: from.PARLEY_SEND_RATE,
  },
});

const printed = (name: string, value: unknown): string =>
  secrets.has(name) ? '(set)' : String(value).replace(/\/\/[^/@]*@/, '//(set)@');

/** As lines of an environment, without secrets. */
export const printSettings = (given: Settings): string =>
  Object.entries(given)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${printed(name, value)}`)
    .join('\n');
