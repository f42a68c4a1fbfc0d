import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Clock, RandomBytes } from '../command-side/clock.ts';
import type { CommandGateway } from '../command-side/command-gateway.ts';
import type { PresenceGateway } from '../command-side/presence-gateway.ts';
import { rateLimit } from '../command-side/rate-limit.ts';
import type { SnapshotStore } from '../command-side/snapshot-store.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { Inbox } from '../projections/inbox.ts';
import type { Progress } from '../projections/progress.ts';
import type { PresenceTimes } from '../schemas/configuration.ts';
import { reject } from '../schemas/errors.ts';
import { frameBytes, type AdmissionLimits, type Limits } from '../schemas/limits.ts';
import { gauge, type Metric } from '../schemas/metrics.ts';
import { Admission } from './admission.ts';
import { addressRanges, clientAddress } from './client-address.ts';
import { BlockList } from './block-list.ts';
import type { Bus } from './bus.ts';
import { drainSessions } from './drain-sessions.ts';
import type { EverySecond } from './every-second.ts';
import { followPresence } from './follow-presence.ts';
import { FlushTurn } from './flush-turn.ts';
import type { AnnouncedGateway } from './gateway-registry.ts';
import { Gateway } from './gateway.ts';
import { readHandshake, subprotocol } from './handshake.ts';
import { lastWrittenAt } from './last-written-at.ts';
import { loadBlocked } from './load-blocked.ts';
import { membershipsIn } from './memberships-in.ts';
import { PresenceKeeper } from './presence-keeper.ts';
import type { PresenceLeases } from './presence-leases.ts';
import { PresenceSubscriptions } from './presence-subscriptions.ts';
import { RealtimeMetrics } from './realtime-metrics.ts';
import { refuseUpgrade } from './refuse-upgrade.ts';
import type { Routing, RoutingShared } from './routing.ts';
import { Session } from './session.ts';
import { Sessions } from './sessions.ts';
import type { SignedIn, SignIn } from './sign-in.ts';
import { Typing } from './typing.ts';
import { Turnstile } from './turnstile.ts';

export interface RealtimeDeps<Routed extends Routing = Routing> {
  readonly eventLog: EventLog;
  readonly snapshots: SnapshotStore;
  readonly gateway: CommandGateway;
  readonly signIn: SignIn;
  readonly presence: PresenceGateway;
  readonly leases: PresenceLeases;
  readonly bus: Bus;
  /** Makes what the sessions here are given from. */
  readonly routing: (shared: RoutingShared) => Routed;
  readonly presenceTimes: PresenceTimes;
  readonly inbox: Pick<
    Inbox,
    'missedAfter' | 'chatsAfter' | 'chats' | 'messages' | 'members' | 'presence' | 'onlineAfter'
  >;
  /** Of that inbox. */
  readonly progress: Pick<Progress, 'waitFor'>;
  readonly limits: Limits;
  readonly admission: AdmissionLimits;
  /** Addresses and ranges of the proxies that are believed about where a request comes from. */
  readonly trustedProxies: readonly string[];
  /** Web origins whose pages may connect. */
  readonly allowedOrigins: ReadonlySet<string>;
  readonly clock: Clock;
  readonly everySecond: EverySecond;
  readonly randomBytes: RandomBytes;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
}

/** A request to upgrade, and where it comes from. */
interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly address: string;
}

export interface Realtime<Routed extends Routing = Routing> {
  readonly routing: Routed;
  /** Takes the server's requests to upgrade. */
  attach(server: Server): void;
  /** Why sockets are not served; undefined: they are. */
  notReady(): string | undefined;
  /** What the registry is to know of it. */
  announced(): Pick<AnnouncedGateway, 'connections' | 'draining' | 'notReady'>;
  readonly metrics: readonly Metric[];
  /** Refuses new sockets and commands, lets those under way finish, then closes all sockets; resolves when they are gone. */
  drain(): Promise<void>;
  /** Ends what is left at once. */
  close(): Promise<void>;
}

const handshakeMs = 10_000;
const readsAtOnce = 4;
const mostFragments = 128;
const subscribeBurst = 20;
const subscribesPerSecond = 1;
const shuttingDown = reject('draining', 'this server is shutting down', { retryAfterMs: 2_000 });

