/**
 * Clients in pairs that send each other 200 bytes, as a process of its own so that the server's event loop is not the
 * driver's. With a window it is a closed loop: a delivery releases the sender's next message. Reads a `DriverPlan` from
 * stdin and prints a `DriverResult`.
 */
import { text as textOf } from 'node:stream/consumers';
import { setTimeout as after } from 'node:timers/promises';
import { type RawData, WebSocket } from 'ws';
import type { DriverPlan, DriverResult } from './driver-plan.ts';
import { protocols, type Seen } from './driver-protocols.ts';

const plan = JSON.parse(await textOf(process.stdin)) as DriverPlan;
const protocol = protocols[plan.protocol];
const openAtOnce = 50;
const drainSeconds = 10;

const latencies: number[] = [];
const count = { accepted: 0, delivered: 0, duplicate: 0, outOfOrder: 0, sent: 0, arrived: 0 };
let measuring = false;
let sending = true;
let drained = (): void => undefined;

interface Client {
  readonly socket: WebSocket;
  readonly send: () => void;
  /** When each message under way was sent, by its count. */
  readonly underWay: Map<number, number>;
  /** Says how far its messages have arrived, if that is news. */
  readonly confirm: () => void;
}

const refused = (why: string): never => {
  console.error(`The server refused: ${why}`);
  process.exit(1);
};

const clients: Client[] = [];
const isClosedLoop = 'window' in plan.load;

const pace = (perSecond: number): NodeJS.Timeout => {
  const begunAt = performance.now();
  let begun = 0;
  return setInterval(() => {
    for (const due = ((performance.now() - begunAt) * perSecond) / 1_000; begun < due; begun++) {
      clients[begun % clients.length]?.send();
    }
  }, 1);
};

const open = (index: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const client = plan.clients[index];
    if (client === undefined) throw new Error('no such client');
    const socket = new WebSocket(protocol.url(plan.port, index), {
      perMessageDeflate: false,
      headers: protocol.headers(client),
    });
    const underWay = new Map<number, number>();
    let n = 0;
    let lastSeq = -1;
    const send = (): void => {
      if (!sending) return;
      n++;
      underWay.set(n, performance.now());
      count.sent++;
      socket.send(protocol.frame(index, client, n));
    };
    let confirmed = -1;
    const confirm = (): void => {
      if (lastSeq === confirmed || protocol.confirm === undefined) return;
      confirmed = lastSeq;
      socket.send(protocol.confirm(client, lastSeq));
    };
    const delivered = ({ n: which, seq }: Extract<Seen, { is: 'delivered' }>): void => {
      // Own messages take seqs between those of the peer, and what is missing shows as lost.
      if (seq <= lastSeq) count.outOfOrder++;
      lastSeq = seq;
      const sender = clients[index ^ 1];
      const sentAt = sender?.underWay.get(which);
      if (sender === undefined || sentAt === undefined) {
        count.duplicate++;
        return;
      }
      sender.underWay.delete(which);
      count.arrived++;
      if (measuring) {
        count.delivered++;
        latencies.push(performance.now() - sentAt);
      }
      if (isClosedLoop) sender.send();
      if (!sending && count.arrived === count.sent) drained();
    };
    socket.on('message', (data: RawData) => {
      const seen = protocol.seen((data as Buffer).toString());
      switch (seen.is) {
        case 'accepted':
          if (measuring) count.accepted++;
          return;
        case 'delivered':
          delivered(seen);
          return;
        case 'synced':
          resolve();
          return;
        case 'refused':
          return refused(seen.why);
        case 'other':
          return;
      }
    });
    socket.once('error', reject);
    socket.once('close', (code) => (sending ? refused(`closed with ${code}`) : undefined));
    socket.once('open', () => (protocol.begin(socket) === 'ready' ? resolve() : undefined));
    clients[index] = { socket, send, underWay, confirm };
  });

for (let from = 0; from < plan.clients.length; from += openAtOnce) {
  const indices = plan.clients.slice(from, from + openAtOnce).map((_, i) => from + i);
  await Promise.all(indices.map(open));
}

/** As the SDK does: each client at most once a second, and not all at the same moment. */
const confirmTurns = 10;
let turn = 0;
const confirming = setInterval(() => {
  turn++;
  clients.forEach(({ confirm }, index) => (index % confirmTurns === turn % confirmTurns ? confirm() : undefined));
}, 1_000 / confirmTurns);

let pacing: NodeJS.Timeout | undefined;
if ('window' in plan.load) for (const { send } of clients) for (let k = 0; k < plan.load.window; k++) send();
else pacing = pace(plan.load.perSecond);
await after(plan.warmUpSeconds * 1_000);
const cpuBefore = process.cpuUsage();
const from = performance.now();
measuring = true;
await after(plan.seconds * 1_000);
measuring = false;
const seconds = (performance.now() - from) / 1_000;
const cpu = process.cpuUsage(cpuBefore);

sending = false;
clearInterval(pacing);
clearInterval(confirming);
if (count.arrived < count.sent) {
  await Promise.race([
    new Promise<void>((resolve) => (drained = resolve)),
    after(drainSeconds * 1_000, undefined, { ref: false }),
  ]);
}

latencies.sort((a, b) => a - b);
const quantile = (q: number): number =>
  Number((latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))] ?? 0).toFixed(1));
const result: DriverResult = {
  clients: plan.clients.length,
  delivered_per_s: Math.round(count.delivered / seconds),
  accepted_per_s: Math.round(count.accepted / seconds),
  sent: count.sent,
  p50_ms: quantile(0.5),
  p99_ms: quantile(0.99),
  lost: count.sent - count.arrived,
  duplicate: count.duplicate,
  out_of_order: count.outOfOrder,
  driver_cpu: Number(((cpu.user + cpu.system) / 1e6 / seconds).toFixed(2)),
};
console.log(JSON.stringify(result));
for (const { socket } of clients) socket.terminate();
