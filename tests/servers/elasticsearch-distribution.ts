import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { findJava, jarsOf } from './java.ts';

/** Elasticsearch laid out as it is in a distribution, and the Java that runs it. */
export interface Distribution {
  readonly home: string;
  readonly java: string;
}

const oldestJava = 21;
const files = join(import.meta.dirname, 'elasticsearch');
const classes = {
  agent: 'AttachAgent.java',
  console: 'org/elasticsearch/io/ansi/AnsiConsoleLoader.java',
  launcher: 'WriteArguments.java',
} as const;
const netty = 'modules/transport-netty4';

const run = promisify(execFile);

/** undefined: no JDK that is new enough is installed, or no Maven to fetch the server's jars with. */
export const elasticsearchDistribution = async (): Promise<Distribution | undefined> => {
  const java = await findJava((version) => version >= oldestJava);
  if (java === undefined || (await run(besideJava(java, 'javac'), ['-version']).catch(() => undefined)) === undefined)
    return undefined;
  const jars = await jarsOf('elasticsearch', join(files, 'pom.xml'));
  if (jars === undefined) return undefined;
  const sources = createHash('sha256');
  for (const file of Object.values(classes)) sources.update(await readFile(join(files, file)));
  const home = `${jars}-${sources.digest('hex').slice(0, 12)}`;
  if (existsSync(home)) return { home, java };
  const unfinished = await mkdtemp(`${jars}-unfinished-`);
  try {
    await layOut(jars, unfinished, java);
    // Another run may have been faster.
    await rename(unfinished, home).catch((error: unknown) => {
      if (!existsSync(home)) throw error;
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return { home, java };
};

const besideJava = (java: string, program: string): string => join(dirname(java), program);

const layOut = async (jars: string, home: string, java: string): Promise<void> => {
  const lib = join(home, 'lib');
  // The server does not run as root, and what mkdtemp makes is closed to others.
  await run('chmod', ['755', home]);
  for (const folder of ['lib', 'plugins', 'config', 'classes', netty])
    await mkdir(join(home, folder), { recursive: true });
  for (const jar of await readdir(jars)) {
    const folder = folderOf(jar);
    await mkdir(join(home, folder), { recursive: true });
    await cp(join(jars, jar), join(home, folder, jar));
  }
  const tool = (program: string, words: readonly string[], cwd = home) =>
    run(besideJava(java, program), words, { cwd });

  const module = join(home, netty);
  const descriptors = 'META-INF/es-plugins/transport-netty4';
  const jar = (await readdir(module)).find((name) => name.startsWith('transport-netty4-')) ?? '';
  await tool('jar', ['--extract', '--file', jar, descriptors], module);
  for (const file of await readdir(join(module, descriptors)))
    await rename(join(module, descriptors, file), join(module, file));

  for (const [folder, file] of Object.entries(classes)) {
    await tool('javac', ['-cp', join(lib, '*'), '-d', join(home, 'classes', folder), join(files, file)]);
  }
  const pack = async (jarFile: string, folder: keyof typeof classes, manifest: readonly string[]): Promise<void> => {
    await mkdir(dirname(join(lib, jarFile)), { recursive: true });
    const lines = join(home, 'classes', `${folder}.mf`);
    await writeFile(lines, [...manifest, ''].join('\n'));
    await tool('jar', ['-c', '-f', join(lib, jarFile), '-m', lines, '-C', join(home, 'classes', folder), '.']);
  };
  const agent = ['Agent-Class: AttachAgent', 'Can-Retransform-Classes: true', 'Can-Redefine-Classes: true'];
  await pack('entitlement-agent/agent.jar', 'agent', agent);
  await pack('tools/ansi-console/console.jar', 'console', ['Manifest-Version: 1.0']);
};

const folderOf = (jar: string): string => {
  if (/^(netty|transport-netty4)-/.test(jar)) return netty;
  return jar.startsWith('elasticsearch-entitlement-bridge-') ? 'lib/entitlement-bridge' : 'lib';
};

/** The options of a distribution's launcher, for a server that lives for minutes on few cores. */
const optionsFor = (home: string, folder: string, bridge: string): readonly string[] => {
  const [lucene, server] = ['org.apache.lucene', 'org.elasticsearch.server'];
  return [
    ...['-Xms512m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:+ExitOnOutOfMemoryError'],
    ...['-XX:+EnableDynamicAgentLoading', '-Djdk.attach.allowAttachSelf=true'],
    ...[`-Djava.io.tmpdir=${folder}/tmp`, `-Duser.home=${folder}`, '-Djava.locale.providers=CLDR'],
    ...['-Dio.netty.noUnsafe=true', '-Dlog4j.shutdownHookEnabled=false', '-Dlog4j2.disable.jmx=true'],
    ...[`-Des.path.home=${home}`, `-Des.path.conf=${folder}/config`, '-Des.distribution.type=tar'],
    '-Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false',
    `--add-opens=${lucene}.core/${lucene}.codecs.lucene99=${server}`,
    `--add-opens=${lucene}.core/${lucene}.internal.vectorization=${server}`,
    `--patch-module=java.base=${bridge}`,
    '--add-exports=java.base/org.elasticsearch.entitlement.bridge=org.elasticsearch.entitlement,java.logging,java.net.http,java.naming,jdk.net',
    `--enable-native-access=org.elasticsearch.nativeaccess,org.elasticsearch.foreign,${lucene}.core,ALL-UNNAMED`,
    `--module-path=${home}/lib`,
    ...['jdk.net', 'jdk.management.agent', 'ALL-MODULE-PATH'].map((module) => `--add-modules=${module}`),
    ...['-m', `${server}/org.elasticsearch.bootstrap.Elasticsearch`],
  ];
};

/** The command that starts it on the settings in `folder`/config, which it takes in a form of its own, from stdin. */
export const elasticsearchCommand = async (
  { home, java }: Distribution,
  folder: string,
): Promise<readonly [string, ...string[]]> => {
  const [settings, bridges] = [join(folder, 'arguments'), join(home, 'lib/entitlement-bridge')];
  const launcher = `${home}/classes/launcher:${home}/lib/*`;
  await run(java, ['-cp', launcher, 'WriteArguments', home, join(folder, 'config'), settings]);
  const [bridge = ''] = await readdir(bridges);
  const environment = ['env', `LIBFFI_TMPDIR=${folder}/tmp`];
  // It refuses to run as root.
  const asNobody = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
  const options = optionsFor(home, folder, join(bridges, bridge));
  return ['/bin/sh', '-c', 'exec "$@" <"$0"', settings, ...environment, ...asNobody, java, ...options];
};