export const realtime = <Routed extends Routing>(deps: RealtimeDeps<Routed>): Realtime<Routed> => {
  const { eventLog, limits, warn } = deps;
  const stopping = new AbortController();
  const counted = new RealtimeMetrics();
  const turn = new FlushTurn(() => counted.flushed(deps.clock.now()));
  const sessions = new Sessions();
  const memberships = membershipsIn(eventLog, deps.snapshots);
  const keeper = new PresenceKeeper({
    ...deps,
    isHere: (user) => sessions.of(user).length > 0,
    offlineAfterMs: deps.presenceTimes.offlineAfterSeconds * 1_000,
    lastWrittenAt: lastWrittenAt(eventLog, stopping.signal),
  });
  const subscriptions = new PresenceSubscriptions({
    ...deps,
    viewersOf: (user) => sessions.of(user),
    asks: new Turnstile(readsAtOnce),
    mostMembers: limits.presenceMembers,
  });
  const presence = followPresence(keeper, subscriptions);
  const routing = deps.routing({ memberships, turn, isHeard: () => sessions.all.size > 0 });
  const feed = new Gateway({
    sessions,
    presence,
    metrics: counted,
    begins: routing.begins,
    range: (from, through) => routing.range(from, through),
    stopped: () => routing.stopped(),
    spread: (milliseconds) => ((deps.randomBytes(1)[0] ?? 0) / 256) * milliseconds,
    warn,
  });
  const stopHearing = routing.listen((message) => feed.receive(message));
  const reads = new Turnstile(readsAtOnce);
  const sessionDeps = {
    ...deps,
    turn,
    metrics: counted,
    feed,
    memberships,
    reads,
    typing: new Typing({ ...deps, memberships, reads }),
    keeper,
    subscriptions,
    presenceAllowance: rateLimit(subscribeBurst, subscribesPerSecond, deps.clock),
    presence: deps.presenceTimes,
  };
  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: frameBytes(limits),
    maxFragments: mostFragments,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  });

  const admission = new Admission(deps.admission, deps.clock, deps.randomBytes);
  const trustedProxies = addressRanges(deps.trustedProxies);
  let draining: Promise<void> | undefined;
  const isDraining = (): boolean => draining !== undefined;
  let second = 0;
  let opened = 0;

  const stopTicking = deps.everySecond(() => {
    second++;
    for (const session of sessions.all) session.tick(second);
    void keeper.tick();
  });

  const open = ({ request, socket, head, address }: Upgrade, signedIn: SignedIn & { ok: true }): void => {
    webSockets.handleUpgrade(request, socket, head, (ws) => {
      const { userId } = signedIn.caller;
      const blocks =
        sessions.of(userId)[0]?.blocks ?? new BlockList(() => loadBlocked(eventLog, deps.snapshots, userId));
      const session = new Session(ws, socket, signedIn, blocks, opened++, sessionDeps);
      sessions.add(session);
      admission.opened(address);
      // The peer broke the protocol: ws closes the socket with the code that says how.
      ws.on('error', () => session.stop());
      ws.on('close', () => {
        session.stop();
        subscriptions.end(session);
        sessions.remove(session);
        admission.closed(address);
        if (sessions.of(userId).length === 0) keeper.gone(userId);
      });
    });
  };

  const greet = async (token: string, upgrade: Upgrade): Promise<void> => {
    const { socket, address } = upgrade;
    const deadline = setTimeout(() => socket.destroy(), handshakeMs);
    try {
      const signedIn = await deps.signIn(token);
      if (socket.destroyed) return;
      const refusal = signedIn.ok
        ? isDraining()
          ? shuttingDown
          : admission.refuse(address, sessions.of(signedIn.caller.userId).length)
        : signedIn.rejection;
      if (refusal !== undefined) refuseUpgrade(socket, refusal);
      else if (signedIn.ok) open(upgrade, signedIn);
    } catch (error) {
      warn({ err: error }, 'a handshake failed');
      refuseUpgrade(socket, reject('internal', 'the handshake failed'));
    } finally {
      clearTimeout(deadline);
      admission.end();
    }
  };

  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => socket.destroy());
    const handshake = readHandshake(request, deps.allowedOrigins);
    const address = clientAddress(request, trustedProxies);
    if (isDraining()) refuseUpgrade(socket, shuttingDown);
    else if (!handshake.ok) refuseUpgrade(socket, handshake.rejection);
    else {
      const refusal = admission.begin(address);
      if (refusal === undefined) void greet(handshake.token, { request, socket, head, address });
      else refuseUpgrade(socket, refusal);
    }
  };

  return {
    routing,
    attach(server) {
      server.on('upgrade', upgrade);
    },
    notReady: () => (isDraining() ? 'draining' : routing.stopped()),
    announced: () => ({
      connections: sessions.all.size,
      draining: isDraining(),
      notReady: routing.stopped() ?? null,
    }),
    metrics: [
      ...counted.all,
      gauge('parley_ws_connections', () => [[[], sessions.all.size]]),
      gauge('parley_outbox_depth', () => [[[], unsentBytes(sessions)]]),
    ],
    drain: () => (draining ??= drainSessions(sessions, deps.randomBytes)),
    async close() {
      stopping.abort();
      stopTicking();
      stopHearing();
      keeper.end();
      for (const session of sessions.all) session.terminate();
      await routing.close();
    },
  };
};

const unsentBytes = ({ all }: Sessions): number => {
  let bytes = 0;
  for (const session of all) bytes += session.unsentBytes;
  return bytes;
};
