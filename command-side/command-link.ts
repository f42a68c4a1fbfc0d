import { createHash } from 'node:crypto';
import { isUserCommand, type Command } from '../schemas/commands.ts';
import type { LinkAnswer, LinkRequest } from '../schemas/command-link.ts';
import type { Rejection } from '../schemas/errors.ts';
import { Counter, gauge, Histogram, type Metric } from '../schemas/metrics.ts';
import { refused, unavailable } from './answers.ts';
import type { Clock, RandomBytes } from './clock.ts';
import type { Caller, CommandAnswer, CommandGateway } from './command-gateway.ts';
import { Lanes } from './command-link-lanes.ts';
import { CommandLinkPeer } from './command-link-peer.ts';
import { rendezvous } from './command-link-routing.ts';
import type { SignedIn } from './command-side.ts';
import { deriveDirectId, deriveGroupId } from './derive-ids.ts';
import type { PresenceGateway } from './presence-gateway.ts';
import type { Warn } from './warn.ts';

export interface CommandLinkDeps {
  /** Of the command sides. */
  readonly addresses: readonly string[];
  readonly internalToken: string;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly warn: Warn;
}

export interface CommandLink {
  readonly gateway: CommandGateway;
  readonly presence: PresenceGateway;
  readonly signIn: (token: string) => Promise<SignedIn>;
  /** How each command side is, for people. */
  state(): Readonly<Record<string, string>>;
  readonly metrics: readonly Metric[];
  /** Refuses what comes from now on as `draining`; resolves when the rest has its answers. */
  drain(): Promise<void>;
  /** Answers what is left as `unavailable` and ends the connections. */
  close(): void;
}

const sweepMs = 250;

/** Of what the command side decides in order: the conversation, also of one that the command begins, else the user. */
const laneOf = ({ userId }: Caller, command: Command): string => {
  if (isUserCommand(command) || command.type === 'announce-status') return userId;
  if (command.type === 'create-group') return deriveGroupId(userId, command.commandId);
  if (command.type !== 'start-direct') return command.conversationId;
  return typeof command.with === 'string' ? deriveDirectId(userId, command.with) : userId;
};

const misread = (): Rejection => unavailable('a command side answered something else');

const commandAnswer = (answer: LinkAnswer): CommandAnswer => {
  if (answer.is === 'refused') return refused(answer.rejection);
  if (answer.is !== 'done') return refused(misread());
  return { ok: true, done: answer.done, ...(answer.repeated && { repeated: true }) };
};

const signInAnswer = (answer: LinkAnswer): SignedIn => {
  if (answer.is === 'signed-in') return { ok: true, caller: answer.caller, expiresAt: answer.expiresAt };
  return { ok: false, rejection: answer.is === 'refused' ? answer.rejection : misread() };
};

/**
 * The way to command sides of other processes. While none of them answers a bounded number of requests waits; nothing is
 * acknowledged before the log has it. What a lost connection left open is given again with the same ids.
 */
export const commandLink = (deps: CommandLinkDeps): CommandLink => {
  const link = unsweptCommandLink(deps);
  const timer = setInterval(() => link.sweep(), sweepMs);
  return {
    ...link,
    close() {
      clearInterval(timer);
      link.close();
    },
  };
};

/** Whose deadlines pass and whose command sides are pinged when `sweep` is called. */
export const unsweptCommandLink = (deps: CommandLinkDeps): CommandLink & { sweep(): void } => {
  const { addresses, clock } = deps;
  const monotonic = (): number => clock.monotonic();
  const unanswered = new Counter('parley_command_link_unanswered_total');
  const givenAgain = new Counter('parley_command_link_given_again_total');
  let lastNumber = 0;

  const lanes: Lanes<CommandLinkPeer> = new Lanes<CommandLinkPeer>({
    route: (lane) => route(lane),
    hasRoom: () => peers.some(({ hasRoom }) => hasRoom),
    monotonic,
    unanswered: (why) => unanswered.add(why),
    givenAgain: () => givenAgain.add(),
  });
  const roundTrips = addresses.map((address) => new Histogram('parley_command_link_round_trip_seconds', { address }));
  const peers = addresses.map(
    (address, index) =>
      new CommandLinkPeer({
        ...deps,
        address,
        monotonic,
        answered: (request, answer) => lanes.answered(request, answer),
        returned: (requests) => lanes.returned(requests),
        madeRoom: () => lanes.advance(),
        roundTrip: (milliseconds) => roundTrips[index]?.observe(milliseconds),
      }),
  );
  const route = rendezvous(peers);
  for (const peer of peers) peer.connect();

  const ask = (lane: string, request: LinkRequest): Promise<LinkAnswer> =>
    new Promise((settle) => {
      const number = ++lastNumber;
      const text = `[${number},${JSON.stringify(request)}]`;
      lanes.handOver({
        number,
        lane,
        text,
        bytes: Buffer.byteLength(text) + 1,
        handedOverAt: clock.monotonic(),
        giveUpAt: 0,
        sentAt: 0,
        isSettled: false,
        settle,
      });
    });
  const say = async (lane: string, request: LinkRequest): Promise<boolean> => {
    const answer = await ask(lane, request);
    return answer.is === 'presence' && answer.said;
  };

  return {
    gateway: {
      submit: async (caller, command) =>
        commandAnswer(await ask(laneOf(caller, command), { is: 'command', caller, command })),
    },
    presence: {
      comeOnline: (user) => say(user, { is: 'come-online', user }),
      goOffline: (user, lastSeen) => say(user, { is: 'go-offline', user, lastSeen }),
    },
    async signIn(token) {
      const lane = createHash('sha256').update(token).digest('base64url');
      return signInAnswer(await ask(lane, { is: 'sign-in', token }));
    },
    state: () => Object.fromEntries(peers.map(({ address, state }) => [`command side ${address}`, state])),
    metrics: [
      unanswered,
      givenAgain,
      ...roundTrips,
      gauge('parley_command_link_held', () => [[[], lanes.held]]),
      gauge('parley_command_link_under_way', () => peers.map(({ address, underWay }) => [[address], underWay])),
      gauge('parley_command_link_open', () => peers.map(({ address, isOpen }) => [[address], isOpen ? 1 : 0])),
    ],
    sweep() {
      for (const peer of peers) peer.sweep();
      lanes.sweep();
    },
    drain: () => lanes.drain(),
    close() {
      for (const peer of peers) peer.close();
      lanes.close();
    },
  };
};
