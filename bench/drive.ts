import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { DriverPlan, DriverResult } from './driver-plan.ts';

/** Runs the driver as a process of its own. */
export const drive = async (plan: DriverPlan): Promise<DriverResult> => {
  const driver = spawn(process.execPath, [join(import.meta.dirname, 'driver.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  driver.stdin.end(JSON.stringify(plan));
  const output = await text(driver.stdout);
  if (output === '') throw new Error('the driver gave no result');
  return JSON.parse(output) as DriverResult;
};

export interface Cell {
  readonly clients: number;
  readonly window: number;
}

export interface Duration {
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

const ownCeiling = [process.execPath, join(import.meta.dirname, 'ceiling-server.ts')];

/**
 * One cell against a bare server in an empty folder: `command FOLDER` prints `listening PORT` and speaks as
 * ceiling-server.ts does.
 */
export const driveCeiling = async (
  { clients, window }: Cell,
  duration: Duration,
  command: readonly string[] = ownCeiling,
): Promise<DriverResult> => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-ceiling-'));
  const [program = '', ...given] = command;
  const server = spawn(program, [...given, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  try {
    const port = await listeningPort(server.stdout);
    const peers = Array.from({ length: clients }, () => ({ token: '', conversationId: '' }));
    return await drive({ protocol: 'ceiling', port, clients: peers, load: { window }, ...duration });
  } finally {
    server.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true, force: true });
  }
};

const listeningPort = async (output: NodeJS.ReadableStream): Promise<number> => {
  for await (const line of createInterface({ input: output })) {
    const port = /^listening (\d+)$/.exec(line)?.[1];
    if (port !== undefined) return Number(port);
  }
  throw new Error('the ceiling ended before it listened');
};

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
};

/** The median run by deliveries a second: its latencies belong to its throughput. */
export const medianRun = <Run extends DriverResult>(runs: readonly Run[]): Run => {
  const run = runs.toSorted((a, b) => a.delivered_per_s - b.delivered_per_s)[Math.floor(runs.length / 2)];
  if (run === undefined) throw new Error('no runs');
  return run;
};
