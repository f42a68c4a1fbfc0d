import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { errors, type Rejection } from '../schemas/errors.ts';
import type { Problem } from '../schemas/http.ts';

/** Answers a request to upgrade by plain HTTP with a problem document, and ends its connection. */
export const refuseUpgrade = (socket: Duplex, { code, message, ...more }: Rejection): void => {
  const status = errors[code].http;
  const title = STATUS_CODES[status] ?? 'Refused';
  const problem: Problem = { type: 'about:blank', title, status, detail: message, code, ...more };
  const body = JSON.stringify(problem);
  const wait = more.retryAfterMs === undefined ? [] : [`Retry-After: ${Math.ceil(more.retryAfterMs / 1_000)}`];
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
