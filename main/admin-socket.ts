import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fastify } from 'fastify';
import { replyProblem } from '../command-side/problem.ts';
import type { Warn } from '../command-side/warn.ts';
import { reject } from '../schemas/errors.ts';
import { noCompilers } from './no-compilers.ts';
import { isOperation, operations, type OperationsDeps } from './operations.ts';
import { Refused } from './refused.ts';

/** Whoever may open it may do everything: it is for the owner of the data alone. */
export const adminSocketIn = (data: string): string => join(data, 'admin.sock');

/** What the system takes in the name of a socket, with room for the smallest of them. */
const longestName = 103;

/** Opens the operations to the owner of the data, as HTTP over a Unix domain socket, until `stack` is unwound. */
export const openAdminSocket = async (
  deps: OperationsDeps & { readonly warn: Warn },
  stack: AsyncDisposableStack,
): Promise<void> => {
  const path = adminSocketIn(deps.data);
  if (Buffer.byteLength(path) > longestName) {
    deps.warn({ path }, 'the path of the admin socket is too long for the system: operate with the server stopped');
    return;
  }
  const server = fastify({ logger: false, schemaController: noCompilers });
  server.setNotFoundHandler((_request, reply) => replyProblem(reply, reject('route_not_found', 'no such operation')));
  server.setErrorHandler((error, _request, reply) => {
    if (error instanceof Refused) return replyProblem(reply, error.rejection);
    if (error instanceof Error && 'statusCode' in error && Number(error.statusCode) < 500) {
      return replyProblem(reply, reject('invalid', error.message));
    }
    deps.warn({ err: error }, 'an operation failed');
    return replyProblem(reply, reject('internal', error instanceof Error ? error.message : String(error)));
  });
  server.post<{ Params: { operation: string } }>('/:operation', async ({ params, body }, reply) => {
    if (!isOperation(params.operation)) return replyProblem(reply, reject('route_not_found', 'no such operation'));
    return operations[params.operation](deps, body);
  });
  await server.ready();

  // Left by a process that was killed; this one holds the lock of the data.
  if (existsSync(path)) rmSync(path);
  const before = process.umask(0o177);
  try {
    server.server.listen(path);
  } finally {
    process.umask(before);
  }
  await once(server.server, 'listening');
  stack.defer(async () => {
    // Operations under way are answered first.
    const closed = once(server.server, 'close');
    server.server.close();
    await closed;
    await server.close();
  });
};
