import { expect, onTestFinished } from 'vitest';
import type { LogPlace } from '../schemas/log-place.ts';
import type { StorePlace } from '../schemas/store-place.ts';
import { check } from './checker.ts';
import { TestClient } from './client.ts';
import { readLog } from './read-log.ts';
import { Recorder } from './recorder.ts';
import { RestClient } from './rest-client.ts';
import { ServerProcess, temporaryFolder, type ServerOptions } from './server-process.ts';
import { signToken, tokenSecret } from './tokens.ts';

export interface Talk {
  readonly id: string;
  readonly members: readonly TestClient[];
}

export interface SceneOptions extends ServerOptions {
  readonly tokenHours?: number;
  /** Where the log is, when it is not with the data. */
  readonly log?: Extract<LogPlace, { in: 'eventstoredb' }>;
  /** Where the keys are, when they are not with the data; `env` says so too. */
  readonly accounts?: StorePlace;
  /** Ids name a time; a test that moves the server's clock moves the clients' along. */
  readonly now?: () => number;
}

const settings = {
  PARLEY_TOKEN_SECRET: tokenSecret,
  // Limits out of the way of a load.
  PARLEY_SEND_BURST: '1000000',
  PARLEY_SEND_RATE: '1000000',
};

/**
 * One server, its data and its clients, with the history of all that happened; ends and removes everything when the test
 * ends, however it ends.
 */
export class Scene {
  readonly recorder = new Recorder();
  readonly clients: TestClient[] = [];
  readonly talks: Talk[] = [];
  readonly data: string;
  server: ServerProcess;
  private up: Promise<ServerProcess>;
  private readonly options: SceneOptions;
  private readonly now: () => number;

  private constructor(server: ServerProcess, options: SceneOptions) {
    this.server = server;
    this.up = Promise.resolve(server);
    this.data = server.data;
    this.options = options;
    this.now = options.now ?? Date.now;
  }

  static async open(options: SceneOptions = {}): Promise<Scene> {
    const folder = await temporaryFolder('scene');
    onTestFinished(() => folder.stop());
    const env = { ...settings, ...(options.log && { PARLEY_EVENT_LOG: options.log.url }), ...options.env };
    const all = { ...options, env, data: options.data ?? folder.path };
    const scene = new Scene(await ServerProcess.start(all), all);
    // Before the folder goes: the last hook runs first.
    onTestFinished(() => scene.abandon());
    return scene;
  }

  address = (): string => `127.0.0.1:${this.server.port}`;
  /** The same once a server that is being started listens. */
  whenUp = async (): Promise<string> => `127.0.0.1:${(await this.up).port}`;
  /** Where sockets connect, asked at each connection; a test may put a network in between. */
  door = this.whenUp;

  token(name: string, device = 'phone'): string {
    return signToken(name, device, this.options.tokenHours);
  }

  /** A device that is connected and has caught up. */
  async client(name: string, device = 'phone', address = () => this.door()): Promise<TestClient> {
    const token = this.token(name, device);
    const { recorder, now } = this;
    const client = new TestClient({ address, token, device, recorder, now });
    this.clients.push(client);
    return client.connect();
  }

  /** The same user without a socket; the id is known from a device that connected. */
  rest(name: string, { userId }: TestClient): RestClient {
    const { recorder, now } = this;
    const options = { token: this.token(name, 'rest'), user: userId, device: 'rest', recorder, now };
    return new RestClient({ ...options, address: this.whenUp });
  }

  async direct(one: TestClient, other: string, members: readonly TestClient[]): Promise<Talk> {
    const outcome = await one.submit({ type: 'start-direct', with: { name: other } });
    return this.opened(outcome, members);
  }

  async group(
    creator: TestClient,
    name: string,
    others: readonly string[],
    members: readonly TestClient[],
  ): Promise<Talk> {
    const named = others.map((other) => ({ name: other }));
    return this.opened(await creator.submit({ type: 'create-group', name, members: named }), members);
  }

  /** Starts the server again on the same data, with other options where given. */
  async restart(options: ServerOptions = {}): Promise<void> {
    await this.server.exited;
    this.up = ServerProcess.start({ ...this.options, ...options, data: this.data });
    this.server = await this.up;
  }

  /** A last message in every conversation; resolves when all members hold it, and so everything before it. */
  async settle(): Promise<void> {
    await Promise.all(
      this.talks.map(async ({ id, members }) => {
        const outcome = await members[0]?.text(id, 'the end');
        const seq = outcome?.ok === true ? (outcome.answer.seq ?? 0) : 0;
        expect(seq).toBeGreaterThan(0);
        await Promise.all([members[0]?.hasAllUpTo(id, seq), ...members.map((member) => member.hasUpTo(id, seq))]);
      }),
    );
  }

  /** Ends the server and judges the run; `settled`: after `settle`. */
  async violations({ settled = true } = {}): Promise<string[]> {
    const users = settled ? this.talks.flatMap(({ members }) => members.map(({ userId }) => userId)) : [];
    await this.abandon('SIGTERM');
    const log = await readLog(this.data, this.options);
    return check(this.recorder.history, log, { settled: new Set(users) }).map(
      ({ promise, says }) => `${promise}: ${says}`,
    );
  }

  private async abandon(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()));
    await this.server.end(signal);
  }

  private opened(outcome: Awaited<ReturnType<TestClient['submit']>>, members: readonly TestClient[]): Talk {
    if (!outcome.ok) throw new Error(`the conversation was refused: ${outcome.frame.code}`);
    const talk = { id: outcome.answer.conversationId, members };
    this.talks.push(talk);
    return talk;
  }
}
