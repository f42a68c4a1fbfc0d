import { decodeBusMessage, encodeBusMessage } from './bus-wire.ts';
import type { Bus, BusMessage, RoutedBatch } from './bus.ts';
import { memoryBus } from './memory-bus.ts';
import type { RedisConnection } from './redis-connection.ts';

export interface RedisBusDeps {
  readonly redis: Pick<RedisConnection, 'commands' | 'subscriber'>;
  /** One for all processes over one log, and for nobody else. */
  readonly channel: string;
  /** Eight random bytes, of this process alone. */
  readonly origin: Buffer;
  /** Called for each message that did not reach Redis. */
  readonly dropped: () => void;
  readonly report: (error: unknown) => void;
}

export interface RedisBus extends Bus {
  /** Why it does not hear the other processes; undefined: it does. */
  deaf(): string | undefined;
  close(): void;
}

const originBytes = 8;
const heartbeatMs = 1_000;
/** More than this under way is a Redis that does not keep up. */
const mostBytesUnderWay = 16 * 1_024 * 1_024;

/**
 * Within this process as memory is, so that nothing here waits for Redis or is missed when it is away; to other processes
 * over one channel. Once a second it says again how far the last batch went: who missed that one sees the hole.
 */
export const redisBus = ({ redis, channel, origin, dropped, report }: RedisBusDeps): RedisBus => {
  const { commands, subscriber } = redis;
  const here = memoryBus(report);
  let underWay = 0;
  let deafness: string | undefined = 'not subscribed yet';
  /** Says no more than how far the last batch went. */
  let last: RoutedBatch | undefined;

  const send = async (message: BusMessage): Promise<void> => {
    let size = 0;
    try {
      const encoded = Buffer.concat([origin, encodeBusMessage(message)]);
      size = encoded.length;
      underWay += size;
      await commands.publish(channel, encoded);
    } catch {
      dropped();
    } finally {
      underWay -= size;
    }
  };
  const tellOthers = (message: BusMessage): void => {
    if (commands.status === 'ready' && underWay < mostBytesUnderWay) void send(message);
    else dropped();
  };

  const hear = (_channel: Buffer, published: Buffer): void => {
    if (published.subarray(0, originBytes).equals(origin)) return;
    // A copy: the frames in it outlive the buffer that the connection reads into.
    const message = decodeBusMessage(Buffer.from(published.subarray(originBytes)));
    if (message !== undefined) here.publish(message);
  };
  const subscribe = (): void => {
    subscriber.subscribe(channel).then(
      () => (deafness = undefined),
      (error: unknown) => (deafness = error instanceof Error ? error.message : 'not subscribed'),
    );
  };
  const closed = (): void => {
    deafness ??= 'not subscribed yet';
  };
  subscriber.on('messageBuffer', hear);
  subscriber.on('ready', subscribe);
  subscriber.on('close', closed);
  if (subscriber.status === 'ready') subscribe();

  const beat = setInterval(() => {
    if (last !== undefined) tellOthers(last);
    if (subscriber.status !== 'ready') return;
    // Without a ping a connection on which nothing comes may be dead for ever.
    if (deafness === undefined) subscriber.ping().catch(() => undefined);
    else subscribe();
  }, heartbeatMs);
  beat.unref();

  return {
    publish(message) {
      here.publish(message);
      if (message.is === 'batch') last = { ...message, from: message.through, deliveries: [] };
      tellOthers(message);
    },
    listen: (listener) => here.listen(listener),
    deaf: () => deafness,
    close() {
      clearInterval(beat);
      subscriber.off('messageBuffer', hear);
      subscriber.off('ready', subscribe);
      subscriber.off('close', closed);
    },
  };
};
