import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import { reject } from '../schemas/errors.ts';
import { writeRoutes } from '../schemas/http.ts';
import type { CommandGateway } from './command-gateway.ts';
import { replyProblem } from './problem.ts';
import { callerOf, restScope, type RestScopeDeps } from './rest-scope.ts';

export interface RestWritesDeps extends RestScopeDeps {
  readonly gateway: CommandGateway;
}

/** Every command as a call under `/v1`. */
export const restWrites =
  (deps: RestWritesDeps): FastifyPluginAsync =>
  async (server: FastifyInstance) => {
    restScope(deps, server);
    for (const { method, path, parse } of writeRoutes) {
      server.route({
        method,
        url: path,
        async handler(request, reply) {
          const { params, query, body } = request;
          const command = parse({ params, query, body });
          if (!command.ok) return replyProblem(reply, reject(command.code, command.message));
          const answer = await deps.gateway.submit(callerOf(request), command.value);
          if (!answer.ok) return replyProblem(reply, answer.rejection);
          const { type, ...done } = answer.done;
          return reply.header('cache-control', 'no-store').send(done);
        },
      });
    }
  };
