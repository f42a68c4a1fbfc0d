import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AccountsStore } from '../command-side/accounts-store.ts';
import type { Clock } from '../command-side/clock.ts';
import type { Accepted, Caller, CommandAnswer, Done } from '../command-side/command-gateway.ts';
import { deriveUserId } from '../command-side/derive-ids.ts';
import type { StoredCommands } from '../command-side/find-stored.ts';
import { commandHandler, type CommandHandler } from '../command-side/handle-command.ts';
import { knownUsers } from '../command-side/known-users.ts';
import { randomPool } from '../command-side/random-pool.ts';
import { registerUser } from '../command-side/register-user.ts';
import type { SnapshotStore } from '../command-side/snapshot-store.ts';
import { openSqliteAccountsStore } from '../command-side/sqlite-accounts-store.ts';
import { openSqliteSnapshotStore } from '../command-side/sqlite-snapshot-store.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { LogStore } from '../event-log/log-store.ts';
import { openEventLog } from '../event-log/open-event-log.ts';
import { openSqliteLogStore } from '../event-log/sqlite-log-store.ts';
import type { ConversationCommand } from '../schemas/commands.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import { commandId, deviceId, uuidV7, type CommandId, type ConversationId } from '../schemas/ids.ts';
import { defaultLimits, type Limits } from '../schemas/limits.ts';
import { conversationStream } from '../schemas/streams.ts';

/** A clock whose hands the test moves; the monotonic one goes on by itself, as the real one does. */
export class TestClock implements Clock {
  offset = 0;
  frozenAt: number | undefined;
  monotonicOffset = 0;
  now(): number {
    return this.frozenAt ?? Date.now() + this.offset;
  }
  monotonic(): number {
    return performance.now() + this.monotonicOffset;
  }
}

export const issuer = 'https://issuer.test';
export const manySends: Limits = { ...defaultLimits, sendBurst: 1_000_000, sendsPerSecond: 1_000_000 };

const same = <T>(given: T): T => given;

export interface CommandsOptions {
  readonly limits?: Limits;
  /** Faults come in between the log and its store. */
  readonly store?: (store: LogStore) => LogStore;
  readonly log?: (log: EventLog) => EventLog;
  readonly clock?: TestClock;
  /** Where old ids are looked up; unless given it is away, and streams are read backwards. */
  readonly inbox?: StoredCommands;
}

export const noInbox: StoredCommands = { findCommand: () => Promise.reject(new Error('the inbox is away')) };

/** The command side over real SQLite files in a directory of its own. */
export class CommandsUnderTest implements AsyncDisposable {
  readonly directory: string;
  readonly clock: TestClock;
  readonly randomBytes = randomPool();
  readonly reports: string[] = [];
  readonly #options: CommandsOptions;
  log!: EventLog;
  accounts!: AccountsStore;
  snapshots!: SnapshotStore;
  handler!: CommandHandler;

  private constructor(directory: string, options: CommandsOptions) {
    this.directory = directory;
    this.#options = options;
    this.clock = options.clock ?? new TestClock();
  }

  static async open(options: CommandsOptions = {}): Promise<CommandsUnderTest> {
    const commands = new CommandsUnderTest(await mkdtemp(join(tmpdir(), 'parley-commands-')), options);
    await commands.#start();
    return commands;
  }

