import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test, type TestContext } from 'vitest';
import { openCassandra } from '../../command-side/cassandra-connection.ts';
import { clusterUrl } from '../../schemas/cluster-url.ts';
import { Proxy, together } from '../proxy.ts';
import { runParley } from '../run-parley.ts';
import { sayLast } from '../say-last.ts';
import { ServerProcess, temporaryFolder } from '../server-process.ts';
import { durableCommitLog, passwords, startOwnCassandra, type OwnCassandra } from '../servers/cassandra.ts';
import { cassandraDeps, newKeyspace, urlOfKeyspace } from '../servers/cassandra-keyspace.ts';
import { tokenSecret } from '../tokens.ts';
import { WireClient } from '../wire-client.ts';

/** One that wants a password, and is killed and started again behind one address, as a supervisor does. */
interface RestartedCassandra {
  readonly own: OwnCassandra;
  readonly proxy: Proxy;
}

let shared: RestartedCassandra | undefined;

beforeAll(async () => {
  const own = await startOwnCassandra({ ...durableCommitLog, ...passwords });
  if (own === undefined) return;
  const carry = (client: Socket, upstream: Socket): void => {
    together(client, upstream);
    client.pipe(upstream);
    upstream.pipe(client);
  };
  shared = { own, proxy: await Proxy.open(() => own.port, carry) };
});
afterAll(async () => {
  await shared?.proxy[Symbol.asyncDispose]();
  await shared?.own.stop();
});

const cassandraFor = (context: TestContext): RestartedCassandra => {
  if (shared !== undefined) return shared;
  sayLast('Java 17 or Maven is not installed: D12 was not tried on a Cassandra that is killed.');
  return context.skip();
};

const newStack = (): AsyncDisposableStack => {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  return stack;
};

const urlOn = ({ proxy }: RestartedCassandra, keyspace: string, user = 'cassandra:cassandra@'): string =>
  urlOfKeyspace(`cassandra://${user}127.0.0.1:${proxy.port}?dc=datacenter1&rf=1`, keyspace);

const newFolder = async (stack: AsyncDisposableStack): Promise<string> => {
  const folder = await temporaryFolder('cassandra-faults');
  stack.defer(() => folder.stop());
  return folder.path;
};

const startOn = async (data: string, accounts: string, stack: AsyncDisposableStack): Promise<ServerProcess> => {
  const env = {
    PARLEY_TOKEN_SECRET: tokenSecret,
    PARLEY_ACCOUNTS: accounts,
    PARLEY_SEND_BURST: '1000000',
    PARLEY_SEND_RATE: '1000000',
  };
  const server = await ServerProcess.start({ data, env });
  stack.defer(async () => {
    await server.end();
  });
  return server;
};

const migrated = async (data: string, accounts: string): Promise<void> => {
  const ran = await runParley(data, ['migrate'], { PARLEY_ACCOUNTS: accounts });
  expect(ran).toMatchObject({ code: 0, err: '' });
  expect(ran.out).toMatch(
    /^PARLEY_ACCOUNTS: the accounts in keyspace test_[0-9a-f]+ were brought from version 0 to 1\n$/,
  );
};

interface Readiness {
  readonly status: number;
  readonly checks: Readonly<Record<string, string>>;
  readonly servers: Readonly<Record<string, string>> | undefined;
}

const readinessOf = async ({ port }: ServerProcess): Promise<Readiness> => {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
  return { ...((await answer.json()) as Omit<Readiness, 'status'>), status: answer.status };
};
const accountsOf = async (server: ServerProcess): Promise<string | undefined> =>
  (await readinessOf(server)).servers?.['accounts'];

const live = async (server: ServerProcess, user: string, stack: AsyncDisposableStack): Promise<WireClient> =>
  stack.use(await WireClient.live(server.port, user));

