import type { FastifyPluginAsync } from 'fastify';
import { holdsInternalToken } from '../command-side/internal-token.ts';
import { replyProblem } from '../command-side/problem.ts';
import { reject } from '../schemas/errors.ts';
import { encodeRange, rangeQuery, rangesPath } from './ranges.ts';
import type { RoutingHere } from './routing.ts';

export interface ServeRangesDeps {
  readonly routing: Pick<RoutingHere, 'range' | 'place'>;
  readonly internalToken: string;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
}

const retryAfterMs = 1_000;
const atOnce = 16;

/** Gives gateways of other processes what they missed. */
export const serveRanges =
  ({ routing, internalToken, warn }: ServeRangesDeps): FastifyPluginAsync =>
  async (server) => {
    let underWay = 0;
    server.get(rangesPath, async (request, reply) => {
      if (!holdsInternalToken(request.raw, internalToken))
        return replyProblem(reply, reject('route_not_found', 'there is nothing at this address'));
      const query = rangeQuery.safeParse(request.query);
      if (!query.success) return replyProblem(reply, reject('invalid', 'from and through must be places'));
      if (underWay >= atOnce) return replyProblem(reply, reject('busy', 'too many ranges at once', { retryAfterMs }));
      underWay++;
      try {
        const { from, through = routing.place } = query.data;
        const encoded = encodeRange(await routing.range(from, through));
        return await reply.type('application/octet-stream').send(encoded);
      } catch (error) {
        warn({ err: error, ...query.data }, 'a range could not be given');
        return await replyProblem(reply, reject('unavailable', 'the range cannot be had now'));
      } finally {
        underWay--;
      }
    });
  };
