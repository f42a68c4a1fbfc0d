import { STATUS_CODES } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { Rejection } from '../schemas/errors.ts';
import { problemOf } from '../schemas/http.ts';

/** Answers with a problem document (RFC 9457). */
export const replyProblem = (reply: FastifyReply, rejection: Rejection): FastifyReply => {
  const problem = problemOf(rejection, (status) => STATUS_CODES[status]);
  void reply.code(problem.status).type('application/problem+json').header('cache-control', 'no-store');
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer');
  if (rejection.retryAfterMs !== undefined) {
    void reply.header('retry-after', Math.ceil(rejection.retryAfterMs / 1_000));
  }
  return reply.send(problem);
};
