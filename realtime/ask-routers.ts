import type { RoutedBatch } from './bus.ts';
import { decodeRange, mostRangeBytes, rangesPath } from './ranges.ts';

export interface AskRoutersDeps {
  readonly addresses: readonly string[];
  readonly internalToken: string;
}

/** `through` undefined: up to where the router is. Rejects when none of them answers. */
export type AskRouters = (
  from: number,
  through: number | undefined,
  signal: AbortSignal,
) => Promise<readonly RoutedBatch[]>;

const answerMs = 5_000;

/** Asks the routers of other processes, one after the other, the last that answered first. */
export const askRouters = ({ addresses, internalToken }: AskRoutersDeps): AskRouters => {
  let first = 0;

  const ask = async (address: string, query: string, signal: AbortSignal): Promise<readonly RoutedBatch[]> => {
    const response = await fetch(`${address}${rangesPath}?${query}`, {
      headers: { authorization: `Bearer ${internalToken}` },
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
      redirect: 'error',
    });
    const isWhole = response.ok && Number(response.headers.get('content-length') ?? Infinity) <= mostRangeBytes;
    if (!isWhole) {
      await response.body?.cancel();
      throw new Error(`the router at ${address} answered ${response.status}`);
    }
    return decodeRange(Buffer.from(await response.arrayBuffer()));
  };

  return async (from, through, signal) => {
    const query = new URLSearchParams({
      from: String(from),
      ...(through !== undefined && { through: String(through) }),
    });
    const failures: unknown[] = [];
    for (let tried = 0; tried < addresses.length; tried++) {
      const index = (first + tried) % addresses.length;
      try {
        const batches = await ask(addresses[index] ?? '', query.toString(), signal);
        first = index;
        return batches;
      } catch (error) {
        signal.throwIfAborted();
        failures.push(error);
      }
    }
    throw new AggregateError(failures, 'no router answers');
  };
};