test('D12: who talks goes on while Cassandra is killed, who is new comes when it is back, and nothing said is lost', async (context) => {
  const cassandra = cassandraFor(context);
  const stack = newStack();
  const data = await newFolder(stack);
  const accounts = urlOn(cassandra, newKeyspace());
  await migrated(data, accounts);
  const server = await startOn(data, accounts, stack);
  const [ann, ben] = [await live(server, 'ann', stack), await live(server, 'ben', stack)];
  const { conversationId } = await ann.ask({ type: 'start-direct', with: { name: 'ben' } });
  let said = 0;
  const say = async (count: number): Promise<void> => {
    for (const last = said + count; said < last;) {
      ann.text(conversationId, `text ${++said}`);
      await ben.next('message', ({ seq }) => seq === said);
    }
  };
  await say(20);
  expect(await accountsOf(server)).toBe('ok');
  for (let round = 0; round < 2; round++) {
    await cassandra.own.kill();
    await say(20);
    await expect.poll(() => accountsOf(server)).not.toBe('ok');
    await say(20);
    // Nobody new is let in, and nothing is begun, without a key; but each is told to come again.
    await expect(WireClient.open(server.port, `new ${round}`)).rejects.toThrow(/503/);
    await expect(ann.ask({ type: 'create-group', name: 'trip', members: [] })).rejects.toThrow(/^unavailable: /);
    expect((await readinessOf(server)).status).toBe(200);
    await cassandra.own.startAgain();
    await expect.poll(() => accountsOf(server)).toBe('ok');
    await say(20);
    const carl = await live(server, `new ${round}`, stack);
    await ann.ask({ type: 'create-group', name: 'trip', members: [{ name: `new ${round}` }] });
    await carl.next('conversation');
  }
  expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });

  // Everything can be read with what Cassandra kept alone.
  const again = await startOn(data, accounts, stack);
  const tablet = stack.use(await WireClient.live(again.port, 'ben', 'tablet'));
  expect(tablet.of('message').at(-1)).toMatchObject({ seq: said, content: { text: `text ${said}` } });
  const parley = (...words: string[]) => runParley(data, words, { PARLEY_ACCOUNTS: accounts });
  expect(await parley('verify')).toMatchObject({ code: 0, err: '' });
  expect(await parley('backup', join(data, 'backups'))).toMatchObject({
    code: 2,
    err: 'parley: the keys are on a cluster, whose own tools back them up\n',
  });
  // Once erased, nobody reads it with any key there is, and nobody gets a new one.
  expect(await parley('erase', 'ann', '--yes')).toMatchObject({ code: 0, err: '' });
  await expect(WireClient.open(again.port, 'ann')).rejects.toThrow(/401/);
  const phone = stack.use(await WireClient.live(again.port, 'ben', 'other'));
  expect(phone.of('message').filter(({ content }) => content?.type === 'text')).toEqual([]);
});

test('D12: a Cassandra that is away at the start is waited for, alive and not ready, until it comes or SIGTERM', async (context) => {
  const cassandra = cassandraFor(context);
  const stack = newStack();
  const data = await newFolder(stack);
  const accounts = urlOn(cassandra, newKeyspace());
  await migrated(data, accounts);
  await cassandra.own.kill();
  const waits = async (server: ServerProcess): Promise<void> => {
    const { status, checks } = await readinessOf(server);
    expect({ status, names: Object.keys(checks) }).toEqual({ status: 503, names: ['PARLEY_ACCOUNTS'] });
    expect((await fetch(`http://127.0.0.1:${server.port}/livez`)).status).toBe(200);
    expect(server.output.join('\n')).toMatch(/^parley waits for PARLEY_ACCOUNTS: .+; until then http:\S+ says so$/);
  };
  const impatient = await startOn(await newFolder(stack), accounts, stack);
  await waits(impatient);
  expect(await impatient.end('SIGTERM')).toEqual({ code: 0, signal: null });

  const patient = await startOn(data, accounts, stack);
  await waits(patient);
  await cassandra.own.startAgain();
  const status = (): Promise<number | string> => readinessOf(patient).then((ready) => ready.status, String);
  await expect.poll(status).toBe(200);
  const ann = await live(patient, 'ann', stack);
  await live(patient, 'ben', stack);
  await ann.ask({ type: 'start-direct', with: { name: 'ben' } });
});

