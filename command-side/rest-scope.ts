import type { FastifyInstance, FastifyRequest } from 'fastify';
import { LogAway } from '../event-log/event-log.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import { uuidV7 } from '../schemas/ids.ts';
import type { Clock, RandomBytes } from './clock.ts';
import type { Caller } from './command-gateway.ts';
import { replyProblem } from './problem.ts';
import { readBody } from './read-body.ts';
import type { Warn } from './warn.ts';

/** Who a token stands for, once it is verified and its user registered. Never throws for what a token holds. */
export type Authenticate = (
  token: string,
) => Promise<{ readonly ok: true; readonly caller: Caller } | { readonly ok: false; readonly rejection: Rejection }>;

export interface RestScopeDeps {
  readonly authenticate: Authenticate;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly report: Warn;
}

const caller = 'caller';

/** Who calls a route of this scope. */
export const callerOf = (request: FastifyRequest): Caller => request.getDecorator<Caller>(caller);

/** A refusal on its way to the error handler. */
class Refused extends Error {
  override readonly name = 'Refused';
  readonly rejection: Rejection;
  constructor(rejection: Rejection) {
    super(rejection.message);
    this.rejection = rejection;
  }
}

const bearer = (authorization: string | undefined): string => {
  const token = /^Bearer +([^ ]+)$/i.exec(authorization ?? '')?.[1];
  if (token === undefined) throw new Refused(reject('unauthenticated', 'a token is needed: Authorization: Bearer'));
  return token;
};

/** What the framework itself refuses, in our words. */
const rejectionOf = (error: unknown): Rejection | undefined => {
  if (error instanceof Refused) return error.rejection;
  if (error instanceof LogAway) return reject('unavailable', 'the log cannot be reached; asking again is safe');
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined;
  switch (error.statusCode) {
    case 413:
      return reject('too_large', 'the body is larger than the limit');
    case 415:
      return reject('invalid', 'Content-Type: must be application/json');
    case 400:
      return reject('invalid', 'the request is not well formed');
    default:
      return undefined;
  }
};

/**
 * What is the same for all calls of users: who calls (`callerOf`), how a body is read, and that whatever is refused is a
 * problem document. For a scope of its own: its parser and its errors concern no other routes.
 */
export const restScope = (
  { authenticate, clock, randomBytes, report }: RestScopeDeps,
  server: FastifyInstance,
): void => {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (_request: unknown, bytes: Buffer) => {
    // Many clients name the type of a body they do not send, above all with DELETE.
    if (bytes.length === 0) return undefined;
    const body = readBody(bytes);
    if (!body.ok) throw new Refused(reject(body.code, body.message));
    return body.value;
  });

  server.setErrorHandler((error, request, reply) => {
    const rejection = rejectionOf(error);
    if (rejection !== undefined) return replyProblem(reply, rejection);
    const fault = uuidV7(clock.now(), randomBytes(10));
    report({ err: error, fault, route: request.routeOptions.url }, 'a request failed');
    return replyProblem(reply, reject('internal', `a fault of the server, ${fault} in its log`));
  });

  server.decorateRequest(caller);
  // Before the body is read: who is nobody sends us no megabytes.
  server.addHook('onRequest', async (request) => {
    const known = await authenticate(bearer(request.headers.authorization));
    if (!known.ok) throw new Refused(known.rejection);
    request.setDecorator(caller, known.caller);
  });
};
