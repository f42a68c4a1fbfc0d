import { fastify, type FastifyInstance } from 'fastify';
import { z } from 'zod';
import { replyProblem } from '../command-side/problem.ts';
import { refuseUpgrade } from '../realtime/refuse-upgrade.ts';
import { reject } from '../schemas/errors.ts';
import { frameBytes, type Limits } from '../schemas/limits.ts';
import { noCompilers } from './no-compilers.ts';

/** For the log, its readers, and what else a process opens beside its connections. */
const descriptorsKept = 256;

/** For requests under way when a server closes; the rest of the time that a process has to end is for what comes after. */
const closingMs = 5_000;

/** The server of a process, not listening yet. Its log goes to stderr, a line of JSON an entry, without bodies and tokens. */
export const httpServer = (limits: Limits): FastifyInstance => {
  const server = fastify({
    logger: { level: 'warn', stream: process.stderr },
    bodyLimit: frameBytes(limits),
    schemaController: noCompilers,
    requestTimeout: 30_000,
    // While closing, requests under way are answered by the routes, in our words: `draining`, and when to come back.
    return503OnClosing: false,
    keepAliveTimeout: 75_000,
    // A name of 500 characters, percent-encoded.
    routerOptions: { maxParamLength: 6_000 },
    frameworkErrors(_error, _request, reply) {
      void replyProblem(reply, reject('invalid', 'the address is not well formed'));
    },
    // What the parser refuses reaches no route.
    clientErrorHandler({ code }, socket) {
      if (!socket.writable) socket.destroy();
      else if (code === 'HPE_HEADER_OVERFLOW')
        refuseUpgrade(socket, reject('too_large', 'the address and headers are too long'));
      else refuseUpgrade(socket, reject('invalid', 'the request is not HTTP'));
    },
    http: {
      // A token and a search for 1,000 characters, percent-encoded.
      maxHeaderSize: 32_768,
      headersTimeout: 10_000,
      connectionsCheckingInterval: 5_000,
      // Whatever else a client offers to upgrade to (h2c, as curl does) is answered as the request it is.
      shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
    },
  });
  server.setNotFoundHandler((_request, reply) =>
    replyProblem(reply, reject('route_not_found', 'there is nothing at this address')),
  );
  server.addHook('preClose', async () => {
    // A connection on which nothing was ever asked is not idle to Node, and would keep the server open for as long as it likes.
    const timer = setTimeout(() => server.server.closeAllConnections(), closingMs);
    server.server.once('close', () => clearTimeout(timer));
  });
  server.server.maxConnections = openFilesAllowed() - descriptorsKept;
  return server;
};

const report = z.object({ userLimits: z.object({ open_files: z.object({ soft: z.int() }) }) });

/** Beyond this many the system refuses files of ours together with connections of theirs. */
const openFilesAllowed = (): number => {
  const read = report.safeParse(process.report.getReport());
  return read.success ? read.data.userLimits.open_files.soft : 1_048_576;
};
