import { isIP } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { holdsInternalToken } from '../command-side/internal-token.ts';
import { replyProblem } from '../command-side/problem.ts';
import packageJson from '../package.json' with { type: 'json' };
import { reject } from '../schemas/errors.ts';
import { gauge, metricsText, type Metric } from '../schemas/metrics.ts';
import type { LastBackup } from './last-backup.ts';

export const buildInfo: Metric = gauge('parley_build_info', () => [[[packageJson.version, process.versions.node], 1]]);

export const lastBackupAt = (last: LastBackup): Metric =>
  gauge('parley_backup_last_success_timestamp_seconds', () => {
    const at = last.at();
    return at === undefined ? [] : [[[], Math.floor(at / 1_000)]];
  });

/** A proxy on this machine calls from it too, but for others, and says so. */
const forwarded = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'];

const isFromHere = ({ headers, socket: { remoteAddress = '' } }: FastifyRequest): boolean =>
  /^(::1|(::ffff:)?127\.)/.test(remoteAddress) &&
  isIP(remoteAddress) !== 0 &&
  !forwarded.some((name) => headers[name] !== undefined);

/** `/metrics`, for who calls from this machine or holds the internal token; for others it is not there. */
export const serveMetrics = (server: FastifyInstance, all: readonly Metric[], token: string | undefined): void => {
  server.get('/metrics', async (request, reply) => {
    if (!isFromHere(request) && (token === undefined || !holdsInternalToken(request.raw, token))) {
      return replyProblem(reply, reject('route_not_found', 'there is nothing at this address'));
    }
    return reply.type('text/plain; version=0.0.4; charset=utf-8').send(metricsText(all));
  });
};