  async #start(): Promise<void> {
    const { store = same, log = same } = this.#options;
    const { clock, randomBytes } = this;
    const accounts = join(this.directory, 'accounts.db');
    this.accounts = await openSqliteAccountsStore({ path: accounts, whenMissing: 'create', cachedKeys: 10_000 });
    this.snapshots = await openSqliteSnapshotStore(join(this.directory, 'snapshots.db'), (_, message) =>
      this.reports.push(message),
    );
    const sqlite = await openSqliteLogStore({ directory: join(this.directory, 'log') });
    this.log = log(await openEventLog({ store: store(sqlite), keys: this.accounts, clock, randomBytes }));
    this.handler = this.newHandler();
  }

  /** Another command side over the same log and with nothing in memory. */
  newHandler(limits: Limits = this.#options.limits ?? manySends): CommandHandler {
    const { log: eventLog, accounts, snapshots, clock, randomBytes, reports } = this;
    const users = knownUsers({ eventLog, accounts });
    const report = (_: unknown, message: string): void => void reports.push(message);
    const { inbox = noInbox } = this.#options;
    return commandHandler({ eventLog, accounts, snapshots, inbox, users, clock, randomBytes, limits, report });
  }

  /** Registers a user, who comes from the device given. */
  async user(name: string, device = 'phone'): Promise<Caller> {
    const { log: eventLog, accounts, clock, randomBytes } = this;
    const caller: Caller = {
      userId: deriveUserId(accounts.installKey, issuer, name),
      deviceId: deviceId.parse(device),
      issuer,
    };
    const register = registerUser({
      eventLog,
      accounts,
      users: knownUsers({ eventLog, accounts }),
      clock,
      randomBytes,
      report: (_, message) => this.reports.push(message),
    });
    const rejection = await register({ ...caller, subject: name, kind: 'person', expiresAt: Infinity });
    if (rejection !== undefined) throw new Error(rejection.message);
    return caller;
  }

  newId(time = this.clock.now()): CommandId {
    return commandId.parse(uuidV7(time, this.randomBytes(10)));
  }

  async direct(one: Caller, other: Caller): Promise<ConversationId> {
    return conversationOf(
      await this.handler.submit(one, { type: 'start-direct', commandId: this.newId(), with: other.userId }),
    );
  }

  async group(creator: Caller, ...others: readonly Caller[]): Promise<ConversationId> {
    const members = others.map(({ userId }) => userId);
    return conversationOf(
      await this.handler.submit(creator, { type: 'create-group', commandId: this.newId(), name: 'a group', members }),
    );
  }

  send(conversationId: ConversationId, text: string, messageId = this.newId()): ConversationCommand {
    return { type: 'send', messageId, conversationId, content: { type: 'text', text } };
  }

  async events(conversation: ConversationId): Promise<readonly RecordedEvent[]> {
    const events: RecordedEvent[] = [];
    for (;;) {
      const page = await this.log.readStream(conversationStream(conversation), events.length, 'forwards', 1_000);
      if (page.length === 0) return events;
      events.push(...page);
    }
  }

  /** The texts in their order, after I3: seqs 1, 2, 3 … with no hole. */
  async texts(conversation: ConversationId): Promise<string[]> {
    const sent = (await this.events(conversation)).flatMap(({ event }) =>
      event?.type === 'message-sent' ? [event] : [],
    );
    for (const [index, { seq }] of sent.entries()) if (seq !== index + 1) throw new Error(`I3: a hole at ${seq}`);
    return sent.map(({ content }) => (content?.type === 'text' ? content.text : ''));
  }

  async #stop(): Promise<void> {
    await this.handler.drain();
    await this.log.close();
    await this.snapshots.close();
    await this.accounts.close();
  }

  async restart(): Promise<void> {
    await this.#stop();
    await this.#start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    await rm(this.directory, { recursive: true });
  }
}

export const done = <T extends Done['type']>(answer: CommandAnswer, type: T): Extract<Done, { type: T }> => {
  if (!answer.ok) throw new Error(`${answer.rejection.code}: ${answer.rejection.message}`);
  const isOf = (one: Done): one is Extract<Done, { type: T }> => one.type === type;
  if (!isOf(answer.done)) throw new Error(`${answer.done.type} in place of ${type}`);
  return answer.done;
};

export const accepted = (answer: CommandAnswer): Accepted => done(answer, 'accepted');

export const conversationOf = (answer: CommandAnswer): ConversationId => accepted(answer).conversationId;

export const codeOf = (answer: CommandAnswer): string => (answer.ok ? answer.done.type : answer.rejection.code);