const failedStart = async (accounts: string, stack: AsyncDisposableStack) => {
  const env = { PARLEY_DATA: await newFolder(stack), PARLEY_PORT: '0', PARLEY_TOKEN_SECRET: tokenSecret };
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../main/embedded.ts')], {
    env: { ...env, PARLEY_ACCOUNTS: accounts },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += String(text)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, said };
};

test('a user of Cassandra that may do what docs/distributed.md names is enough', async (context) => {
  const cassandra = cassandraFor(context);
  const stack = newStack();
  const [data, keyspace] = [await newFolder(stack), newKeyspace()];
  await migrated(data, urlOn(cassandra, keyspace));
  for (const statement of [
    "CREATE ROLE parley WITH PASSWORD = 'a-long-secret' AND LOGIN = true",
    `GRANT SELECT ON KEYSPACE ${keyspace} TO parley`,
    `GRANT MODIFY ON KEYSPACE ${keyspace} TO parley`,
  ]) {
    await onCassandra(cassandra, keyspace, statement);
  }
  const server = await startOn(data, urlOn(cassandra, keyspace, 'parley:a-long-secret@'), stack);
  const ann = await live(server, 'ann', stack);
  await live(server, 'ben', stack);
  await ann.ask({ type: 'start-direct', with: { name: 'ben' } });
  expect(server.output.filter((line) => line.includes('is not known'))).toHaveLength(1);
});

test('O8: credentials, keyspace, tables, data center or a server that will not do end the start with one line and code 2', async (context) => {
  const cassandra = cassandraFor(context);
  const stack = newStack();
  const noCassandra = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  }).listen(0, '127.0.0.1');
  await once(noCassandra, 'listening');
  stack.defer(() => void noCassandra.close());
  const { port } = noCassandra.address() as AddressInfo;
  const [migratedOne, newer, missing] = [newKeyspace(), newKeyspace(), newKeyspace()];
  for (const keyspace of [migratedOne, newer]) await migrated(await newFolder(stack), urlOn(cassandra, keyspace));
  await onCassandra(cassandra, newer, "UPDATE parley_versions SET version = 9 WHERE part = 'accounts'");
  for (const [accounts, cause] of [
    [urlOn(cassandra, migratedOne, 'cassandra:wrong-secret@'), 'password are incorrect'],
    [urlOn(cassandra, migratedOne, ''), 'requires authentication'],
    [urlOn(cassandra, missing), `Keyspace '${missing}' does not exist: run parley migrate`],
    [urlOn(cassandra, 'system_auth'), 'holds tables of something else'],
    [urlOn(cassandra, newer), 'are of version 9, and this Parley needs version 1'],
    [urlOn(cassandra, migratedOne).replace('dc=datacenter1', 'dc=other'), 'only found hosts in data centers'],
    [`cassandra://127.0.0.1:${port}/parley?dc=datacenter1`, 'speaks something else'],
    ['cassandra://127.0.0.1/parley', 'must be sqlite:DIRECTORY or cassandra:'],
  ] as const) {
    const { code, said } = await failedStart(accounts, stack);
    expect(said).toMatch(new RegExp(`^parley cannot start: PARLEY_ACCOUNTS: .*${cause}.*\n$`));
    expect(said).not.toContain('secret');
    expect(code).toBe(2);
  }
  // What is there already is left as it is, and what is not ours is not touched.
  const again = await runParley(await newFolder(stack), ['migrate'], {
    PARLEY_ACCOUNTS: urlOn(cassandra, migratedOne),
  });
  expect(again).toMatchObject({ code: 0, out: expect.stringContaining('are at version 1') as string });
  const foreign = await runParley(await newFolder(stack), ['migrate'], {
    PARLEY_ACCOUNTS: urlOn(cassandra, 'system_auth'),
  });
  expect(foreign.code).toBe(2);
  expect(foreign.err).toMatch(/^parley: PARLEY_ACCOUNTS: keyspace system_auth holds tables of something else.*\n$/);
});

const onCassandra = async (cassandra: RestartedCassandra, keyspace: string, statement: string): Promise<void> => {
  const connection = await openCassandra(clusterUrl.parse(urlOn(cassandra, keyspace)), cassandraDeps);
  try {
    await connection.client.execute(statement, [], { prepare: false });
  } finally {
    await connection.close();
  }
};
