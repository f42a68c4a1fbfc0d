import type { FastifyInstance, FastifyPluginAsync, FastifyReply } from 'fastify';
import { replyProblem } from '../command-side/problem.ts';
import { localRateLimits, type NewRateLimit } from '../command-side/rate-limit.ts';
import { callerOf, restScope, type RestScopeDeps } from '../command-side/rest-scope.ts';
import { readModelMetrics, readModelStates } from '../projections/read-model-states.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import { readAfterHeader } from '../schemas/http-reads.ts';
import type { UserId } from '../schemas/ids.ts';
import type { Limits } from '../schemas/limits.ts';
import { Refusals, type Metric } from '../schemas/metrics.ts';
import { openApiPath, openApiText } from './openapi.ts';
import { reads, type ReadsDeps } from './reads.ts';
import { waitForWrite } from './wait-for-write.ts';

export interface QueryApiDeps extends RestScopeDeps, ReadsDeps {
  readonly limits: Limits;
  /** Unless given, this process keeps limits by itself. */
  readonly newRateLimit?: NewRateLimit;
}

export interface QueryApi {
  readonly metrics: readonly Metric[];
  /** Every read over REST. */
  readonly plugin: FastifyPluginAsync;
  /** Whether the read models go on; how far they are behind is a metric. */
  readonly checks: () => Readonly<Record<'inbox' | 'search', string>>;
}

/** What a read takes of the allowance: a search looks through more than a page. */
const costOf = { inbox: 1, search: 5 } as const;
const unreachableRetryMs = 1_000;

/** Answers from the read models alone, and holds nothing. */
export const queryApi = (deps: QueryApiDeps): QueryApi => {
  const { progress, limits, newRateLimit = localRateLimits(deps.clock) } = deps;
  const allowance = newRateLimit('reads', limits.readBurst, limits.readsPerSecond);

  const overLimit = (user: UserId, cost: number): Rejection | undefined => {
    const retryAfterMs = allowance.take(user, cost);
    return retryAfterMs === undefined
      ? undefined
      : reject('rate_limited', 'too many reads of one user', { limiter: 'reads', retryAfterMs });
  };

  const refusals = new Refusals('read');
  const refuse = (reply: FastifyReply, rejection: Rejection): FastifyReply => {
    refusals.refused(rejection);
    return replyProblem(reply, rejection);
  };

  /** Whatever a read model throws is a fault of its store. */
  const unreachable = (error: unknown, path: string, model: 'inbox' | 'search'): Rejection => {
    deps.report({ err: error, route: path }, `the ${model} could not be read`);
    return reject('read_model_unreachable', `the ${model} cannot be read now`, { retryAfterMs: unreachableRetryMs });
  };

  const serveReads = async (server: FastifyInstance): Promise<void> => {
    restScope(deps, server);
    for (const { route, parse } of reads(deps)) {
      server.get(route.path, async (request, reply) => {
        const caller = callerOf(request);
        const limited = overLimit(caller.userId, costOf[route.readModel]);
        if (limited !== undefined) return refuse(reply, limited);
        const read = parse(request);
        if (!read.ok) return refuse(reply, read.rejection);
        const token = request.headers[readAfterHeader];
        if (token !== undefined) {
          const unseen = await waitForWrite(String(token), progress[route.readModel], deps);
          if (unseen !== undefined) return refuse(reply, unseen);
        }
        const answer = await read.answer(caller).catch((error: unknown) => ({
          ok: false as const,
          rejection: unreachable(error, route.path, route.readModel),
        }));
        if (!answer.ok) return refuse(reply, answer.rejection);
        return reply.header('cache-control', 'no-store').send(answer.body);
      });
    }
  };

  return {
    async plugin(server) {
      const document = openApiText();
      server.get(openApiPath, async (_, reply) => reply.type('application/json').send(document));
      await server.register(serveReads);
    },
    metrics: [...refusals.all, ...readModelMetrics(progress)],
    checks: () => readModelStates(progress),
  };
};
