import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { connect, type Client, type Message } from '../client/client.ts';
import { fileStorage } from '../client/file-storage.ts';
import { badNetwork } from './bad-network.ts';
import { Proxy } from './proxy.ts';
import { Scene } from './scene.ts';
import { seeded, seedFor } from './seed.ts';

const root = join(import.meta.dirname, '..');

/** A device with a file of its own, and what its application shows: what was held when it began, and what it was told since. */
class Device {
  client: Client;
  readonly shown: Message[] = [];
  private readonly open: () => Promise<Client>;
  private readonly conversationId: () => string;

  private constructor(client: Client, open: () => Promise<Client>, conversationId: () => string) {
    this.client = client;
    this.open = open;
    this.conversationId = conversationId;
    this.listen();
  }

  static async open(
    scene: Scene,
    name: string,
    conversationId: () => string,
    port = (): number => scene.server.port,
  ): Promise<Device> {
    const open = async (): Promise<Client> =>
      connect({
        url: `http://127.0.0.1:${port()}`,
        token: () => scene.token(name),
        storage: await fileStorage(join(scene.data, `${name}.store`)),
        cache: { messages: 5_000 },
      });
    const device = new Device(await open(), open, conversationId);
    onTestFinished(() => device.client.close());
    return device;
  }

  /** The application ends, and starts again with what it stored. */
  async restart(): Promise<void> {
    await this.client.close();
    this.client = await this.open();
    this.shown.splice(0);
    this.shown.push(...this.client.messages(this.conversationId()));
    this.listen();
  }

  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return;
        for (const end of ends) end();
        resolve();
      };
      const ends = (['message', 'outgoing', 'chat', 'connection', 'receipts'] as const).map((name) =>
        this.client.on(name, look),
      );
      look();
    });
  }

  private listen(): void {
    this.client.on('message', ({ conversationId, message }) => {
      if (conversationId === this.conversationId()) this.shown.push(message);
    });
  }
}

const textOf = ({ content }: Pick<Message, 'content'>): string => (content?.type === 'text' ? content.text : '');

test('C1, C2, C10, C12: two clients with files lose, double and reorder nothing through SIGKILLs of the server and restarts of their own', async () => {
  const scene = await Scene.open();
  let talk = '';
  const [alice, bob] = await Promise.all(['alice', 'bob'].map((name) => Device.open(scene, name, () => talk)));
  if (alice === undefined || bob === undefined) throw new Error('two devices are needed');
  await bob.until(() => bob.client.status.status === 'live');
  const opened = await alice.client.startDirect({ name: 'bob' }).outcome;
  talk = (opened.ok ? opened.answer.conversationId : null) ?? '';

  const said: Record<string, string[]> = { alice: [], bob: [] };
  const say = (device: Device, name: string, count: number): void => {
    for (let n = 0; n < count; n++) {
      const line = `${name} ${said[name]?.length ?? 0}`;
      said[name]?.push(line);
      device.client.send(talk, line);
    }
  };
  for (let round = 0; round < 6; round++) {
    say(alice, 'alice', 12);
    say(bob, 'bob', 8);
    const halfway = alice.shown.length + 5;
    await alice.until(() => alice.shown.length >= halfway);
    await scene.server.end('SIGKILL');
    say(alice, 'alice', 3);
    await (round % 2 === 0 ? alice : bob).restart();
    say(bob, 'bob', 3);
    await scene.restart({ port: scene.server.port });
    alice.client.reconnect();
    bob.client.reconnect();
  }
  const count = (said['alice']?.length ?? 0) + (said['bob']?.length ?? 0);
  await Promise.all([alice, bob].map((device) => device.until(() => device.shown.length >= count)));

  expect(alice.shown.map(({ seq }) => seq)).toEqual(Array.from({ length: count }, (_, at) => at + 1));
  expect(bob.shown.map(textOf)).toEqual(alice.shown.map(textOf));
  for (const [name, lines] of Object.entries(said)) {
    expect(alice.shown.map(textOf).filter((line) => line.startsWith(name))).toEqual(lines);
  }
  expect(alice.client.outgoing(talk)).toEqual([]);

  // C1, F24: in the end everything is read, and both know it.
  alice.client.markRead(talk);
  bob.client.markRead(talk);
  const allRead = ({ client }: Device): boolean =>
    client.messages(talk).every(({ sendState }) => sendState === null || sendState === 'read');
  await Promise.all([alice, bob].map((device) => device.until(() => allRead(device))));
  expect(alice.client.chat(talk)?.unread).toBe(0);
  expect(await scene.violations({ settled: false })).toEqual([]);
});

