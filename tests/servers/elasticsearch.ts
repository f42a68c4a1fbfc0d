import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '../server-process.ts';
import { elasticsearchCommand, elasticsearchDistribution, type Distribution } from './elasticsearch-distribution.ts';
import type { LiveServer, Product } from './product.ts';
import { runServer, type RunningServer } from './run-server.ts';

/** An Elasticsearch of its own, which a test may end and start again on what it had written, at another port. */
export interface OwnElasticsearch extends LiveServer, RunningServer {
  /** Where it runs, with its `data`. */
  readonly folder: string;
  startAgain(): Promise<void>;
}

const image = 'docker.elastic.co/elasticsearch/elasticsearch:9.5.3';
const startMs = 120_000;
const nobody = 65_534;

const logging = `
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c{1.} %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
`;

const settingsFor = (folder: string, port: number): string => `
cluster.name: parley-test
node.name: parley-test
discovery.type: single-node
network.host: 127.0.0.1
http.port: ${port}
transport.port: 0
path.data: ${folder}/data
path.logs: ${folder}/logs
cluster.routing.allocation.disk.threshold_enabled: false
`;

const answers = (port: number): Promise<boolean> =>
  fetch(`http://127.0.0.1:${port}/_cluster/health?wait_for_status=yellow&timeout=1s`, {
    signal: AbortSignal.timeout(2_000),
  }).then(
    ({ ok }) => ok,
    () => false,
  );

const startIn = async (folder: string, distribution: Distribution): Promise<RunningServer> => {
  const running = await runServer({
    name: 'elasticsearch',
    startMs,
    folder,
    async command(port) {
      await writeFile(join(folder, 'config/elasticsearch.yml'), settingsFor(folder, port));
      return elasticsearchCommand(distribution, folder);
    },
    answers,
  });
  if (running === undefined) throw new Error('there is no /bin/sh');
  return running;
};

/** From its jars; undefined: Java or Maven is not installed. */
export const startOwnElasticsearch = async (): Promise<OwnElasticsearch | undefined> => {
  const distribution = await elasticsearchDistribution();
  if (distribution === undefined) return undefined;
  await using opening = new AsyncDisposableStack();
  const folder = await temporaryFolder('elasticsearch');
  opening.defer(() => folder.stop());
  for (const path of ['', 'config', 'data', 'logs', 'tmp'].map((name) => join(folder.path, name))) {
    await mkdir(path, { recursive: true });
    if (process.getuid?.() === 0) await chown(path, nobody, nobody);
  }
  await writeFile(join(folder.path, 'config/log4j2.properties'), logging);
  let running = await startIn(folder.path, distribution);
  opening.defer(() => running.kill());
  const kept = opening.move();
  return {
    folder: folder.path,
    get port() {
      return running.port;
    },
    get pid() {
      return running.pid;
    },
    get url() {
      return `http://127.0.0.1:${running.port}`;
    },
    kill: () => running.kill(),
    async startAgain() {
      running = await startIn(folder.path, distribution);
    },
    stop: () => kept.disposeAsync(),
  };
};

export const elasticsearch: Product = {
  key: 'elasticsearch',
  name: 'Elasticsearch',
  variable: 'PARLEY_TEST_ELASTICSEARCH_URL',
  needs: 'a JDK (21 or newer) and Maven',
  async startInDocker() {
    const { GenericContainer, Wait } = await import('testcontainers');
    const container = await new GenericContainer(image)
      .withEnvironment({
        'discovery.type': 'single-node',
        'xpack.security.enabled': 'false',
        ES_JAVA_OPTS: '-Xms512m -Xmx512m',
      })
      .withExposedPorts(9200)
      .withWaitStrategy(Wait.forHttp('/_cluster/health?wait_for_status=yellow', 9200))
      .withStartupTimeout(startMs)
      .start();
    return {
      url: `http://${container.getHost()}:${container.getMappedPort(9200)}`,
      stop: async () => {
        await container.stop();
      },
    };
  },
  startFromPackage: () => startOwnElasticsearch(),
};
