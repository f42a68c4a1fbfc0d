import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CommandGateway } from '../command-side/command-gateway.ts';
import type { Clock } from '../command-side/clock.ts';
import { commandSide, type CommandSide } from '../command-side/command-side.ts';
import type { SnapshotStore } from '../command-side/snapshot-store.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { Bus } from '../realtime/bus.ts';
import { memoryBus } from '../realtime/memory-bus.ts';
import { memoryPresenceLeases } from '../realtime/memory-presence-leases.ts';
import type { PresenceLeases } from '../realtime/presence-leases.ts';
import { realtime, type Realtime, type RealtimeDeps } from '../realtime/realtime.ts';
import { routeHere, type RouteHereDeps } from '../realtime/routing.ts';
import type { SignIn } from '../realtime/sign-in.ts';
import { CommandsUnderTest, manySends, noInbox } from './commands-under-test.ts';
import { tokenSecret } from './tokens.ts';

export interface SocketsOptions {
  /** Comes in between the sockets and the log; commands go past it. */
  readonly log?: (log: EventLog) => EventLog;
  readonly gateway?: (gateway: CommandGateway) => CommandGateway;
  readonly signIn?: (signIn: SignIn) => SignIn;
  readonly bus?: (bus: Bus) => Bus;
  readonly leases?: (leases: PresenceLeases) => PresenceLeases;
  /** Without it devices that come back are served from the log. */
  readonly missedAfter?: RealtimeDeps['inbox']['missedAfter'];
  /** What the sockets are given from, instead of a router beside them. */
  readonly routing?: (deps: RoutingUnderTest) => Promise<RealtimeDeps['routing']>;
  /** Puts into the log what lies behind the router when it begins. */
  readonly before?: (side: CommandSide, log: EventLog) => Promise<void>;
}

export interface RoutingUnderTest extends RouteHereDeps {
  readonly snapshots: SnapshotStore;
  readonly clock: Clock;
}

export interface SocketsUnderTest {
  readonly port: number;
  readonly realtime: Realtime;
  readonly commands: CommandsUnderTest;
  /** What was warned of. */
  readonly warnings: string[];
  /** Lets a second go by; no second goes by itself. */
  readonly tick: () => void;
}

/** To decorate one of its methods. */
export const asPort = (log: EventLog): EventLog => ({
  append: (...given) => log.append(...given),
  readStream: (...given) => log.readStream(...given),
  head: () => log.head(),
  locate: (position) => log.locate(position),
  locateCursor: (cursor) => log.locateCursor(cursor),
  positionAt: (place) => log.positionAt(place),
  tail: (options) => log.tail(options),
  isRecent: (place) => log.isRecent(place),
  forgetRecent: () => log.forgetRecent(),
  soleWriter: log.soleWriter,
  away: () => log.away(),
  failed: log.failed,
  close: () => log.close(),
});

const presenceTimes = { heartbeatSeconds: 30, offlineAfterSeconds: 60 };
const away = () => Promise.reject(new Error('the inbox is away'));
const noInboxToRead = {
  chatsAfter: away,
  chats: away,
  messages: away,
  members: away,
  presence: away,
  onlineAfter: away,
};

const same = <T>(given: T): T => given;
const unsaid = () => Promise.resolve(undefined);

/** Sockets over real SQLite files, with faults in between. */
export const serveSockets = async (
  stack: AsyncDisposableStack,
  {
    log = same,
    gateway = same,
    signIn = same,
    leases = same,
    bus = same,
    missedAfter = unsaid,
    routing = (given) => Promise.resolve(routeHere(given)),
    before,
  }: SocketsOptions = {},
): Promise<SocketsUnderTest> => {
  const commands = stack.use(await CommandsUnderTest.open());
  const { log: eventLog, accounts, snapshots, clock, randomBytes } = commands;
  const warnings: string[] = [];
  const warn = (_: unknown, message: string): void => void warnings.push(message);
  const deps = { accounts, snapshots, clock, randomBytes, warn, limits: manySends };
  const issuer = { name: 'parley', secret: Buffer.from(tokenSecret) };
  const side = commandSide({ ...deps, eventLog, issuer, inbox: noInbox, report: warn });
  stack.defer(() => side.close());
  await before?.(side, eventLog);
  let tick = (): void => undefined;
  const followed = log(eventLog);
  const busBetween = bus(memoryBus((error) => warnings.push(String(error))));
  const sockets = realtime({
    ...deps,
    eventLog: followed,
    gateway: gateway(side.gateway),
    signIn: signIn(side.signIn),
    allowedOrigins: new Set(),
    presence: side.presence,
    leases: leases(memoryPresenceLeases(presenceTimes.offlineAfterSeconds * 1_000, clock)),
    bus: busBetween,
    routing: await routing({ ...deps, eventLog: followed, bus: busBetween }),
    presenceTimes,
    admission: { socketsPerUser: 50, socketsPerAddress: 1_000, handshakeBurst: 2_000, handshakesPerSecond: 500 },
    trustedProxies: [],
    inbox: { ...noInboxToRead, missedAfter },
    progress: { waitFor: () => Promise.resolve(false) },
    everySecond(work) {
      tick = work;
      return () => undefined;
    },
  });
  const server = createServer();
  sockets.attach(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stack.defer(async () => {
    server.close();
    await once(server, 'close');
  });
  stack.defer(() => sockets.close());
  const { port } = server.address() as AddressInfo;
  return { port, realtime: sockets, commands, warnings, tick: () => tick() };
};