test('N3, C10, C12: over a network that delays, splits, resets and cuts, two clients lose, double and reorder nothing', async () => {
  const scene = await Scene.open();
  const { carry, troubles } = badNetwork(seeded(seedFor('N3')));
  const proxy = await Proxy.open(() => scene.server.port, carry);
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  let talk = '';
  const open = (name: string): Promise<Device> =>
    Device.open(
      scene,
      name,
      () => talk,
      () => proxy.port,
    );
  const [alice, bob] = [await open('alice'), await open('bob')];
  await bob.until(() => bob.client.userId !== null);
  const opened = await alice.client.startDirect({ name: 'bob' }).outcome;
  talk = (opened.ok ? opened.answer.conversationId : null) ?? '';
  const lines = Array.from({ length: 300 }, (_, n) => `line ${n} ${'…'.repeat(600)}`);
  for (const line of lines) {
    alice.client.send(talk, `alice ${line}`);
    bob.client.send(talk, `bob ${line}`);
  }
  // The network ends connections, the server is there: waiting is of no use.
  for (const { client } of [alice, bob]) {
    client.on('connection', ({ status }) => {
      if (status === 'offline') client.reconnect();
    });
  }
  await Promise.all([alice, bob].map((device) => device.until(() => device.shown.length >= 600)));
  expect(Object.values(troubles.ended).reduce((sum, times) => sum + times, 0)).toBeGreaterThan(3);
  expect(bob.shown).toEqual(alice.shown);
  expect(alice.shown.map(({ seq }) => seq)).toEqual(Array.from({ length: 600 }, (_, at) => at + 1));
  for (const [name, device] of Object.entries({ alice, bob })) {
    const said = device.shown.map(textOf).filter((line) => line.startsWith(name));
    expect(said).toEqual(lines.map((line) => `${name} ${line}`));
  }
  expect(await scene.violations({ settled: false })).toEqual([]);
});

test('M8, C5: a second device converges: history, edits, settings and unread, and pages what it does not hold', async () => {
  const scene = await Scene.open();
  let talk = '';
  const alice = await Device.open(scene, 'alice', () => talk);
  const bob = await Device.open(scene, 'bob', () => talk);
  await bob.until(() => bob.client.status.status === 'live');
  const group = await alice.client.createGroup('tea', [{ name: 'bob' }]).outcome;
  talk = (group.ok ? group.answer.conversationId : null) ?? '';
  const sends = Array.from({ length: 30 }, (_, n) => alice.client.send(talk, `message ${n + 1}`).outcome);
  await Promise.all(sends);
  await alice.client.edit(talk, 3, 'changed').outcome;
  await alice.client.delete(talk, 4).outcome;
  await bob.until(() => bob.shown.length === 30 && bob.client.messages(talk)[3]?.state === 'deleted');
  bob.client.markRead(talk, 10);
  await bob.client.changeSettings(talk, { pinned: true, mutedUntil: 1 }).outcome;

  const token = scene.token('bob', 'tablet');
  const url = `http://127.0.0.1:${scene.server.port}`;
  const tablet = await connect({ url, token: () => token, cache: { messages: 8 } });
  onTestFinished(() => tablet.close());
  const isThere = (): boolean => tablet.chat(talk)?.pinned === true && tablet.chat(talk)?.unread === 20;
  await new Promise<void>((resolve) => {
    tablet.on('chat', () => {
      if (isThere()) resolve();
    });
  });
  expect(tablet.chat(talk)).toMatchObject({ name: 'tea', pinned: true, mutedUntil: 1, read: 10, unread: 20 });
  expect(tablet.messages(talk).length).toBeLessThanOrEqual(12);
  // Pages and hits come from read models, which follow the log a little behind what the frames say.
  const page = async (): Promise<unknown[]> => {
    const { messages } = await tablet.history(talk, { before: 6, limit: 3 });
    return messages.map(({ seq, state, version }) => [seq, state, version > 0]);
  };
  await expect.poll(page).toEqual([
    [3, 'shown', true],
    [4, 'deleted', true],
    [5, 'shown', false],
  ]);
  const hits = async (): Promise<number[]> =>
    (await tablet.search('message 17', { conversation: talk })).hits.map(({ seq }) => seq);
  await expect.poll(hits).toEqual([17]);
});

test('the example of client/README.md runs as it stands', async () => {
  const scene = await Scene.open();
  const bob = await Device.open(scene, 'bob', () => '');
  await bob.until(() => bob.client.status.status === 'live');
  const example = /```ts\n(.*?)```/s.exec(readFileSync(join(root, 'client/README.md'), 'utf8'))?.[1] ?? '';
  const code = example.replace('data/alice.store', join(scene.data, 'alice.store'));
  const options = ['--conditions=source', '--input-type=module-typescript', '--eval', code];
  const env = { ...process.env, PARLEY_URL: `http://127.0.0.1:${scene.server.port}`, TOKEN: scene.token('alice') };
  const child = spawn(process.execPath, options, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  const out = await text(child.stdout);
  await ended;
  expect(child.exitCode).toBe(0);
  expect(out).toContain('sending');
  expect(out).toContain('sent');
  expect(out).toContain("1 { type: 'text', text: 'Hello, こんにちは' }");
  expect(out).toMatch(/ok: true/);
});
