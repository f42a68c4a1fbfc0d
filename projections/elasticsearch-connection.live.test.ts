import { expect, inject, onTestFinished, test } from 'vitest';
import { Proxy, together } from '../tests/proxy.ts';
import { checkElasticsearch, connectElasticsearch, type ElasticsearchConnection } from './elasticsearch-connection.ts';

/** A way to the Elasticsearch of this run that can be cut. */
const openWay = async (stack: AsyncDisposableStack) => {
  const cuts = new Set<() => void>();
  const proxy = await Proxy.open(
    () => Number(new URL(inject('elasticsearch')).port),
    (client, upstream) => {
      const cut = together(client, upstream);
      cuts.add(cut);
      client.on('close', () => cuts.delete(cut));
      client.pipe(upstream);
      upstream.pipe(client);
    },
  );
  stack.use(proxy);
  return { url: new URL(`http://127.0.0.1:${proxy.port}`), cut: () => cuts.forEach((cut) => cut()) };
};

const answers = (connection: ElasticsearchConnection): Promise<boolean> =>
  checkElasticsearch(connection).then(
    () => true,
    () => false,
  );

test('D12: a thousand lost connections leave listeners, timers and sockets as they were, and each comes back', async () => {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const way = await openWay(stack);
  const said: string[] = [];
  const connections = Array.from({ length: 10 }, () => {
    const connection = connectElasticsearch(way.url, (_, message) => said.push(message));
    stack.defer(() => connection.close());
    return connection;
  });
  const cutAll = async (): Promise<void> => {
    const underWay = connections.map(answers);
    way.cut();
    await Promise.all(underWay);
    await Promise.all(
      connections.map((connection) => expect.poll(() => answers(connection), { interval: 20 }).toBe(true)),
    );
  };
  const resources = (kind: string): number => process.getActiveResourcesInfo().filter((name) => name === kind).length;
  const held = () => ({
    listeners: connections.map(({ client: { diagnostic } }) =>
      diagnostic.eventNames().map((name) => diagnostic.listenerCount(name)),
    ),
    sockets: resources('TCPSocketWrap'),
    timers: resources('Timeout'),
  });
  expect(await Promise.all(connections.map(answers))).toEqual(connections.map(() => true));
  await cutAll();
  const before = held();
  for (let round = 0; round < 100; round++) await cutAll();
  // Three sockets a connection, its own and both of the way; the client opens a second one where the first is just being closed.
  await expect.poll(() => held().sockets).toBeLessThanOrEqual(2 * 3 * connections.length);
  const { listeners, timers } = held();
  expect(listeners).toEqual(before.listeners);
  // A request under way has one, now or then.
  expect(timers).toBeLessThanOrEqual(before.timers + connections.length);
  expect(connections.map((connection) => connection.away())).toEqual(connections.map(() => undefined));
  expect(said.filter((message) => message.includes('is back')).length).toBeGreaterThan(0);
});
