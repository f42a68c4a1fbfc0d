import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const installed = '/usr/lib/jvm';
const cache = join(import.meta.dirname, '../../.cache/servers');

/** The program of a Java of one of these versions; undefined: there is none. */
export const findJava = async (fits: (version: number) => boolean): Promise<string | undefined> => {
  const home = process.env['JAVA_HOME'];
  const homes = (await readdir(installed).catch(() => [])).map((name) => join(installed, name));
  // Files lie beside the folders.
  const candidates = [...(home === undefined ? [] : [home]), ...homes]
    .map((path) => join(path, 'bin/java'))
    .filter((path) => existsSync(path));
  for (const java of ['java', ...candidates]) {
    const version = await run(java, ['-version']).then(
      ({ stderr }) => Number(/version "(\d+)/.exec(stderr)?.[1]),
      () => undefined,
    );
    if (version !== undefined && fits(version)) return java;
  }
  return undefined;
};

/**
 * The folder with the jars that a pom.xml asks for, fetched once for each text of it; undefined: Maven is not installed.
 * A fetch that is cut leaves nothing under the folder's name.
 */
export const jarsOf = async (name: string, pom: string): Promise<string | undefined> => {
  const key = createHash('sha256')
    .update(await readFile(pom))
    .digest('hex')
    .slice(0, 12);
  const jars = join(cache, `${name}-${key}`);
  if (existsSync(jars)) return jars;
  await mkdir(cache, { recursive: true });
  const unfinished = await mkdtemp(join(cache, `${name}-unfinished-`));
  try {
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${unfinished}`];
    await run('mvn', ['-q', '-B', '-f', pom, ...goal]);
    // Another run may have been faster.
    await rename(unfinished, jars).catch((error: unknown) => {
      if (!existsSync(jars)) throw error;
    });
    return jars;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
};
