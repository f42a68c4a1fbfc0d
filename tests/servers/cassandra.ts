import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { temporaryFolder } from '../server-process.ts';
import { findJava, jarsOf } from './java.ts';
import type { LiveServer, Product } from './product.ts';
import { freePort, runServer, type RunningServer } from './run-server.ts';

/** A Cassandra of its own, of one node, which a test may end and start again over the same data. */
export interface OwnCassandra extends LiveServer {
  /** Of its last start; another one after each. */
  readonly port: number;
  readonly pid: number;
  /** At once, as a crash. */
  kill(): Promise<void>;
  startAgain(): Promise<void>;
}

const image = 'cassandra:5.0.9';
const startMs = 180_000;
const files = join(import.meta.dirname, 'cassandra');
const parameters = 'dc=datacenter1&rf=1';

/** What is acknowledged is on the disk, as the accounts need it, and soon. */
export const durableCommitLog = { commitlog_sync: 'group', commitlog_sync_group_window: '10ms' };
/** What every Cassandra does unless it is told: it forgets what it acknowledged in the last moment before a crash. */
export const periodicCommitLog = { commitlog_sync: 'periodic', commitlog_sync_period: '1000ms' };
/** The user is `cassandra`, and so is the password. */
export const passwords = { authenticator: 'PasswordAuthenticator', authorizer: 'CassandraAuthorizer' };

const small = {
  cluster_name: 'parley-tests',
  num_tokens: 1,
  partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
  endpoint_snitch: 'SimpleSnitch',
  seed_provider: [
    { class_name: 'org.apache.cassandra.locator.SimpleSeedProvider', parameters: [{ seeds: '127.0.0.1' }] },
  ],
  listen_address: '127.0.0.1',
  rpc_address: '127.0.0.1',
  start_native_transport: true,
  authenticator: 'AllowAllAuthenticator',
  authorizer: 'AllowAllAuthorizer',
  auto_bootstrap: false,
  auto_snapshot: false,
  disk_failure_policy: 'die',
  commit_failure_policy: 'die',
  commitlog_segment_size: '8MiB',
  commitlog_total_space: '128MiB',
  memtable_heap_space: '96MiB',
  memtable_offheap_space: '96MiB',
  file_cache_size: '64MiB',
  networking_cache_size: '32MiB',
  key_cache_size: '8MiB',
  key_cache_save_period: '0s',
  row_cache_size: '0MiB',
  counter_cache_size: '0MiB',
  concurrent_reads: 16,
  concurrent_writes: 16,
  concurrent_compactors: 1,
  compaction_throughput: '0MiB/s',
  hinted_handoff_enabled: false,
  dynamic_snitch: false,
};

type Settings = Readonly<Record<string, string | number | boolean>>;

/** An empty OPTIONS frame of the protocol's version 4, and what an answer to it begins with. */
const ask = Buffer.from([4, 0, 0, 0, 5, 0, 0, 0, 0]);
const isSupported = (answer: Buffer): boolean => answer[0] === 0x84 && answer[4] === 6;

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(ask));
    socket.setTimeout(1_000, () => socket.destroy());
    socket.on('data', (answer) => {
      resolve(isSupported(answer));
      socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(false));
  });

const startOn = (java: string, jars: string, folder: string, settings: Settings): Promise<RunningServer | undefined> =>
  runServer({
    name: 'cassandra',
    startMs,
    folder,
    async command(port) {
      const yaml = join(folder, 'cassandra.yaml');
      const ports = { native_transport_port: port, storage_port: await freePort() };
      await mkdir(join(folder, 'triggers'), { recursive: true });
      // JSON is YAML.
      await writeFile(yaml, JSON.stringify({ ...small, ...settings, ...ports }));
      return [
        java,
        `@${join(files, 'jvm.options')}`,
        '-Xms256m',
        '-Xmx512m',
        `-Djava.io.tmpdir=${folder}`,
        `-Djna.tmpdir=${folder}`,
        `-Dlogback.configurationFile=file://${join(files, 'logback.xml')}`,
        `-Dcassandra.config=file://${yaml}`,
        `-Dcassandra.storagedir=${folder}`,
        `-Dcassandra.logdir=${join(folder, 'logs')}`,
        `-Dcassandra.triggers_dir=${join(folder, 'triggers')}`,
        '-cp',
        `${jars}/*`,
        'org.apache.cassandra.service.CassandraDaemon',
      ];
    },
    answers,
  });

/** From its jars; undefined: Java 17 or Maven is not installed. `settings` are those of cassandra.yaml. */
export const startOwnCassandra = async (settings: Settings = durableCommitLog): Promise<OwnCassandra | undefined> => {
  const [java, jars] = await Promise.all([
    findJava((version) => version === 17),
    jarsOf('cassandra', join(files, 'pom.xml')),
  ]);
  if (java === undefined || jars === undefined) return undefined;
  await using opening = new AsyncDisposableStack();
  const folder = await temporaryFolder('cassandra');
  opening.defer(() => folder.stop());
  const start = async (): Promise<RunningServer> => {
    const started = await startOn(java, jars, folder.path, settings);
    if (started === undefined) throw new Error(`${java} is not there any more`);
    return started;
  };
  let running = await start();
  opening.defer(() => running.kill());
  const kept = opening.move();
  return {
    get port() {
      return running.port;
    },
    get pid() {
      return running.pid;
    },
    get url() {
      return `cassandra://127.0.0.1:${running.port}?${parameters}`;
    },
    kill: () => running.kill(),
    async startAgain() {
      running = await start();
    },
    stop: () => kept.disposeAsync(),
  };
};

export const cassandra: Product = {
  key: 'cassandra',
  name: 'Cassandra',
  variable: 'PARLEY_TEST_CASSANDRA_URL',
  needs: 'Java 17 and Maven',
  async startInDocker() {
    const { GenericContainer, Wait } = await import('testcontainers');
    const settings = Object.entries(durableCommitLog).map(([name, value]) => `${name}: ${value}`);
    const configure = [
      `sed -i '/^commitlog_sync/d' /etc/cassandra/cassandra.yaml`,
      `printf '%s\\n' ${settings.map((line) => `'${line}'`).join(' ')} >>/etc/cassandra/cassandra.yaml`,
      'exec docker-entrypoint.sh cassandra -f',
    ];
    const container = await new GenericContainer(image)
      .withEnvironment({ MAX_HEAP_SIZE: '512M', HEAP_NEWSIZE: '128M' })
      .withEntrypoint(['bash', '-c', configure.join(' && ')])
      .withExposedPorts(9042)
      .withWaitStrategy(Wait.forLogMessage('Starting listening for CQL clients'))
      .withStartupTimeout(2 * startMs)
      .start();
    return {
      url: `cassandra://${container.getHost()}:${container.getMappedPort(9042)}?${parameters}`,
      stop: async () => {
        await container.stop();
      },
    };
  },
  startFromPackage: () => startOwnCassandra(),
};
