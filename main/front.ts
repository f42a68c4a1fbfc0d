import { createServer, request, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { refuseUpgrade } from '../realtime/refuse-upgrade.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import { problemOf } from '../schemas/http.ts';

/** Which service answers what. */
export type FrontRole = 'command-side' | 'query-api' | 'gateway';

/** A port of this machine where one of them listens now; undefined: none does. */
export type PickPort = (role: FrontRole) => number | undefined;

const host = '127.0.0.1';
const forwardedFor = 'x-forwarded-for';
const nothingThere = reject('route_not_found', 'there is nothing at this address');
const away = reject('unavailable', 'no server answers here now', { retryAfterMs: 1_000 });

/** What services say to each other and to those who watch them is nobody else's. */
const isPublic = ({ url = '' }: IncomingMessage): boolean => url.startsWith('/v1/') || url.startsWith('/v1?');

/**
 * One address for services of this machine, as a reverse proxy gives it elsewhere: sockets to gateways, reads to the query
 * API, writes to command sides. Holds nothing: what it cannot hand on it refuses, and clients come again.
 */
export const front = (pick: PickPort): Server => {
  const server = createServer((incoming, response) => {
    const isRead = incoming.method === 'GET' || incoming.method === 'HEAD';
    const port = pick(isRead ? 'query-api' : 'command-side');
    if (!isPublic(incoming)) answerProblem(response, nothingThere);
    else if (port === undefined) answerProblem(response, away);
    else handOn(incoming, response, port);
  });
  server.on('upgrade', (incoming, socket, head) => {
    socket.on('error', () => socket.destroy());
    const port = isPublic(incoming) ? pick('gateway') : undefined;
    if (port === undefined) refuseUpgrade(socket, away);
    else joinSockets(incoming, socket, head, port);
  });
  return server;
};

const answerProblem = (response: ServerResponse, rejection: Rejection): void => {
  const problem = problemOf(rejection, (status) => STATUS_CODES[status]);
  response.statusCode = problem.status;
  response.setHeader('content-type', 'application/problem+json').setHeader('cache-control', 'no-store');
  if (rejection.retryAfterMs !== undefined)
    response.setHeader('retry-after', Math.ceil(rejection.retryAfterMs / 1_000));
  response.end(JSON.stringify(problem));
};

const handOn = (incoming: IncomingMessage, response: ServerResponse, port: number): void => {
  const headers = { ...incoming.headers, [forwardedFor]: incoming.socket.remoteAddress ?? '' };
  const outgoing = request({ host, port, method: incoming.method, path: incoming.url, headers });
  const failed = (): void => {
    if (response.headersSent) response.destroy();
    else answerProblem(response, away);
  };
  outgoing.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    pipeline(answer, response).catch(() => response.destroy());
  });
  outgoing.on('error', failed);
  pipeline(incoming, outgoing).catch(failed);
};

/** The request as it came, with the address that it came from. */
const requestOf = ({ rawHeaders, method = 'GET', url = '/', socket }: IncomingMessage): string => {
  const lines = [`${method} ${url} HTTP/1.1`];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2);
    if (name.toLowerCase() !== forwardedFor) lines.push(`${name}: ${value}`);
  }
  return [...lines, `${forwardedFor}: ${socket.remoteAddress ?? ''}`, '', ''].join('\r\n');
};

/** Bytes are passed on as they come once both are joined. */
const joinSockets = (incoming: IncomingMessage, socket: Duplex, head: Buffer, port: number): void => {
  const target = connect({ host, port }, () => {
    target.write(requestOf(incoming));
    if (head.length > 0) target.write(head);
    pipeline(socket, target).catch(() => socket.destroy());
    pipeline(target, socket).catch(() => socket.destroy());
  });
  let isJoined = false;
  target.once('connect', () => (isJoined = true));
  target.on('error', () => {
    if (isJoined) socket.destroy();
    else refuseUpgrade(socket, away);
  });
};
