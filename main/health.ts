import type { FastifyInstance } from 'fastify';

/** The parts of a process, each `ok` or why it is not. */
export type Readiness = () => Readonly<Record<string, string>>;

/**
 * `/livez`: the loop turns. `/startupz`: it has started, for a service listens only then. `/readyz`: traffic may come; one
 * line a part. What is `shown` is said beside it and keeps no traffic away: neither a read model that stands still nor a
 * server that is away stops a message.
 */
export const serveHealth = (
  server: FastifyInstance,
  readiness: Readiness,
  shown: { readonly readModels: Readiness; readonly servers: Readiness },
): void => {
  server.get('/livez', async () => ({ status: 'ok' }));
  server.get('/startupz', async () => ({ status: 'ok' }));
  server.get('/readyz', async (_request, reply) => {
    const checks = readiness();
    const ready = Object.values(checks).every((state) => state === 'ok');
    void reply.code(ready ? 200 : 503).header('cache-control', 'no-store');
    return { status: ready ? 'ok' : 'not ready', checks, readModels: shown.readModels(), servers: shown.servers() };
  });
};
