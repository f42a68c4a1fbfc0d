import { join } from 'node:path';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { commandSide, type CommandSide } from '../command-side/command-side.ts';
import { resolveUser } from '../command-side/resolve-command.ts';
import { signToken } from '../command-side/tokens.ts';
import { httpServer } from '../main/http-server.ts';
import { follow, type Follower } from '../projections/follow.ts';
import type { Inbox } from '../projections/inbox.ts';
import { inboxKinds } from '../projections/project-inbox.ts';
import { searchedStreams } from '../projections/project-search.ts';
import type { ReadModelWriter } from '../projections/read-model.ts';
import { openSqliteInbox, openSqliteInboxWriter } from '../projections/sqlite-inbox.ts';
import { openSqliteSearchReader, openSqliteSearchWriter } from '../projections/sqlite-search.ts';
import { queryApi } from '../query-api/query-api.ts';
import { servers } from '../query-api/servers.ts';
import { deviceId } from '../schemas/ids.ts';
import type { Limits } from '../schemas/limits.ts';
import { CommandsUnderTest, issuer, manySends } from './commands-under-test.ts';

const tokens = { name: issuer, secret: Buffer.from('a secret of at least thirty-two bytes') };

export interface ReadsOptions {
  readonly limits?: Partial<Limits>;
  /** Comes in between the follower and the inbox. */
  readonly inboxWriter?: (writer: ReadModelWriter) => ReadModelWriter;
}

export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly body?: object | undefined;
  readonly readAfter?: string | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, unknown>>;
  json(): unknown;
}

/** Commands and reads on one server over real SQLite files; calls are injected. */
export class ReadsUnderTest implements AsyncDisposable {
  readonly commands: CommandsUnderTest;
  readonly side: CommandSide;
  readonly server: FastifyInstance;
  readonly inbox: Inbox;
  readonly inboxFollower: Follower;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    commands: CommandsUnderTest,
    side: CommandSide,
    server: FastifyInstance,
    inbox: Inbox,
    inboxFollower: Follower,
    stack: AsyncDisposableStack,
  ) {
    this.commands = commands;
    this.side = side;
    this.server = server;
    this.inbox = inbox;
    this.inboxFollower = inboxFollower;
    this.#stack = stack;
  }

  static async open({ limits = {}, inboxWriter = (writer) => writer }: ReadsOptions = {}): Promise<ReadsUnderTest> {
    await using opening = new AsyncDisposableStack();
    const commands = opening.use(await CommandsUnderTest.open());
    const { log: eventLog, accounts, snapshots, clock, randomBytes } = commands;
    const report = (_: unknown, message: string): void => void commands.reports.push(message);
    const common = { eventLog, clock, randomBytes, warn: report };
    const [inboxPath, searchPath] = [join(commands.directory, 'inbox.db'), join(commands.directory, 'search.db')];

    const writer = inboxWriter(await openSqliteInboxWriter(inboxPath));
    opening.defer(() => writer.close());
    const inbox = await openSqliteInbox(inboxPath);
    opening.defer(() => inbox.close());
    const inboxFollower = follow({ ...common, writer, streamKinds: inboxKinds });
    opening.defer(() => inboxFollower.close());

    const searchWriter = await openSqliteSearchWriter(searchPath);
    opening.defer(() => searchWriter.close());
    const search = await openSqliteSearchReader({ path: searchPath, budgetMs: 5_000 });
    opening.defer(() => search.close());
    const searchFollower = follow({ ...common, writer: searchWriter, streamKinds: searchedStreams });
    opening.defer(() => searchFollower.close());

    const deps = {
      ...{ eventLog, accounts, snapshots, inbox, search, clock, randomBytes, report },
      limits: { ...manySends, readBurst: 1_000_000, readsPerSecond: 1_000_000, ...limits },
    };
    const side = commandSide({ ...deps, issuer: tokens });
    const server = httpServer(deps.limits);
    opening.defer(() => server.close());
    await server.register(side.plugin);
    const queries = queryApi({
      ...deps,
      progress: { inbox: inboxFollower, search: searchFollower },
      authenticate: side.signIn,
      resolveUser: (caller, user) => resolveUser(accounts.installKey, caller, user),
    });
    await server.register(queries.plugin);
    const seen = () => ({ gateways: [], isStale: false });
    await server.register(servers({ ...deps, authenticate: side.signIn, seen, region: undefined }).plugin);
    return new ReadsUnderTest(commands, side, server, inbox, inboxFollower, opening.move());
  }

  /** Of a user by name; nobody has no token. */
  async call(who: string | undefined, { method, url, body, readAfter }: HttpCall): Promise<HttpAnswer> {
    const token =
      who &&
      (await signToken(tokens, {
        subject: who,
        deviceId: deviceId.parse('phone'),
        now: this.commands.clock.now(),
        lifetimeMs: 3_600_000,
      }));
    const request: InjectOptions = {
      method,
      url,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(readAfter !== undefined && { 'parley-read-after': readAfter }),
      },
      ...(body !== undefined && { payload: body }),
    };
    const { statusCode, body: text, headers, json } = await this.server.inject(request);
    return { status: statusCode, text, headers, json };
  }

  get(who: string | undefined, url: string, readAfter?: string): Promise<HttpAnswer> {
    return this.call(who, { method: 'GET', url, readAfter });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}
