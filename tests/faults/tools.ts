import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sayLast } from '../say-last.ts';

/** Runs a program to its end; throws with what it said when it fails. */
export const run = (program: string, ...given: string[]): void => {
  const { status, error, stderr } = spawnSync(program, given, { encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${given.join(' ')} ended with ${status}: ${stderr}`);
};

const works = (attempt: () => void): boolean => {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
};

/** True if `attempt` works; else says, at the very end of the output, what could not run here and why. */
const orSay = (id: string, missing: string, attempt: () => void): boolean => {
  const available = works(attempt);
  if (!available) sayLast(`${id} did not run: ${missing}.`);
  return available;
};

const inFolder = (attempt: (folder: string) => void): void => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-probe-'));
  try {
    attempt(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

export const imageSize = '96M';

export const makeImage = (file: string): void => {
  run('truncate', '--size', imageSize, file);
  run('mkfs.ext4', '-q', '-F', file);
};

/** `commit=600`: the file system writes nothing by itself while the test runs, only what is fsynced. */
export const mountImage = (file: string, folder: string): void => run('mount', '-o', 'loop,commit=600', file, folder);
export const unmount = (folder: string): void => run('umount', folder);

export const canMountImages = (id: string): boolean =>
  orSay(id, 'an image cannot be mounted here (no root, no loop device or no mkfs.ext4)', () =>
    inFolder((folder) => {
      const [file, at] = [join(folder, 'image'), join(folder, 'at')];
      makeImage(file);
      run('mkdir', at);
      mountImage(file, at);
      unmount(at);
    }),
  );

export const mountTmpfs = (folder: string, size: string): void =>
  run('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder);
export const enlargeTmpfs = (folder: string, size: string): void => run('mount', '-o', `remount,size=${size}`, folder);

export const canMountTmpfs = (id: string): boolean =>
  orSay(id, 'a tmpfs cannot be mounted here (no root)', () =>
    inFolder((folder) => {
      mountTmpfs(folder, '1M');
      unmount(folder);
    }),
  );

export interface Injection {
  /** e.g. `fsync:error=EIO:when=7`; calls are counted per thread. */
  readonly inject: string;
  /** Only calls on these files count; a folder stands for nothing. */
  readonly files: readonly string[];
  /** Where strace notes what it did. */
  readonly trace: string;
}

/** `-D`: the tracer is the grandchild, so that the pid we know is the server's. */
export const strace = ({ inject, files, trace }: Injection): string[] => [
  ...['strace', '-D', '-f', '-qqq', '--seccomp-bpf', '-o', trace],
  ...['-e', `trace=${inject.split(':')[0] ?? ''}`, '-e', `inject=${inject}`],
  ...files.flatMap((file) => ['-P', file]),
];

export const canTrace = (id: string): boolean =>
  orSay(id, 'there is no strace here that may trace and inject', () =>
    run('strace', '-f', '-qqq', '-e', 'inject=fsync:error=EIO', 'true'),
  );

/** The library that moves the wall clock of a running process. */
export const faketime = globSync('/usr/lib{,64}/{*/,}faketime/libfaketime.so.1')[0];

export const canFakeTime = (id: string): boolean =>
  orSay(id, 'libfaketime is not installed', () => {
    if (faketime === undefined) throw new Error('not installed');
  });
