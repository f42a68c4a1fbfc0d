import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { expect, inject, onTestFinished, test } from 'vitest';
import { clusterUrl } from '../schemas/cluster-url.ts';
import { Proxy, together } from '../tests/proxy.ts';
import { cassandraDeps, urlOfKeyspace } from '../tests/servers/cassandra-keyspace.ts';
import { openCassandra, type CassandraConnection } from './cassandra-connection.ts';

interface Line {
  readonly client: Socket;
  readonly upstream: Socket;
  readonly cut: () => void;
}

/** A way to the Cassandra of this run that can be cut, and can fall silent. */
const openWay = async (stack: AsyncDisposableStack) => {
  const lines = new Set<Line>();
  const { hosts, dataCenter } = clusterUrl.parse(urlOfKeyspace(inject('cassandra'), 'system'));
  let isSilent = false;
  const proxy = await Proxy.open(
    () => Number(hosts[0]?.split(':')[1]),
    (client, upstream) => {
      const line = { client, upstream, cut: together(client, upstream) };
      lines.add(line);
      client.on('close', () => lines.delete(line));
      client.pipe(upstream);
      if (!isSilent) upstream.pipe(client);
    },
  );
  stack.use(proxy);
  return {
    cluster: clusterUrl.parse(`cassandra://127.0.0.1:${proxy.port}/system?dc=${dataCenter}`),
    cut: () => lines.forEach(({ cut }) => cut()),
    silence() {
      isSilent = true;
      for (const { client, upstream } of lines) upstream.unpipe(client);
    },
    speak() {
      isSilent = false;
      for (const { client, upstream } of lines) upstream.pipe(client);
    },
  };
};

const open = async (
  cluster: ReturnType<typeof clusterUrl.parse>,
  stack: AsyncDisposableStack,
): Promise<CassandraConnection> => {
  const connection = await openCassandra(cluster, cassandraDeps);
  stack.defer(() => connection.close());
  return connection;
};

const newStack = (): AsyncDisposableStack => {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  return stack;
};

const ask = ({ client }: CassandraConnection): Promise<unknown> => client.execute('SELECT release_version FROM local');
const answers = (connection: CassandraConnection): Promise<boolean> =>
  ask(connection).then(
    () => true,
    () => false,
  );

test('D12: a thousand lost connections leave listeners, timers and sockets as they were, and each comes back', async () => {
  const stack = newStack();
  const way = await openWay(stack);
  const connections = await Promise.all(Array.from({ length: 10 }, () => open(way.cluster, stack)));
  const cutAll = async (): Promise<void> => {
    way.cut();
    await Promise.all(
      connections.map((connection) => expect.poll(() => answers(connection), { interval: 20 }).toBe(true)),
    );
  };
  const resources = (kind: string): number => process.getActiveResourcesInfo().filter((name) => name === kind).length;
  const listenersOn = (emitter: EventEmitter): number =>
    emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0);
  const held = () => ({
    clients: Math.max(...connections.map(({ client }) => listenersOn(client))),
    hosts: Math.max(...connections.flatMap(({ client }) => client.hosts.values().map(listenersOn))),
    sockets: resources('TCPSocketWrap'),
    timers: resources('Timeout'),
  });
  await cutAll();
  // Three sockets a connection: its own, and both of the way.
  await expect.poll(() => held().sockets).toBe(30);
  const before = held();
  for (let round = 0; round < 100; round++) await cutAll();
  await expect.poll(() => held().sockets).toBe(30);
  const { clients, hosts, timers } = held();
  expect(clients).toBe(before.clients);
  // At a moment when one is looked at, it has one more.
  expect(hosts).toBeLessThanOrEqual(before.hosts + 2);
  expect(timers).toBeLessThanOrEqual(before.timers + connections.length);
});

test('D12: what gets no answer rejects, and who fell silent is away until it speaks again', async () => {
  const stack = newStack();
  const way = await openWay(stack);
  const connection = await open(way.cluster, stack);
  await ask(connection);
  expect(connection.away()).toBeUndefined();
  way.silence();
  await expect(ask(connection)).rejects.toThrow();
  await expect.poll(() => connection.away()).toMatch(/no answer$/);
  way.speak();
  await expect.poll(() => answers(connection)).toBe(true);
  expect(connection.away()).toBeUndefined();
});
