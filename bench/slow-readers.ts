import { WireClient } from '../tests/wire-client.ts';
import type { DriverResult } from './driver-plan.ts';
import { drive, median } from './drive.ts';
import type { BenchOptions } from './options.ts';
import { openPairs, startParley } from './parley.ts';

const awake = 980;
const sleepers = 20;
const perSecond = 2_000;
/** More than the kernel holds for a peer that does not read, and its outbox with it. */
const filling = { texts: 80, text: 'x'.repeat(100_000) };
/** With the opening of the sockets shorter than the 30 seconds after which who sleeps is cut off. */
const duration = { warmUpSeconds: 8, seconds: 12 };

/** 980 people in pairs, beside a group of 20 which read what is said in it, or have stopped to. */
const run = async (areAsleep: boolean): Promise<DriverResult> => {
  await using stack = new AsyncDisposableStack();
  const parley = await startParley();
  stack.defer(() => parley.stop());
  const { port } = parley;
  const clients = await openPairs(port, awake);
  const names = Array.from({ length: sleepers }, (_, index) => `sleeper ${index}`);
  const speaker = stack.use(await WireClient.live(port, 'speaker'));
  const group = await Promise.all(names.map((name) => WireClient.live(port, name)));
  for (const one of group) stack.use(one);
  const members = names.map((name) => ({ name }));
  const { conversationId } = await speaker.ask({ type: 'create-group', name: 'Hall', members });
  if (areAsleep) for (const { ws } of group) ws.pause();
  for (let said = 1; said <= filling.texts; said++) {
    speaker.text(conversationId, filling.text);
    await speaker.next('accepted', ({ seq }) => seq === said);
  }
  const talking = setInterval(() => speaker.text(conversationId, 'and so on'), 100);
  stack.defer(() => clearInterval(talking));
  return await drive({ protocol: 'parley', port, clients, load: { perSecond }, ...duration });
};

/** N7: what 980 people notice at 2,000 messages a second when 20 others stop reading. */
export const benchSlowReaders = async ({ quick }: BenchOptions): Promise<object> => {
  const [reading, asleep]: [DriverResult[], DriverResult[]] = [[], []];
  for (let round = 0; round < (quick ? 1 : 5); round++) {
    reading.push(await run(false));
    asleep.push(await run(true));
  }
  const p99 = (runs: readonly DriverResult[]): number => median(runs.map(({ p99_ms }) => p99_ms));
  const result = {
    delivered_per_s: median(asleep.map(({ delivered_per_s }) => delivered_per_s)),
    p99_ms_all_reading: p99(reading),
    p99_ms_20_asleep: p99(asleep),
    ratio: Number((p99(asleep) / p99(reading)).toFixed(2)),
  };
  console.table([result]);
  return result;
};
