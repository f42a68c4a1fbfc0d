import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import { replyProblem } from '../command-side/problem.ts';
import { rateLimit } from '../command-side/rate-limit.ts';
import { callerOf, restScope, type RestScopeDeps } from '../command-side/rest-scope.ts';
import type { GatewaysSeen } from '../realtime/gateway-registry.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import { Refusals, type Metric } from '../schemas/metrics.ts';
import { firstIssue } from '../schemas/parse.ts';
import { serversRoute, type ServersAnswer } from '../schemas/servers.ts';
import { rankServers } from './rank-servers.ts';

export interface ServersDeps extends RestScopeDeps {
  readonly seen: () => GatewaysSeen;
  /** Of this process. */
  readonly region: string | undefined;
}

export interface Servers {
  readonly plugin: FastifyPluginAsync;
  readonly metrics: readonly Metric[];
}

/** A client asks when it begins and when its server fails it; one that cannot connect, as often as it tries. */
const burst = 30;
const perSecond = 1;

/** Tells clients which gateway to connect to. Answers from what is at hand and waits for nobody. */
export const servers = (deps: ServersDeps): Servers => {
  const { seen, randomBytes } = deps;
  const allowance = rateLimit(burst, perSecond, deps.clock);
  const refusals = new Refusals('read');
  const refuse = (reply: FastifyReply, rejection: Rejection): FastifyReply => {
    refusals.refused(rejection);
    return replyProblem(reply, rejection);
  };

  const answer = (region: string | undefined): ServersAnswer => {
    const { gateways, isStale } = seen();
    const ranked = rankServers(gateways, region, () => randomBytes(1)[0] ?? 0);
    return { servers: ranked.map(({ url, region: its }) => ({ url, region: its })), stale: isStale };
  };

  return {
    async plugin(server) {
      restScope(deps, server);
      server.get(serversRoute.path, async (request, reply) => {
        const retryAfterMs = allowance.take(callerOf(request).userId, 1);
        if (retryAfterMs !== undefined) {
          const limiter = { limiter: 'servers', retryAfterMs };
          return refuse(reply, reject('rate_limited', 'one user asked too often for servers', limiter));
        }
        const query = serversRoute.query.safeParse(request.query);
        if (!query.success) return refuse(reply, reject('invalid', firstIssue(query.error)));
        const { region = deps.region } = query.data;
        return reply.header('cache-control', 'no-store').send(answer(region));
      });
    },
    metrics: refusals.all,
  };
};
