import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Rejection } from '../schemas/errors.ts';
import { problemOf } from '../schemas/http.ts';

/** Answers a request to upgrade by plain HTTP with a problem document, and ends its connection. */
export const refuseUpgrade = (socket: Duplex, rejection: Rejection): void => {
  const problem = problemOf(rejection, (status) => STATUS_CODES[status]);
  const { status, title, retryAfterMs } = problem;
  const body = JSON.stringify(problem);
  const wait = retryAfterMs === undefined ? [] : [`Retry-After: ${Math.ceil(retryAfterMs / 1_000)}`];
  // Half closed, it would stay for as long as the peer likes.
  socket.once('finish', () => socket.destroy());
  socket.end(
    [
      `HTTP/1.1 ${status} ${title}`,
      'Content-Type: application/problem+json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
      'Cache-Control: no-store',
      ...(status === 401 ? ['WWW-Authenticate: Bearer'] : []),
      ...wait,
      '',
      body,
    ].join('\r\n'),
  );
};
