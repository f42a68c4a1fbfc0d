import type { FastifyInstance } from 'fastify';

/** Why a part is not ready; undefined: it is. */
export type ReadinessCheck = () => string | undefined;

/** `/livez`: the loop turns. `/readyz`: traffic may come; one line a part. */
export const serveHealth = (server: FastifyInstance, checks: Readonly<Record<string, ReadinessCheck>>): void => {
  server.get('/livez', async () => ({ status: 'ok' }));
  server.get('/readyz', async (_request, reply) => {
    const found = Object.entries(checks).map(([name, check]) => [name, check() ?? 'ok'] as const);
    const ready = found.every(([, state]) => state === 'ok');
    void reply.code(ready ? 200 : 503).header('cache-control', 'no-store');
    return { status: ready ? 'ok' : 'not ready', checks: Object.fromEntries(found) };
  });
};
